// The file driver's calls to the system. What may wait for the disk is a promise of node:fs's callbacks, which costs this process half of
// what node:fs/promises does, whose every open file is an object. What the kernel has in memory (an open file's data about itself, a
// folder in which something has just been named) is done at once: that takes less time than asking another thread for it. Whoever opens
// a file closes it.

import fs from 'node:fs';
import { promisify } from 'node:util';

/** Looked up here at each call, so that a test can stop one, or answer in its place. */
export const calls = {
  open: promisify(fs.open),
  openFolder: (path: string): number => fs.openSync(path, 'r'),
  close: fs.closeSync,
  fstat: fs.fstatSync,
  fsync: promisify(fs.fsync),
  link: promisify(fs.link),
  lstat: promisify(fs.lstat),
  mkdir: promisify(fs.mkdir),
  read: promisify(fs.read),
  readdir: promisify(fs.readdir),
  rename: promisify(fs.rename),
  stat: promisify(fs.stat),
  unlink: promisify(fs.unlink),
  write: promisify(fs.write),
};

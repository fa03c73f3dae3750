// A text as a file: the whole of it, or no file at all.
import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../../lib/errors.js';
import { usageError } from './context.js';

/** Replaces what is there. @returns its size in bytes @throws AppError invalid_request where it cannot be written */
export async function writeOutput(path: string, text: string): Promise<number> {
  const temp = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.part`);
  try {
    await writeFile(temp, text, { flag: 'wx', flush: true });
    await rename(temp, path);
  } catch (error) {
    await rm(temp, { force: true });
    throw usageError('--output', `must name a file that can be written, got ${JSON.stringify(path)}: ${messageOf(error)}`);
  }
  return Buffer.byteLength(text);
}

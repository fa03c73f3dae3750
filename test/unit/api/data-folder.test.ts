// The lock of a data folder that machines and containers share: whose holder cannot be looked up is listened for.
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { holdFolder } from '../../../api/cli/data-folder.js';
import { identify } from '../../../lib/process-identity.js';
import { makeTempDir } from '../../support/temp.js';

let folder: string;
let lock: string;
beforeEach(async () => {
  const { path, remove } = await makeTempDir('data-folder');
  onTestFinished(remove);
  folder = path;
  lock = join(path, 'up.lock');
});

/** A number that nobody has here. */
const GONE = 4_194_999;
const ago = (ms: number): Date => new Date(Date.now() - ms);
const elsewhere = (change: object): Promise<void> => identify(process.pid).then((me) => writeFile(lock, JSON.stringify({ ...me, pid: GONE, started: '1', ...change })));

test.each([
  ['another host', { host: 'other' }],
  ['another container of this host', { numbering: 'boot pid:[1]' }],
])('held by a process of %s that lives, it is refused by name', async (_, change) => {
  await elsewhere(change);
  const heart = setInterval(() => void utimes(lock, new Date(), new Date()), 100);
  onTestFinished(() => clearInterval(heart));
  const said: string[] = [];
  await expect(holdFolder(folder, { say: (line) => said.push(line) })).rejects.toThrow(new RegExp(`^${folder} is in use by process ${GONE} on \\S+: one \`up\` per data folder \\(end that one there, or take another with --data\\)$`));
  expect(said).toEqual([expect.stringMatching(`^process ${GONE} on .* holds the data folder; waiting for a sign of life \\(at most 30 s\\)$`)]);
  expect(JSON.parse(await readFile(lock, 'utf8')), 'the lock stays').toMatchObject({ pid: GONE });
  expect(await readdir(folder)).toEqual(['up.lock']);
});

test('held by a process elsewhere that gave no sign for half a minute, it is taken', async () => {
  await elsewhere({ host: 'other' });
  await utimes(lock, ago(31_000), ago(31_000));
  const letGo = await holdFolder(folder);
  expect(JSON.parse(await readFile(lock, 'utf8'))).toMatchObject({ pid: process.pid });
  await letGo();
  expect(await readdir(folder)).toEqual([]);
});

test('waiting for a sign can be broken off', async () => {
  await elsewhere({ host: 'other' });
  await expect(holdFolder(folder, { signal: AbortSignal.timeout(300) })).rejects.toThrow(/abort|timeout/i);
  expect(JSON.parse(await readFile(lock, 'utf8'))).toMatchObject({ pid: GONE });
});

test('held by a process of this machine that is gone, it is taken at once', async () => {
  await elsewhere({});
  const letGo = await holdFolder(folder);
  await expect(holdFolder(folder)).rejects.toThrow(`${folder} is in use by process ${process.pid}: one \`up\``);
  await letGo();
});

test('whoever holds it gives signs of life', async () => {
  const letGo = await holdFolder(folder);
  await utimes(lock, ago(60_000), ago(60_000));
  await expect.poll(async () => (await import('node:fs/promises')).stat(lock).then(({ mtimeMs }) => Date.now() - mtimeMs), { timeout: 10_000 }).toBeLessThan(5_000);
  await letGo();
});

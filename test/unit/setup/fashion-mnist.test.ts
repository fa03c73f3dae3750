// The search for Fashion-MNIST's files: what has their names and other contents is refused by name, and nothing is fetched instead.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect, it, onTestFinished } from 'vitest';
import { makeTempDir } from '../../support/temp.js';

it('refuses files that are others, by name', async () => {
  const folder = await makeTempDir('fashion');
  onTestFinished(folder.remove);
  for (const set of ['train', 't10k']) for (const kind of ['images-idx3', 'labels-idx1']) await writeFile(join(folder.path, `${set}-${kind}-ubyte.gz`), gzipSync('others'));
  const script = join(import.meta.dirname, '../../../infra/setup/fashion-mnist.mjs');
  const run = promisify(execFile)(process.execPath, [script], { env: { PATH: '', PAWL_DATA_ROOTS: `/nowhere:${folder.path}`, XDG_CACHE_HOME: folder.path } });
  await expect(run).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(`${join(folder.path, 'train-images-idx3-ubyte.gz')} is not Fashion-MNIST's.`) as string });
});

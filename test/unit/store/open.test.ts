// From URLs to drivers.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../../lib/store/open.js';
import { codeOf } from '../../integration/store/conformance.js';
import { compileFileStore } from '../../integration/store/compiled-store.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';

let folder: TempDir;
beforeEach(async () => {
  folder = await makeTempDir('open');
});
afterEach(() => folder.remove());

describe('openStore', () => {
  it('opens folders in both spellings', async () => {
    for (const url of [`file:${folder.path}/x`, `file://${folder.path}/x`]) {
      expect((await openStore(url)).description).toBe(`file:${join(folder.path, 'x')}`);
    }
  });

  it('opens buckets with and without a folder', async () => {
    const s3 = { endpoint: 'http://127.0.0.1:1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } };
    for (const [url, description] of [
      ['s3://bucket', 's3://bucket'],
      ['s3://bucket/', 's3://bucket'],
      ['s3://bucket/some/folder/', 's3://bucket/some/folder'],
    ] as const) {
      const store = await openStore(url, { s3 });
      expect(store.description).toBe(description);
      await store.close();
    }
  });

  it.each(['', 'bucket', 'http://x', 's3:', 's3://', 's3://user:secret@bucket', 's3://bucket/../x', 's3://bucket//x', 's3://bucket/a b', 'file:'])(
    'refuses %j without repeating it',
    async (url) => {
      const failure = openStore(url);
      expect(await codeOf(failure)).toBe('invalid_location');
      await expect(failure).rejects.not.toThrow('secret');
    },
  );

  it('refuses an endpoint with credentials in it', async () => {
    expect(await codeOf(openStore('s3://bucket', { s3: { endpoint: 'http://key:secret@127.0.0.1:1' } }))).toBe('invalid_location');
  });

  it('does not load the S3 SDK for a folder', async () => {
    // Compiled without the S3 driver, which needs packages: loading it could only fail.
    await compileFileStore(folder.path);
    const script = `const { openStore } = await import('./lib/store/open.js');
      console.log((await openStore('file:data')).description);
      await openStore('s3://bucket').catch((error) => console.log(error.code));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: folder.path });
    expect(stdout).toBe(`file:${join(folder.path, 'data')}\nERR_MODULE_NOT_FOUND\n`);
  });
});

import fs from 'node:fs';
import { readdir } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeUnpack } from '../../../lib/data/unpack.js';
import { openFilesOf } from '../../support/open-files.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';

let dir: TempDir;
beforeAll(async () => void (dir = await makeTempDir('unpack')));
afterAll(() => dir.remove());
const array = { name: 'images.gz', param: null };
const { writeSync } = fs;
function answerWritesWith(write: typeof fs.writeSync): void {
  fs.writeSync = write;
  syncBuiltinESMExports();
}
afterEach(() => answerWritesWith(writeSync));

describe('what is unpacked', () => {
  it('is a file without a name, with the bytes that it was given', async () => {
    const file = await makeUnpack(dir.path)(array, 5, async (take) => [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)].forEach(take));
    expect(await readdir(dir.path)).toEqual([]);
    const into = new Uint8Array(3);
    await file.read([{ positionBytes: 2, lengthBytes: 3, into, offsetBytes: 0 }]);
    expect([[...into], file.name, file.sizeBytes]).toEqual([[3, 4, 5], 'images.gz', 5]);
    file.assertUnchanged();
    await file.close();
  });

  it('leaves nothing where filling it fails', async () => {
    const none = await openFilesOf(dir.path);
    const meanwhile: unknown[] = [];
    const unpacking = makeUnpack(dir.path)(array, 5, async () => {
      meanwhile.push(await openFilesOf(dir.path));
      throw new Error('damaged');
    });
    await expect(unpacking).rejects.toThrow('damaged');
    expect([await readdir(dir.path), await openFilesOf(dir.path), meanwhile]).toEqual([[], none, [none && [...none, expect.stringContaining('.unpacked')]]]);
  });

  it('is refused where the disk has no room, before a byte is read', async () => {
    const failing = makeUnpack(dir.path)(array, 2 ** 50, () => Promise.reject(new Error('it was read')));
    await expect(failing).rejects.toMatchObject({ code: 'store_full', message: expect.stringMatching(/^unpacking images\.gz takes 1125899906842624 bytes, and data may take \d+ bytes more of this worker's disk \(PAWL_DATA_DIR\)$/) });
  });

  it.each([
    ['ENOSPC', { code: 'store_full', message: 'unpacking images.gz: ENOSPC' }],
    ['EIO', { code: 'EIO', message: 'EIO' }],
  ])('fails with what became of a write that ended with %s', async (code, expected) => {
    answerWritesWith(() => {
      throw Object.assign(new Error(code), { code });
    });
    await expect(makeUnpack(dir.path)(array, 5, async (take) => take(Uint8Array.of(1)))).rejects.toMatchObject(expected);
    expect(await readdir(dir.path)).toEqual([]);
  });
});

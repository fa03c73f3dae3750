import { open, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDataFile } from '../../../lib/data/data-file.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';

let dir: TempDir;
beforeAll(async () => {
  dir = await makeTempDir('data-file');
});
afterAll(() => dir.remove());

async function fileOf(name: string, bytes: Uint8Array) {
  const path = join(dir.path, name);
  await writeFile(path, bytes);
  const handle = await open(path);
  return { path, handle, file: makeDataFile(handle, name) };
}

describe('a data file', () => {
  it('reads many runs at once, each to its place, and counts the bytes', async () => {
    const { file } = await fileOf('runs', Uint8Array.from({ length: 100 }, (_, i) => i));
    const into = new Uint8Array(6).fill(255);
    await file.read([
      { positionBytes: 90, lengthBytes: 2, into, offsetBytes: 3 },
      { positionBytes: 7, lengthBytes: 3, into, offsetBytes: 0 },
    ]);
    await file.read([]);
    expect([[...into], file.readBytes]).toEqual([[7, 8, 9, 90, 91, 255], 5]);
    await file.close();
  });

  it('says data_changed where it ends too early, and only when no other read is under way', async () => {
    const { file } = await fileOf('short', new Uint8Array(1_000_000).fill(7));
    const into = new Uint8Array(1_000_200);
    const failing = file.read([
      { positionBytes: 999_950, lengthBytes: 100, into, offsetBytes: 1_000_000 }, // half of it is there
      { positionBytes: 0, lengthBytes: 1_000_000, into, offsetBytes: 0 },
    ]);
    await expect(failing).rejects.toMatchObject({ code: 'data_changed', message: 'short became shorter while it was read' });
    expect(into.subarray(0, 1_000_050).every((byte) => byte === 7)).toBe(true);
    await file.close();
  });

  it('says data_missing where the system cannot read it', async () => {
    const handle = await open(dir.path); // a folder opens, and cannot be read
    const file = makeDataFile(handle, 'folder');
    await expect(file.read([{ positionBytes: 0, lengthBytes: 1, into: new Uint8Array(1), offsetBytes: 0 }])).rejects.toMatchObject({ code: 'data_missing', message: 'folder: it cannot be read (EISDIR)' });
    await file.close();
  });

  it('knows whether it is as it was when it was opened', async () => {
    const { path, file } = await fileOf('version', new Uint8Array(100));
    file.assertUnchanged();
    await truncate(path, 100); // the size stays, the time does not
    await utimes(path, 5, 5);
    expect(() => file.assertUnchanged()).toThrow(expect.objectContaining({ code: 'data_changed' }) as Error);
    await file.close();
  });

  it('is closed when its reads have ended, once', async () => {
    const { handle, file } = await fileOf('closing', new Uint8Array(4_000_000).fill(3));
    const into = new Uint8Array(4_000_000);
    const reading = file.read([{ positionBytes: 0, lengthBytes: into.length, into, offsetBytes: 0 }]);
    await Promise.all([file.close(), file.close()]);
    expect([into.every((byte) => byte === 3), handle.fd]).toEqual([true, -1]);
    await reading;
    await expect(file.read([{ positionBytes: 0, lengthBytes: 1, into, offsetBytes: 0 }])).rejects.toThrow('closing is closed');
  });
});

// Compressed arrays that do not fit into memory, unpacked once into a file from which samples are read one by one. The file
// has no name from the moment it is open: whatever becomes of the process, its space is free afterwards.
import { writeSync } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isDiskFull, messageOf } from '../errors.js';
import { makeDataFile } from './data-file.js';
import { noRoom, roomFor } from './disk-room.js';
import type { Named } from './naming.js';
import type { DataFile } from './source.js';

/**
 * `fill` gives the file's bytes, in order, to the function that it is called with. Whoever unpacks closes the file.
 * AppError `store_full` if the disk has no room for it, and what `fill` rejects with.
 */
export type Unpack = (array: Named, sizeBytes: number, fill: (take: (bytes: Uint8Array) => void) => Promise<void>) => Promise<DataFile>;

/** @param folder an existing one, on a disk of the worker's own */
export function makeUnpack(folder: string): Unpack {
  let made = 0;
  return async ({ name, param }, sizeBytes, fill) => {
    const room = await roomFor(folder);
    if (sizeBytes > room) throw noRoom(`unpacking ${name}`, sizeBytes, room);
    const path = join(folder, `${++made}.unpacked`);
    const handle = await open(path, 'wx+', 0o600);
    try {
      await unlink(path);
      // blocks, as inflating does: it happens before the first micro-batch, and holds no more than a piece
      await fill((bytes) => {
        for (let done = 0; done < bytes.length; ) done += written(name, () => writeSync(handle.fd, bytes, done));
      });
      return makeDataFile(handle, name, param);
    } catch (error) {
      await handle.close();
      throw error;
    }
  };
}

function written(name: string, write: () => number): number {
  try {
    return write();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new AppError('store_full', `unpacking ${name}: ${messageOf(error)}`, { cause: error });
  }
}

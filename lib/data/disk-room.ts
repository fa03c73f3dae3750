// Whether a disk has room for a file before it is written: a full disk would fail checkpoints too.
import { statfs } from 'node:fs/promises';
import { AppError } from '../errors.js';

/** What data leaves of a disk to checkpoints and others: a twentieth of it, at most this. */
const MAX_RESERVE_BYTES = 256 * 1024 ** 2;

/** Bytes that data may still take of the disk on which a folder lies; may be negative. */
export async function roomFor(folder: string): Promise<number> {
  const { bsize, bavail, blocks } = await statfs(folder);
  return bavail * bsize - Math.min(MAX_RESERVE_BYTES, Math.floor((blocks * bsize) / 20));
}

/** Bytes that a checkpoint may still take of it: the reserve is for this. */
export async function roomForState(folder: string): Promise<number> {
  const { bsize, bavail } = await statfs(folder);
  return bavail * bsize;
}

/** `what`: the file and what is done with it. AppError `store_full`, with the numbers. */
export function noRoom(what: string, sizeBytes: number, roomBytes: number): AppError {
  return new AppError('store_full', `${what} takes ${sizeBytes} bytes, and data may take ${Math.max(0, Math.floor(roomBytes))} bytes more of this worker's disk (PAWL_DATA_DIR)`);
}

// Room on this worker's disk for what an attempt writes there itself: the state that it goes on from, its data where that has to be
// unpacked, snapshots, and what a store on the same disk keeps of them. Copies of objects that nobody holds make way for it.
import { isDiskFull } from '../../lib/errors.js';
import type { ObjectCache } from './object-cache.js';

/** Of a commit, beside its tensors: headers, manifest, rows. */
const SMALL_BYTES = 256 * 1024;

export interface DiskNeed {
  /** Of the state that is gone on from. */
  resumedBytes: number;
  unpackedBytes: number;
  snapshotBytes: number;
}

/** Says whether any copy went for it. Null: there are none. */
export async function makeRoomToBegin(copies: ObjectCache | null, { resumedBytes, unpackedBytes, snapshotBytes }: DiskNeed): Promise<boolean> {
  if (copies === null) return false;
  // what is unpacked counts as data, to which the reserve is closed
  const forData = unpackedBytes > 0 && (await copies.makeRoom(resumedBytes + unpackedBytes, 'data'));
  const forState = await copies.makeRoom(resumedBytes + unpackedBytes + snapshotBytes + SMALL_BYTES, 'state');
  return forData || forState;
}

/** The same for a snapshot, or a commit of it. */
export const makeRoomForSnapshot = async (copies: ObjectCache | null, bytes: number): Promise<boolean> => (await copies?.makeRoom(bytes + SMALL_BYTES, 'state')) ?? false;

/** What finds the disk full is tried once more if there was room to make. */
export async function withRoom<T>(makeRoom: () => Promise<boolean>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isDiskFull(error) || !(await makeRoom())) throw error;
    return work();
  }
}

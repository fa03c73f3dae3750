// Writes one snapshot to the spool folder, one safetensors file a role. Micro-batches run synchronously, so what is read
// here is read between them; a part is written by the file system's threads before the next is read, so that neither
// memory nor the break between two micro-batches grows with the model.
import { join } from 'node:path';
import { makeSafetensorsWriter, type SafetensorsWriter } from '../../lib/checkpoints/safetensors-writer.js';
import type { ExpectedTensor } from '../../lib/model/slots.js';
import { stateFiles } from '../../lib/model/state-files.js';
import type { StateRole } from '../../lib/training/state.js';
import type { SnapshotFile } from '../protocol.js';
import type { StateSnapshot } from './engines/index.js';

/** A part is at least this large, so that a small model is read out in one break … */
const PART_BYTES = 4 * 1024 * 1024;
/** … and a large one stalls no micro-batch for longer than this, and one tensor. */
const PART_MS = 5;

export type SnapshotFiles = Partial<Record<StateRole, SnapshotFile>>;

export interface SpoolOptions {
  view: StateSnapshot;
  /** The view's tensors with their roles. */
  tensors: ReadonlyMap<string, ExpectedTensor>;
  /** Files are `<dir>/<number>.<role>.safetensors`. */
  dir: string;
  number: number;
  /** Roles that need no file. */
  without: readonly StateRole[];
  /** Gives the snapshot up: rejects, and leaves no file. */
  signal: AbortSignal;
}

/** The files, complete. Rejects with what the file system said, without a file left. Frees the view in any case. */
export async function spoolSnapshot({ view, tensors, dir, number, without, signal }: SpoolOptions): Promise<SnapshotFiles> {
  const files: SnapshotFiles = {};
  const writers = new Map<StateRole, SafetensorsWriter>();
  try {
    const contents = new Map([...stateFiles(tensors)].filter(([role]) => !without.includes(role)));
    for (const [role, entries] of contents) {
      const path = join(dir, `${number}.${role}.safetensors`);
      const writer = await makeSafetensorsWriter(path, entries);
      writers.set(role, writer);
      files[role] = { path, sizeBytes: writer.sizeBytes };
    }
    const unread = [...contents].flatMap(([role, entries]) => entries.map((entry) => ({ role, ...entry })));
    while (unread.length > 0) {
      signal.throwIfAborted();
      const startMs = performance.now();
      const writes: Promise<void>[] = [];
      for (let bytes = 0; unread.length > 0 && (bytes < PART_BYTES || performance.now() - startMs < PART_MS); ) {
        const { role, name, tensor } = unread.shift()!;
        const read = view.read(tensor);
        bytes += read.data.byteLength;
        writes.push(writers.get(role)!.write(name, read));
      }
      // all of them: a write that still runs would outlive its file
      const failed = (await Promise.allSettled(writes)).find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    }
    for (const writer of writers.values()) await writer.finish();
    return files;
  } catch (error) {
    for (const writer of writers.values()) await writer.close();
    throw error;
  } finally {
    view.dispose();
  }
}

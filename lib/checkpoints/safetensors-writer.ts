// Writes a safetensors file one tensor at a time, in any order, each at its place in the canonical layout: a trainer
// reads one tensor out between two micro-batches, and the file's bytes are those of encodeSafetensors all the same.
import { open, unlink, type FileHandle } from 'node:fs/promises';
import type { HostTensor } from '../training/state.js';
import { layoutSafetensors, quoted, type SafetensorsMetadata, type TensorDeclaration } from './safetensors-format.js';
import { bytesOf } from './safetensors.js';

export interface SafetensorsWriter {
  /** Of the finished file. */
  readonly sizeBytes: number;
  /** Writes one declared tensor, once. Its data must not change until the promise settles. Calls may overlap. */
  write(name: string, tensor: HostTensor): Promise<void>;
  /** Ends the file; an Error naming a declared tensor that was not written. */
  finish(): Promise<void>;
  /** Removes the file unless it was finished. Harmless twice. */
  close(): Promise<void>;
}
export interface SafetensorsWriterOptions {
  metadata?: SafetensorsMetadata;
  /** Flush to the disk before `finish` resolves. Default false. */
  fsync?: boolean;
}

/** Creates `path` (EEXIST if it is there) and writes its header. */
export async function makeSafetensorsWriter(path: string, declarations: readonly TensorDeclaration[], options: SafetensorsWriterOptions = {}): Promise<SafetensorsWriter> {
  const layout = layoutSafetensors(declarations, options.metadata);
  const entries = new Map(layout.entries.map((entry) => [entry.name, entry]));
  const begun = new Set<string>();
  const written = new Set<string>();
  const file = await open(path, 'wx');
  let state: 'open' | 'finished' | 'closed' = 'open';

  async function close(): Promise<void> {
    if (state !== 'open') return;
    state = 'closed';
    await file.close(); // waits for writes under way
    await unlink(path);
  }
  try {
    await writeFully(file, layout.header, 0);
  } catch (error) {
    await close();
    throw error;
  }

  return {
    sizeBytes: layout.sizeBytes,
    close,
    async write(name, tensor) {
      const entry = entries.get(name);
      if (state !== 'open') throw new Error(`${path} is ${state}: tensor ${quoted(name)} cannot be written`);
      if (entry === undefined) throw new Error(`tensor ${quoted(name)} was not declared`);
      if (begun.has(name)) throw new Error(`tensor ${quoted(name)} was written before`);
      const bytes = bytesOf(entry, tensor);
      begun.add(name);
      await writeFully(file, bytes, layout.dataStart + entry.begin);
      written.add(name);
    },
    async finish() {
      if (state !== 'open') throw new Error(`${path} is ${state}`);
      const missing = layout.entries.filter(({ name }) => !written.has(name));
      if (missing[0] !== undefined) throw new Error(`${missing.length} of ${layout.entries.length} tensors were not written; the first is ${quoted(missing[0].name)}`);
      if (options.fsync === true) await file.sync();
      state = 'finished';
      await file.close();
    },
  };
}

/** One write call is bounded by 2³¹ − 1 bytes; less keeps other writes from waiting long. */
const WRITE_BYTES = 64 * 1024 * 1024;

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(WRITE_BYTES, bytes.byteLength - done), position + done);
    done += bytesWritten;
  }
}

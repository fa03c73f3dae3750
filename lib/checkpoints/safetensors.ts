// Whole sets of tensors to and from safetensors: in memory and from a file. Tensors keep their bytes (a NaN its payload):
// no value is ever converted.
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { MAX_ARRAY_BYTES } from '../process-memory.js';
import type { HostTensor, TensorMap } from '../training/state.js';
import { declarationsOf, layoutSafetensors, LENGTH_BYTES, quoted, type SafetensorsHeader, type SafetensorsMetadata, type TensorEntry } from './safetensors-format.js';
import { headerLength, parseSafetensorsHeader, safetensorsError, type SafetensorsReadOptions } from './safetensors-header.js';

/** The canonical file of these tensors (see layoutSafetensors): equal states are equal bytes. An Error naming the tensor whose data does not have its shape's size. */
export function encodeSafetensors(tensors: TensorMap, metadata: SafetensorsMetadata = {}): Buffer {
  const layout = layoutSafetensors(declarationsOf(tensors), metadata);
  const file = Buffer.allocUnsafeSlow(layout.sizeBytes);
  layout.header.copy(file);
  for (const entry of layout.entries) file.set(bytesOf(entry, tensors.get(entry.name)!), layout.dataStart + entry.begin);
  return file;
}

/** A tensor's bytes, as a view of its data. An Error naming it if it is not what the entry declares. */
export function bytesOf(entry: TensorEntry, tensor: HostTensor): Uint8Array {
  const { dtype, shape, data } = tensor;
  const isKind = dtype === 'F32' ? data instanceof Float32Array : data instanceof Int32Array;
  if (dtype !== entry.dtype || !isKind) throw new Error(`tensor ${quoted(entry.name)} is ${data.constructor.name} as ${dtype} where ${entry.dtype} was declared`);
  const isShape = shape.length === entry.shape.length && shape.every((size, i) => size === entry.shape[i]);
  if (!isShape) throw new Error(`tensor ${quoted(entry.name)} has shape [${shape.join(', ')}] where [${entry.shape.join(', ')}] was declared`);
  if (data.byteLength !== entry.end - entry.begin) throw new Error(`tensor ${quoted(entry.name)} has ${data.length} values, and its shape [${shape.join(', ')}] needs another number`);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The tensors of a whole file in memory, as copies, in the file's order. AppError (see SafetensorsReadOptions) for anything wrong, naming the tensor. */
export function decodeSafetensors(bytes: Uint8Array, options: SafetensorsReadOptions = {}): TensorMap {
  const { entries, dataStart } = parseSafetensorsHeader(bytes, bytes.byteLength, options);
  assertDecodable(entries, options);
  return new Map(
    entries.map((entry) => {
      const { tensor, view } = emptyTensor(entry);
      view.set(bytes.subarray(dataStart + entry.begin, dataStart + entry.end));
      return [entry.name, tensor];
    }),
  );
}

/** The tensors of a file, each read straight into its own array. Errors as decodeSafetensors; what the file system says (ENOENT, EIO) is passed on. */
export const readSafetensorsFile = (path: string, options: SafetensorsReadOptions = {}): Promise<TensorMap> => withFile(path, (source) => readSafetensorsOf(source, options));

/** Names, types, shapes and places of a file's tensors, without their data: its structure is checked in full. Errors as readSafetensorsFile. */
export const readSafetensorsHeader = (path: string, options: SafetensorsReadOptions = {}): Promise<SafetensorsHeader> => withFile(path, (source) => readSafetensorsHeaderOf(source, options));

/** Something that a safetensors file can be read of. */
export interface SafetensorsSource {
  readonly name: string;
  readonly sizeBytes: number;
  /** Fills `into` from a position on, and says how many bytes: fewer only where they end. */
  readAt(into: Uint8Array, positionBytes: number): Promise<number>;
}

/** As readSafetensorsHeader, of something that is open. */
export async function readSafetensorsHeaderOf(source: SafetensorsSource, options: SafetensorsReadOptions = {}): Promise<SafetensorsHeader> {
  const { sizeBytes } = source;
  const named = { label: source.name, ...options };
  const start = new Uint8Array(Math.min(sizeBytes, LENGTH_BYTES));
  if ((await source.readAt(start, 0)) < start.length) throw becameShorter(named);
  const head = new Uint8Array(LENGTH_BYTES + headerLength(start, sizeBytes, named));
  if ((await source.readAt(head, 0)) < head.length) throw becameShorter(named);
  return parseSafetensorsHeader(head, sizeBytes, named);
}

/** As readSafetensorsFile, of something that is open: every byte once, in their order. */
export async function readSafetensorsOf(source: SafetensorsSource, options: SafetensorsReadOptions = {}): Promise<TensorMap> {
  const named = { label: source.name, ...options };
  const { entries, dataStart } = await readSafetensorsHeaderOf(source, named);
  assertDecodable(entries, named);
  const tensors = new Map<string, HostTensor>();
  for (const entry of entries) {
    const { tensor, view } = emptyTensor(entry);
    for (let done = 0; done < view.length; done += READ_BYTES) {
      const piece = view.subarray(done, done + READ_BYTES);
      if ((await source.readAt(piece, dataStart + entry.begin + done)) < piece.length) throw becameShorter(named);
    }
    tensors.set(entry.name, tensor);
  }
  return tensors;
}

const becameShorter = (options: SafetensorsReadOptions): Error => safetensorsError(options, 'the file became shorter while it was read');

function assertDecodable(entries: readonly TensorEntry[], options: SafetensorsReadOptions): void {
  const { maxTensorBytes = MAX_ARRAY_BYTES } = options;
  for (const { name, dtype, begin, end } of entries) {
    if (end - begin > maxTensorBytes) throw safetensorsError(options, `tensor ${quoted(name)} has ${end - begin} bytes, and this Node.js holds at most ${maxTensorBytes} in one`);
    if (dtype !== 'F32' && dtype !== 'I32') throw safetensorsError(options, `tensor ${quoted(name)} is ${dtype}; only F32 and I32 can be read`);
  }
}

function emptyTensor({ dtype, shape, begin, end }: TensorEntry): { tensor: HostTensor; view: Uint8Array } {
  const buffer = new ArrayBuffer(end - begin);
  const tensor: HostTensor = dtype === 'F32' ? { dtype, shape, data: new Float32Array(buffer) } : { dtype: 'I32', shape, data: new Int32Array(buffer) };
  return { tensor, view: new Uint8Array(buffer) };
}

/** One read call is bounded by 2³¹ − 1 bytes; less keeps other reads from waiting long. */
const READ_BYTES = 64 * 1024 * 1024;

async function withFile<T>(path: string, use: (source: SafetensorsSource) => Promise<T>): Promise<T> {
  const file = await open(path, 'r');
  try {
    return await use({ name: basename(path), sizeBytes: (await file.stat()).size, readAt: (into, positionBytes) => readAt(file, into, positionBytes) });
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, into: Uint8Array, positionBytes: number): Promise<number> {
  for (let filled = 0; ; ) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, positionBytes + filled);
    filled += bytesRead;
    if (bytesRead === 0 || filled === into.length) return filled;
  }
}

// The safetensors format's own facts: types, widths, limits, and the one canonical layout of a set of tensors.
// https://github.com/huggingface/safetensors#format. Reading is in safetensors.ts and safetensors-header.ts, writing in
// safetensors-writer.ts.
import { endianness } from 'node:os';
import type { TensorMap } from '../training/state.js';

// Tensors keep the bytes they have in memory, and the format is little-endian.
if (endianness() !== 'LE') throw new Error('Pawl needs a little-endian machine: its tensors are stored as they lie in memory');

/** Every type whose structure is checked, with its bytes a value. Only F32 and I32 are decoded. */
export const SAFETENSORS_WIDTHS = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const satisfies Record<string, number>;
export type SafetensorsDtype = keyof typeof SAFETENSORS_WIDTHS;

/** The reference reader refuses a longer header, so none is written. */
export const MAX_HEADER_BYTES = 100_000_000;
/** The header's length, as a little-endian uint64, comes before it. */
export const LENGTH_BYTES = 8;
/** The header's one key that is not a tensor. */
export const METADATA_KEY = '__metadata__';

/** A tensor by name, before it has a place in a file. */
export interface TensorDeclaration {
  name: string;
  dtype: SafetensorsDtype;
  shape: readonly number[];
}
/** A tensor's place: bytes [begin, end) of the data that follows the header. */
export interface TensorEntry extends TensorDeclaration {
  begin: number;
  end: number;
}
export interface SafetensorsHeader {
  /** In the order of their data. */
  entries: readonly TensorEntry[];
  metadata: ReadonlyMap<string, string>;
  /** Where the data begins in the file. */
  dataStart: number;
  /** The whole file. */
  sizeBytes: number;
}
export interface SafetensorsLayout {
  /** Length, JSON and padding: the file's bytes before `dataStart`. */
  header: Buffer;
  /** In the order of their data. */
  entries: readonly TensorEntry[];
  dataStart: number;
  sizeBytes: number;
}
export type SafetensorsMetadata = Readonly<Record<string, string>>;

/**
 * The one layout of these tensors: widest type first, then names in byte order, without holes, behind a compact header
 * padded with spaces to 8 bytes. Equal declarations give equal bytes, whatever their order.
 * Throws an Error naming the tensor for duplicate or unusable names and shapes.
 */
export function layoutSafetensors(declarations: readonly TensorDeclaration[], metadata: SafetensorsMetadata = {}): SafetensorsLayout {
  const sorted = declarations
    .map((tensor) => ({ tensor, key: Buffer.from(tensor.name) }))
    .sort((a, b) => SAFETENSORS_WIDTHS[b.tensor.dtype] - SAFETENSORS_WIDTHS[a.tensor.dtype] || Buffer.compare(a.key, b.key));
  const seen = new Set<string>();
  const entries: TensorEntry[] = [];
  const parts: string[] = [];
  const metadataText = metadataJson(metadata);
  if (metadataText !== null) parts.push(`${JSON.stringify(METADATA_KEY)}:${metadataText}`);
  let end = 0;
  for (const { tensor } of sorted) {
    const { name, dtype, shape } = tensor;
    if (name === METADATA_KEY || !isWellFormed(name)) throw new Error(`a tensor cannot be named ${quoted(name)}`);
    if (seen.has(name)) throw new Error(`two tensors are named ${quoted(name)}`);
    seen.add(name);
    const bytes = byteLengthOf(dtype, shape);
    const begin = end;
    end += bytes ?? Infinity;
    if (!Number.isSafeInteger(end)) throw new Error(`tensor ${quoted(name)} has the impossible shape [${shape.join(', ')}]`);
    entries.push({ name, dtype, shape: [...shape], begin, end });
    parts.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${begin},${end}]}`);
  }
  const header = withLengthAndPadding(Buffer.from(`{${parts.join(',')}}`));
  return { header, entries, dataStart: header.length, sizeBytes: header.length + end };
}

/** Bytes of a tensor, or null where the shape is not one: not whole numbers from 0, or more than a number counts exactly. */
export function byteLengthOf(dtype: SafetensorsDtype, shape: readonly number[]): number | null {
  let bytes: number = SAFETENSORS_WIDTHS[dtype];
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) return null;
    bytes *= size;
    if (!Number.isSafeInteger(bytes)) return null;
  }
  return bytes;
}

export function declarationsOf(tensors: TensorMap): TensorDeclaration[] {
  return [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
}

/** Whether a string has a UTF-8 form: no lone surrogate. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** A name for a message: quoted, and cut where it is absurdly long. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
}

function metadataJson(metadata: SafetensorsMetadata): string | null {
  const keys = Object.keys(metadata);
  if (keys.length === 0) return null;
  const sorted = keys.map((key) => ({ key, bytes: Buffer.from(key) })).sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  const members = sorted.map(({ key }) => {
    const value = metadata[key];
    if (typeof value !== 'string' || !isWellFormed(key) || !isWellFormed(value)) throw new Error(`metadata ${quoted(key)} is not a well-formed string`);
    return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  });
  return `{${members.join(',')}}`;
}

function withLengthAndPadding(json: Buffer): Buffer {
  // LENGTH_BYTES is 8 itself, so padding the JSON to 8 aligns the data: 8-byte values can be viewed in place.
  const padded = Math.ceil(json.length / 8) * 8;
  if (padded > MAX_HEADER_BYTES) throw new Error(`a header of ${padded} bytes is over the format's limit of ${MAX_HEADER_BYTES}`);
  const header = Buffer.alloc(LENGTH_BYTES + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded), 0);
  json.copy(header, LENGTH_BYTES);
  return header;
}

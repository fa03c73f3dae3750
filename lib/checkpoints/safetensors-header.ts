// Reads a safetensors header as hostile input: nothing is allocated, indexed or believed before it was checked. The JSON is
// scanned here rather than by JSON.parse, which keeps the last of two equal keys in silence and rounds large numbers.
import { AppError } from '../errors.js';
import {
  byteLengthOf,
  isWellFormed,
  LENGTH_BYTES,
  MAX_HEADER_BYTES,
  METADATA_KEY,
  quoted,
  SAFETENSORS_WIDTHS,
  type SafetensorsDtype,
  type SafetensorsHeader,
  type TensorEntry,
} from './safetensors-format.js';

export interface SafetensorsReadOptions {
  /** The AppError's code: a checkpoint of ours (the default), or weights that a user brought. */
  code?: 'checkpoint_corrupt' | 'invalid_data';
  /** What messages call the file. Default "safetensors", or the file's base name. */
  label?: string;
  /** A longer header is refused unread. Default: what the format allows. */
  maxHeaderBytes?: number;
  /** A file with a larger tensor is refused before anything is read of it. Default: what an array can hold. */
  maxTensorBytes?: number;
}

export function safetensorsError(options: SafetensorsReadOptions, message: string): AppError {
  return new AppError(options.code ?? 'checkpoint_corrupt', `${options.label ?? 'safetensors'}: ${message}`);
}

/** Bytes of the header's JSON, from the file's first bytes (at least 8 where the file has them); safe to allocate. */
export function headerLength(head: Uint8Array, sizeBytes: number, options: SafetensorsReadOptions): number {
  if (sizeBytes < LENGTH_BYTES || head.byteLength < LENGTH_BYTES) throw safetensorsError(options, `the file ends after ${Math.min(sizeBytes, head.byteLength)} bytes, before its header's length`);
  const length = new DataView(head.buffer, head.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  const { maxHeaderBytes = MAX_HEADER_BYTES } = options;
  if (length > BigInt(MAX_HEADER_BYTES)) throw safetensorsError(options, `the header claims ${length} bytes, more than the ${MAX_HEADER_BYTES} that the format allows`);
  if (length > BigInt(sizeBytes - LENGTH_BYTES)) throw safetensorsError(options, `the header claims ${length} bytes, but the file has ${sizeBytes}`);
  if (length > BigInt(maxHeaderBytes)) throw safetensorsError(options, `the header has ${length} bytes, more than the ${maxHeaderBytes} that are read`);
  return Number(length);
}

/**
 * The header of a file: `head` is its beginning (at least length and JSON; more does not matter), `sizeBytes` its whole size.
 * AppError for every way in which the structure can be wrong: bounds, types, shapes, names, duplicates, overlaps, holes, truncation.
 */
export function parseSafetensorsHeader(head: Uint8Array, sizeBytes: number = head.byteLength, options: SafetensorsReadOptions = {}): SafetensorsHeader {
  const fail = (message: string): never => {
    throw safetensorsError(options, message);
  };
  const dataStart = LENGTH_BYTES + headerLength(head, sizeBytes, options);
  if (head.byteLength < dataStart) fail(`the header needs ${dataStart} bytes, and only ${head.byteLength} could be read`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(head.subarray(LENGTH_BYTES, dataStart));
  } catch {
    return fail('the header is not UTF-8');
  }
  const { entries, metadata } = scanHeader(text, fail);
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(entries, sizeBytes - dataStart, fail);
  return { entries, metadata, dataStart, sizeBytes };
}

/** Every byte of the data belongs to exactly one tensor, and every tensor has the bytes that its shape needs. */
function checkCoverage(entries: readonly TensorEntry[], dataBytes: number, fail: (message: string) => never): void {
  let covered = 0;
  for (const { name, dtype, shape, begin, end } of entries) {
    const bytes = byteLengthOf(dtype, shape);
    if (bytes === null) fail(`tensor ${quoted(name)} has more values than can be counted: its shape begins [${shape.slice(0, 8).join(', ')}`);
    if (end - begin !== bytes) fail(`tensor ${quoted(name)} has ${end - begin} bytes where its type and shape need ${bytes}`);
    if (begin < covered) fail(`tensor ${quoted(name)} overlaps another one`);
    if (begin > covered) fail(`there is a hole of ${begin - covered} bytes before tensor ${quoted(name)}`);
    if (end > dataBytes) fail(`tensor ${quoted(name)} ends at byte ${end} of the data, which has ${dataBytes}`);
    covered = end;
  }
  if (covered !== dataBytes) fail(`${dataBytes - covered} bytes after the last tensor belong to none`);
}

/** The header's JSON: `{"__metadata__"?: {string: string}, <name>: {dtype, shape, data_offsets}}`, nothing else, no key twice. */
function scanHeader(text: string, fail: (message: string) => never): { entries: TensorEntry[]; metadata: Map<string, string> } {
  let at = 0;
  const metadata = new Map<string, string>();
  const entries = new Map<string, TensorEntry>();
  let hasMetadata = false;

  function skipSpace(): void {
    while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  }
  function take(symbol: string): boolean {
    skipSpace();
    if (text[at] !== symbol) return false;
    at++;
    return true;
  }
  function expect(symbol: string): void {
    if (!take(symbol)) fail(`the header is not the JSON that the format asks for: no ${JSON.stringify(symbol)} at character ${at}`);
  }
  function string(): string {
    expect('"');
    const start = at - 1;
    for (;;) {
      const quote = text.indexOf('"', at);
      if (quote < 0) fail(`the header is not JSON: the string at character ${start} has no end`);
      let first = quote;
      while (first > start + 1 && text[first - 1] === '\\') first--;
      at = quote + 1;
      if ((quote - first) % 2 === 0) break;
    }
    let value: string;
    try {
      value = JSON.parse(text.slice(start, at)) as string;
    } catch {
      return fail(`the header is not JSON: no string at character ${start}`);
    }
    if (!isWellFormed(value)) fail(`the string at character ${start} of the header is not well-formed Unicode`);
    return value;
  }
  /** Calls `member` at each value of an object. */
  function object(member: (key: string) => void): void {
    expect('{');
    if (take('}')) return;
    do {
      const key = string();
      expect(':');
      member(key);
    } while (take(','));
    expect('}');
  }
  function integers(of: string): number[] {
    const values: number[] = [];
    expect('[');
    if (take(']')) return values;
    do {
      skipSpace();
      INTEGER.lastIndex = at;
      const digits = INTEGER.exec(text)?.[0];
      const value = Number(digits);
      if (digits === undefined || !Number.isSafeInteger(value)) fail(`${of} holds something else than whole numbers from 0`);
      at += digits.length;
      values.push(value);
    } while (take(','));
    if (!take(']')) fail(`${of} holds something else than whole numbers from 0`);
    return values;
  }
  function tensor(name: string): TensorEntry {
    let dtype: SafetensorsDtype | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    object((key) => {
      if (key === 'dtype' && dtype === undefined) {
        const given = string();
        if (!Object.hasOwn(SAFETENSORS_WIDTHS, given)) fail(`tensor ${quoted(name)} has the unknown type ${quoted(given)}`);
        dtype = given as SafetensorsDtype;
      } else if (key === 'shape' && shape === undefined) shape = integers(`the shape of tensor ${quoted(name)}`);
      else if (key === 'data_offsets' && offsets === undefined) offsets = integers(`data_offsets of tensor ${quoted(name)}`);
      else fail(`tensor ${quoted(name)} has the key ${quoted(key)}, which is unknown or there twice`);
    });
    const [begin, end, ...more] = offsets ?? [];
    if (dtype === undefined || shape === undefined || begin === undefined || end === undefined || more.length > 0) return fail(`tensor ${quoted(name)} lacks dtype, shape or two data_offsets`);
    if (end < begin) fail(`tensor ${quoted(name)} ends before it begins`);
    return { name, dtype, shape, begin, end };
  }

  if (text[0] !== '{') fail('the header does not begin with {');
  object((key) => {
    if (key === METADATA_KEY) {
      if (hasMetadata) fail(`${METADATA_KEY} is there twice`);
      hasMetadata = true;
      object((name) => {
        if (metadata.has(name)) fail(`metadata ${quoted(name)} is there twice`);
        metadata.set(name, string());
      });
    } else if (entries.has(key)) fail(`tensor ${quoted(key)} is there twice`);
    else entries.set(key, tensor(key));
  });
  skipSpace();
  if (at !== text.length) fail(`the header goes on after its end, at character ${at}`);
  return { entries: [...entries.values()], metadata };
}

const INTEGER = /0|[1-9][0-9]*/y;

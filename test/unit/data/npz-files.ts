// Test-only: .npy arrays and zip files put together by hand, right or wrong in any chosen place.
import { tmpdir } from 'node:os';
import { crc32, deflateRawSync } from 'node:zlib';
import { describeSource } from '../../../lib/data/describe.js';
import { isInMemory, loadSources, type LoadOptions } from '../../../lib/data/load.js';
import { openDataFile } from '../../../lib/data/locations.js';
import type { NpzArrays } from '../../../lib/data/npz.js';
import type { DataDescription, Dataset, ResolvedSource } from '../../../lib/data/source.js';

/** A whole set in memory; an Error if it does not fit there. */
export async function loadSource(source: ResolvedSource, options: Partial<LoadOptions> = {}): Promise<Dataset> {
  const { sets, close } = await loadSources([source], { unpackDir: tmpdir(), ...options });
  await close();
  const [set] = sets;
  if (!isInMemory(set!)) throw new Error('it stayed in its file');
  return set;
}

export const loadNpz = (path: string, arrays: NpzArrays, options: Partial<LoadOptions> = {}): Promise<Dataset> => loadSource({ type: 'npz', path, ...arrays }, options);
export const describeNpz = (path: string, arrays: NpzArrays): Promise<DataDescription> => describeSource({ type: 'npz', path, ...arrays, normalize: 'none' }, openDataFile);

export interface NpyParts {
  descr?: string;
  shape?: readonly number[];
  fortran?: boolean;
  version?: 1 | 2 | 3;
  /** Replaces the whole dict. */
  dict?: string;
  data: Uint8Array;
}

export function npyOf({ descr = '<f4', shape = [], fortran = false, version = 1, dict, data }: NpyParts): Buffer {
  const tuple = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
  const text = dict ?? `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': ${tuple}, }`;
  const start = version === 1 ? 10 : 12;
  const padded = text.padEnd(Math.ceil((start + text.length + 1) / 64) * 64 - start - 1) + '\n';
  const head = Buffer.alloc(start);
  head.write('\x93NUMPY', 'latin1');
  head[6] = version;
  if (version === 1) head.writeUInt16LE(padded.length, 8);
  else head.writeUInt32LE(padded.length, 8);
  return Buffer.concat([head, Buffer.from(padded), data]);
}

/** The bytes of an array's values. */
export function bytesOf(values: NodeJS.TypedArray): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

export interface MemberParts {
  name: string;
  data: Uint8Array;
  deflate?: boolean;
  /** Lies: what the directory says. */
  size?: number;
  crc?: number;
  method?: number;
  flags?: number;
  offset?: number;
  /** Replaces the compressed bytes. */
  packed?: Uint8Array;
  zip64?: boolean;
}

export function zipOf(members: readonly MemberParts[], end: { count?: number; comment?: Uint8Array; directoryOffset?: number } = {}): Buffer {
  const locals: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, data, deflate = false, ...lies } of members) {
    const packed = lies.packed ?? (deflate ? deflateRawSync(data) : data);
    const size = lies.size ?? data.length;
    const nameBytes = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(lies.zip64 ? 45 : 20, 0);
    common.writeUInt16LE(lies.flags ?? 0, 2);
    common.writeUInt16LE(lies.method ?? (deflate ? 8 : 0), 4);
    common.writeUInt32LE(lies.crc ?? crc32(data), 10);
    common.writeUInt32LE(lies.zip64 ? 0xffffffff : packed.length, 14);
    common.writeUInt32LE(lies.zip64 ? 0xffffffff : size, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    const extra = Buffer.alloc(lies.zip64 ? 20 : 0);
    if (lies.zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(16, 2);
      extra.writeBigUInt64LE(BigInt(size), 4);
      extra.writeBigUInt64LE(BigInt(packed.length), 12);
    }
    common.writeUInt16LE(extra.length, 24);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, nameBytes, extra, packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(lies.offset ?? offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, rest, nameBytes, extra]));
    locals.push(local);
    offset += local.length;
  }
  const directoryBytes = Buffer.concat(directory);
  const tail = Buffer.alloc(22);
  tail.write('PK\x05\x06', 'latin1');
  tail.writeUInt16LE(end.count ?? members.length, 8);
  tail.writeUInt16LE(end.count ?? members.length, 10);
  tail.writeUInt32LE(directoryBytes.length, 12);
  tail.writeUInt32LE(end.directoryOffset ?? offset, 16);
  tail.writeUInt16LE(end.comment?.length ?? 0, 20);
  return Buffer.concat([...locals, directoryBytes, tail, end.comment ?? Buffer.alloc(0)]);
}

/** The locator and record that make any zip claim a zip64 directory at `directoryOffset`. */
export function withZip64End(zip: Buffer, { count, directoryOffset, recordOffset }: { count: bigint; directoryOffset: bigint; recordOffset?: bigint }): Buffer {
  const at = zip.length - 22;
  const record = Buffer.alloc(56);
  record.write('PK\x06\x06', 'latin1');
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(count, 24);
  record.writeBigUInt64LE(count, 32);
  record.writeBigUInt64LE(directoryOffset, 48);
  const locator = Buffer.alloc(20);
  locator.write('PK\x06\x07', 'latin1');
  locator.writeBigUInt64LE(recordOffset ?? BigInt(at), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([zip.subarray(0, at), record, locator, zip.subarray(at)]);
}

/** A small right set: x [4, 2, 2, 1] uint8, y [4] int64. */
export function smallNpz(changes: { x?: Partial<NpyParts>; y?: Partial<NpyParts>; xMember?: Partial<MemberParts>; yMember?: Partial<MemberParts> } = {}): Buffer {
  const x = npyOf({ descr: '|u1', shape: [4, 2, 2, 1], data: Uint8Array.from({ length: 16 }, (_, i) => i * 17), ...changes.x });
  const y = npyOf({ descr: '<i8', shape: [4], data: bytesOf(BigInt64Array.of(0n, 2n, 1n, 2n)), ...changes.y });
  return zipOf([
    { name: 'x.npy', data: x, ...changes.xMember },
    { name: 'y.npy', data: y, ...changes.yMember },
  ]);
}

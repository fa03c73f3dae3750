// Data sets as numpy's .npz: a zip of .npy arrays, by their names.
import { AppError } from '../errors.js';
import type { FileArray } from './file-array.js';
import { makeFileSet, type FileSet } from './file-set.js';
import { naming } from './naming.js';
import { NPY_HEADER_BOUND, NPY_WIDTHS, parseNpyHeader, type NpyHeader } from './npy.js';
import type { ByteSource } from './source.js';
import { openZip, type Zip, type ZipMember } from './zip.js';

export interface NpzArrays {
  /** Names of the arrays, without `.npy`. */
  x: string;
  y: string;
}

/** What a zip calls an array. */
const memberName = (array: string): string => `${array}.npy`;

/** The members of a zip that a source names; none where it is no zip. */
export const membersIn = (source: { type: string } | ({ type: 'npz' } & NpzArrays)): string[] => ('x' in source ? [source.x, source.y].map(memberName) : []);

/** Whoever opened the file closes it. AppError `invalid_data` naming file and array, and what its reads reject with. */
export async function openNpz<File extends ByteSource>(file: File, names: NpzArrays): Promise<FileSet<File>> {
  const zip = await naming(file, () => openZip(file));
  const [x, y] = [memberOf(zip, names.x, file), memberOf(zip, names.y, file)];
  return makeFileSet(await openArray(file, zip, x, names.x), await openArray(file, zip, y, names.y));
}

function memberOf(zip: Zip, array: string, { name, param }: ByteSource): ZipMember {
  const found = zip.members.find((member) => member.name === memberName(array));
  if (found !== undefined) return found;
  const there = zip.members.slice(0, 20).map((member) => member.name.replace(/\.npy$/, '').slice(0, 100));
  const message = `${name}: there is no array ${JSON.stringify(array)}, only ${there.length === 0 ? 'an empty archive' : there.map((array) => JSON.stringify(array)).join(', ')}`;
  throw new AppError('invalid_data', message, param === null ? {} : { param });
}

async function openArray<File extends ByteSource>(file: File, zip: Zip, member: ZipMember, array: string): Promise<FileArray<File>> {
  const named = { name: `${file.name}, array ${JSON.stringify(array)}`, param: file.param };
  return naming(named, async () => {
    const { dataStart, type, shape, count } = await readHeader(zip, member);
    const positionBytes = await zip.locate(member);
    const startBytes = member.stored ? positionBytes + dataStart : null;
    return { ...named, file, type, shape, count, positionBytes, startBytes, read: (take) => readValues(zip, member, dataStart, take) };
  });
}

/** The header of an array whose values fill the rest of its member exactly. */
async function readHeader(zip: Zip, member: ZipMember): Promise<NpyHeader> {
  let head = new Uint8Array(0);
  let header: NpyHeader | null = null;
  await zip.read(member, (chunk) => {
    head = joined(head, chunk.subarray(0, NPY_HEADER_BOUND - head.length));
    header = parseNpyHeader(head);
    return header === null && head.length < NPY_HEADER_BOUND;
  });
  return complete(header, member);
}

function complete(header: NpyHeader | null, member: ZipMember): NpyHeader {
  if (header === null) throw new Error('it ends within its header');
  const bytes = header.count * NPY_WIDTHS[header.type];
  if (header.dataStart + bytes !== member.sizeBytes) throw new Error(`its header says ${bytes} bytes of values, and there are ${member.sizeBytes - header.dataStart}`);
  return header;
}

/** Gives the bytes of an array's values, in order, in pieces of any length. */
async function readValues(zip: Zip, member: ZipMember, dataStart: number, take: (bytes: Uint8Array) => void): Promise<void> {
  let left = dataStart; // the header, which was read before
  await zip.read(member, (chunk) => {
    const skipped = Math.min(left, chunk.length);
    left -= skipped;
    if (chunk.length > skipped) take(chunk.subarray(skipped));
    return true;
  });
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

// Arrays as MNIST's IDX, which has no end of its own and no checksum: magic number, sizes, values, all big-endian; plain or
// in gzip, told by the first bytes. Read as hostile input. https://www.fon.hum.uva.nl/praat/manual/IDX_file_format.html
import { arrayBytes, type FileArray, VALUE_WIDTHS, type ValueType } from './file-array.js';
import { makeFileSet, type FileSet } from './file-set.js';
import { gunzipInto, MAX_DEFLATE_RATIO, piecesOf } from './inflate.js';
import { naming } from './naming.js';
import type { ByteSource } from './source.js';

interface IdxHeader {
  type: ValueType;
  shape: number[];
  count: number;
  /** Bytes before the first value. */
  dataStart: number;
}

/** What a file is to hold, by its magic number: a type byte and how many sizes follow. */
interface Kind {
  what: 'images' | 'labels';
  types: ReadonlyMap<number, ValueType>;
  dimensions: readonly number[];
  expected: string;
}

const LABEL_TYPES = new Map<number, ValueType>([[0x08, '|u1'], [0x09, '|i1'], [0x0b, '>i2'], [0x0c, '>i4']]);
const IMAGES: Kind = { what: 'images', types: new Map([[0x08, '|u1']]), dimensions: [3, 4], expected: '0x00000803 (uint8 [N, height, width]) or 0x00000804 (uint8 [N, height, width, channels])' };
const LABELS: Kind = { what: 'labels', types: LABEL_TYPES, dimensions: [1], expected: '0x00000801 (uint8), 0x00000901 (int8), 0x00000b01 (int16) or 0x00000c01 (int32)' };
/** Magic number and four sizes. */
const MAX_HEADER_BYTES = 20;

/** A set of two files. Whoever opened them closes them. AppError `invalid_data` naming the file, and what its reads reject with. */
export async function openIdx<File extends ByteSource>(images: File, labels: File): Promise<FileSet<File>> {
  return makeFileSet(await openArray(images, IMAGES), await openArray(labels, LABELS));
}

async function openArray<File extends ByteSource>(file: File, kind: Kind): Promise<FileArray<File>> {
  const { name, param, sizeBytes } = file;
  return naming(file, async () => {
    const start = await beginningOf(file, 2);
    const isGzip = start[0] === 0x1f && start[1] === 0x8b;
    const header = parseHeader(isGzip ? await unzippedBeginning(file) : await beginningOf(file, MAX_HEADER_BYTES), kind);
    const { dataStart, ...array } = header;
    const wholeBytes = dataStart + arrayBytes(array);
    if (isGzip && wholeBytes > sizeBytes * MAX_DEFLATE_RATIO) throw new Error(`${claim(header)}, which ${sizeBytes} compressed bytes cannot hold`);
    if (!isGzip && sizeBytes !== wholeBytes) throw new Error(`${claim(header)}, and there are ${sizeBytes - dataStart}`);
    return { ...array, name, param, file, positionBytes: 0, startBytes: isGzip ? null : dataStart, read: (take) => (isGzip ? unzip(file, header, take) : pass(piecesOf(file, dataStart, sizeBytes), take)) };
  });
}

const claim = ({ type, shape, count }: IdxHeader): string => `its header says [${shape.join(', ')}], ${count * VALUE_WIDTHS[type]} bytes of values`;

function parseHeader(head: Uint8Array, { what, types, dimensions, expected }: Kind): IdxHeader {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 4) throw new Error(`it ends after ${head.length} bytes, within its magic number`);
  const magic = view.getUint32(0);
  const type = magic >> 16 === 0 ? types.get(head[2]!) : undefined;
  if (type === undefined || !dimensions.includes(head[3]!)) throw new Error(`its magic number is 0x${magic.toString(16).padStart(8, '0')}${isOther(magic, what)}; ${what} have ${expected}`);
  const dataStart = 4 + 4 * head[3]!;
  if (head.length < dataStart) throw new Error(`it ends after ${head.length} bytes, within its ${dataStart} bytes of header`);
  const shape = Array.from({ length: head[3]! }, (_, i) => view.getUint32(4 + 4 * i));
  const count = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count * 8)) throw new Error(`its shape [${shape.join(', ')}] has more values than can be counted`);
  return { type, shape, count, dataStart };
}

function isOther(magic: number, what: Kind['what']): string {
  const other = what === 'images' ? LABELS : IMAGES;
  const fits = magic >> 16 === 0 && other.types.has((magic >> 8) & 0xff) && other.dimensions.includes(magic & 0xff);
  return fits ? `, which is that of ${other.what}` : '';
}

async function beginningOf(file: ByteSource, bytes: number): Promise<Uint8Array> {
  const head = new Uint8Array(Math.min(bytes, file.sizeBytes));
  return head.subarray(0, await file.readAt(head, 0));
}

async function unzippedBeginning(file: ByteSource): Promise<Uint8Array> {
  const head = new Uint8Array(MAX_HEADER_BYTES);
  let filled = 0;
  await gunzipInto(piecesOf(file, 0, file.sizeBytes), file.sizeBytes, async (pieces) => {
    for await (const piece of pieces) {
      const part = piece.subarray(0, head.length - filled);
      head.set(part, filled);
      filled += part.length;
      if (filled === head.length) return;
    }
  });
  return head.subarray(0, filled);
}

async function pass(pieces: AsyncIterable<Uint8Array>, take: (bytes: Uint8Array) => void): Promise<void> {
  for await (const piece of pieces) take(piece);
}

/** All values of a gzip file, and nothing beyond them. */
async function unzip(file: ByteSource, header: IdxHeader, take: (bytes: Uint8Array) => void): Promise<void> {
  const wholeBytes = header.dataStart + arrayBytes(header);
  let given = 0;
  await gunzipInto(piecesOf(file, 0, file.sizeBytes), file.sizeBytes, async (pieces) => {
    for await (const piece of pieces) {
      const values = piece.subarray(Math.max(0, header.dataStart - given));
      given += piece.length;
      if (given > wholeBytes) throw new Error(`${claim(header)}, and it holds more`);
      if (values.length > 0) take(values);
    }
    if (given !== wholeBytes) throw new Error(`${claim(header)}, and it holds ${given - header.dataStart}`);
  });
}

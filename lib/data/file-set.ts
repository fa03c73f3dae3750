// Two arrays of files as a set of samples: x [N,H,W,C] or [N,H,W] of uint8 or float32, y as labels.ts takes it. Everything is
// checked before memory is taken for it; values of x may be anything, also NaN (training has a rule for that).
import { arrayBytes, type FileArray, VALUE_WIDTHS } from './file-array.js';
import { decodeLabels, labelBuffer, labelLayout, scanLabels, type LabelLayout } from './labels.js';
import type { ArrayFacts } from './memory.js';
import { naming } from './naming.js';
import type { ByteSource, DataDescription, DataFile, Labels, OpenDataset, Samples, StoredArray } from './source.js';
import type { Unpack } from './unpack.js';

/** A set whose headers were read and are right. Labels and samples were not. */
export interface FileSet<File extends ByteSource = ByteSource> {
  x: FileArray<File>;
  y: FileArray<File>;
  samples: number;
  shape: readonly [number, number, number];
  labels: LabelLayout;
}

/** Sample ids are int32. */
const MAX_SAMPLES = 2 ** 31 - 1;
/** Of one array once it is decompressed, or made up: a bound for what a hostile file or spec can claim. */
export const MAX_UNPACKED_BYTES = 8 * 1024 ** 3;

/** AppError `invalid_data` naming the array whose shape or type is wrong, or that is too large to be decompressed. */
export async function makeFileSet<File extends ByteSource>(x: FileArray<File>, y: FileArray<File>): Promise<FileSet<File>> {
  const shape = await naming(x, () => imageShape(x));
  const samples = x.shape[0]!;
  const labels = await naming(y, () => {
    if (y.shape.length > 0 && y.shape[0] !== samples) throw new Error(`it has ${y.shape[0]} labels for ${samples} samples`);
    return labelLayout(y);
  });
  for (const array of [x, y]) await naming(array, () => assertUnpackable(array));
  return { x, y, samples, shape, labels };
}

function imageShape({ type, shape }: FileArray): [number, number, number] {
  if (type !== '|u1' && type !== '<f4') throw new Error(`its values are ${type}; images are uint8 or float32: save it with .astype('float32')`);
  const [samples, height, width, channels = 1] = shape;
  if (samples === undefined || height === undefined || width === undefined || shape.length > 4) throw new Error(`its shape is [${shape.join(', ')}]; images are [N, height, width, channels] or [N, height, width]`);
  if (shape.includes(0)) throw new Error(`its shape is [${shape.join(', ')}]: it is empty`);
  if (samples > MAX_SAMPLES) throw new Error(`it has ${samples} samples, more than ${MAX_SAMPLES}`);
  return [height, width, channels];
}

function assertUnpackable(array: FileArray): void {
  if (array.startBytes === null && arrayBytes(array) > MAX_UNPACKED_BYTES) throw new Error(`it is compressed and has ${arrayBytes(array)} bytes, and at most ${MAX_UNPACKED_BYTES} are unpacked; store it uncompressed`);
}

/** What placing the arrays needs to know: x, then y. */
export const factsOf = ({ x, y, labels }: FileSet): [ArrayFacts, ArrayFacts] => [
  { memoryBytes: arrayBytes(x), unpackedBytes: unpackedBytes(x) },
  { memoryBytes: labels.memoryBytes, unpackedBytes: unpackedBytes(y) },
];

const unpackedBytes = (array: FileArray): number => (array.startBytes === null ? arrayBytes(array) : 0);

/** Checks every label. In constant memory. AppError `invalid_data`, and what the file's reads reject with. */
export async function describeSet(set: FileSet): Promise<DataDescription> {
  const classes = await naming(set.y, async () => {
    const scan = scanLabels(set.labels, false);
    await set.y.read(scan.push);
    return scan.end().classes;
  });
  return descriptionOf(set, classes);
}

function descriptionOf({ x, samples, shape, labels }: FileSet, classes: number): DataDescription {
  const isBytes = x.type === '|u1';
  return { samples, shape, classes, labels: labels.kind, dtype: isBytes ? 'uint8' : 'float32', unit: isBytes ? 255 : null };
}

/** Where the values of an array stand that is not in memory. */
interface Place {
  file: DataFile;
  startBytes: number;
}

/** An array on its way. */
export interface ArrayLoading {
  file: DataFile;
  /** Where it is read from in its file. */
  positionBytes: number;
  load(): Promise<void>;
}

export interface SetLoading {
  /** In any order, one after the other. */
  arrays: readonly ArrayLoading[];
  /** Once all of them are loaded. */
  end(): OpenDataset;
}

/**
 * Checks every label, and what is decompressed by its checksum. What is not to be in memory stays in its file, or is unpacked
 * into one where it is compressed. Errors as describeSet, and those of `unpack`.
 */
export function beginLoading(set: FileSet<DataFile>, inMemory: { x: boolean; y: boolean }, unpack: Unpack): SetLoading {
  const { x, y, labels } = set;
  let loadedX: OpenDataset['x'] | null = null;
  let loadedY: { classes: number; values: OpenDataset['y'] } | null = null;

  async function place(array: FileArray<DataFile>, read: FileArray['read']): Promise<Place> {
    if (array.startBytes !== null) return { file: array.file, startBytes: array.startBytes };
    return { file: await unpack(array, arrayBytes(array), (take) => naming(array, () => read(take))), startBytes: 0 };
  }
  async function loadX(): Promise<void> {
    loadedX = inMemory.x ? await naming(x, () => readImages(x)) : storedImages(x, await place(x, x.read));
  }
  async function loadY(): Promise<void> {
    const scan = scanLabels(labels, inMemory.y);
    if (inMemory.y || y.startBytes !== null) await naming(y, () => y.read(scan.push));
    const placed = inMemory.y ? null : await place(y, scannedBy(y, scan.push));
    const { classes, y: kept } = await naming(y, scan.end);
    loadedY = { classes, values: kept ?? storedLabels(labels, placed!) };
  }
  return {
    arrays: [
      { file: x.file, positionBytes: x.positionBytes, load: loadX },
      { file: y.file, positionBytes: y.positionBytes, load: loadY },
    ],
    end: () => ({ description: descriptionOf(set, loadedY!.classes), x: loadedX!, y: loadedY!.values }),
  };
}

/** Reads an array, and shows somebody its bytes by the way. */
const scannedBy =
  (array: FileArray, push: (bytes: Uint8Array) => void): FileArray['read'] =>
  (take) =>
    array.read((bytes) => {
      push(bytes);
      take(bytes);
    });

/** All of them, in memory of their own. */
async function readImages(array: FileArray): Promise<Samples> {
  const values = new Uint8Array(arrayBytes(array));
  let at = 0;
  await array.read((bytes) => {
    values.set(bytes, at);
    at += bytes.length;
  });
  return array.type === '|u1' ? values : new Float32Array(values.buffer);
}

function storedImages({ type, shape, count }: FileArray, place: Place): StoredArray<Samples> {
  return {
    ...place,
    sampleBytes: (count / shape[0]!) * VALUE_WIDTHS[type],
    decode: (raw) => (type === '|u1' ? raw : new Float32Array(raw.buffer, raw.byteOffset, raw.byteLength / 4)),
  };
}

function storedLabels(layout: LabelLayout, place: Place): StoredArray<Labels> {
  return {
    ...place,
    sampleBytes: layout.sampleBytes,
    decode(raw, samples) {
      const out = labelBuffer(layout, samples);
      decodeLabels(layout, raw, out, 0);
      return out;
    },
  };
}

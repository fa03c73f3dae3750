// Data sets as numpy's .npz: a zip of .npy arrays, x [N,H,W,C] or [N,H,W] (uint8 or float32) and y (labels.ts).
// Everything is checked before memory is taken for it; values of x may be anything, also NaN (training has a rule for that).
import { basename } from 'node:path';
import { AppError, isAppError, messageOf } from '../errors.js';
import { makeDataFile } from './data-file.js';
import { decodeLabels, labelBuffer, labelLayout, scanLabels, type LabelLayout } from './labels.js';
import { openSettled } from './locations.js';
import { placeArrays, type ArrayFacts } from './memory.js';
import { NPY_HEADER_BOUND, NPY_WIDTHS, parseNpyHeader, type NpyHeader } from './npy.js';
import type { DataDescription, DataFile, Labels, OpenDataset, Samples, StoredArray } from './source.js';
import { openZip, type Zip, type ZipMember } from './zip.js';

export interface NpzArrays {
  /** Names of the arrays, without `.npy`. */
  x: string;
  y: string;
}

/** A set whose headers were read and are right. Labels and samples were not. */
export interface NpzFile {
  /** x, then y. */
  arrays: readonly [ArrayFacts, ArrayFacts];
  file: DataFile;
  /** Checks every label. In constant memory. */
  describe(): Promise<DataDescription>;
  /** Checks every label; the arrays in memory also by their checksums. An array that is not to be in memory has to be stored. */
  load(inMemory: { x: boolean; y: boolean }): Promise<OpenDataset>;
}

/** Sample ids are int32. */
const MAX_SAMPLES = 2 ** 31 - 1;
/** Of compressed arrays, where nobody says how much memory data may take: a bound for what a hostile file can claim. */
export const DEFAULT_MAX_BYTES = 8 * 1024 ** 3;

/**
 * What a set is, from the headers and the labels alone. `path` as resolveLocation gives it. `memoryBytes`: what its arrays
 * may take of memory, as far as they cannot stay in the file.
 * AppError `invalid_data` naming file and array, `data_missing`, `data_changed`, `oom`.
 */
export async function describeNpz(path: string, arrays: NpzArrays, { memoryBytes = DEFAULT_MAX_BYTES }: { memoryBytes?: number } = {}): Promise<DataDescription> {
  const set = await openNpz(path, arrays);
  try {
    placeArrays(set.arrays, memoryBytes);
    return await set.describe();
  } finally {
    await set.file.close();
  }
}

/** Whoever opens closes `file`; while something stays in it, not before the last batch. Errors as describeNpz, here and of its methods. */
export async function openNpz(path: string, names: NpzArrays): Promise<NpzFile> {
  const name = basename(path);
  const [nameX, nameY] = [`${name}, array ${JSON.stringify(names.x)}`, `${name}, array ${JSON.stringify(names.y)}`];
  const { file: handle, sizeBytes } = await openSettled(path);
  const file = makeDataFile(handle, name);
  try {
    const zip = await naming(name, () => openZip(handle, sizeBytes));
    const [x, y] = [memberOf(zip, names.x, name), memberOf(zip, names.y, name)];
    const images = await naming(nameX, () => readHeader(zip, x));
    const shape = await naming(nameX, async () => imageShape(images));
    const samples = images.shape[0]!;
    const [labels, layout] = await naming(nameY, async () => {
      const header = await readHeader(zip, y);
      if (header.shape.length > 0 && header.shape[0] !== samples) throw new Error(`it has ${header.shape[0]} labels for ${samples} samples`);
      return [header, labelLayout(header)] as const;
    });

    const isBytes = images.type === '|u1';
    const scan = (keep: boolean) =>
      naming(nameY, async () => {
        const scanning = scanLabels(layout, keep);
        await readValues(zip, y, labels, scanning.push);
        const { classes, y: kept } = scanning.end();
        const description: DataDescription = { samples, shape, classes, labels: layout.kind, dtype: isBytes ? 'uint8' : 'float32', unit: isBytes ? 255 : null };
        return { description, kept };
      });
    return {
      arrays: [
        { name: nameX, memoryBytes: images.count * NPY_WIDTHS[images.type], stored: x.stored },
        { name: nameY, memoryBytes: layout.memoryBytes, stored: y.stored },
      ],
      file,
      describe: async () => (await scan(false)).description,
      async load(inMemory) {
        const { description, kept } = await scan(inMemory.y);
        return {
          description,
          x: await naming<OpenDataset['x']>(nameX, () => (inMemory.x ? readImages(zip, x, images) : storedImages(file, zip, x, images))),
          y: kept ?? (await naming(nameY, () => storedLabels(file, zip, y, labels, layout))),
        };
      },
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function memberOf(zip: Zip, array: string, name: string): ZipMember {
  const found = zip.members.find((member) => member.name === `${array}.npy`);
  if (found !== undefined) return found;
  const there = zip.members.slice(0, 20).map((member) => member.name.replace(/\.npy$/, '').slice(0, 100));
  throw new AppError('invalid_data', `${name}: there is no array ${JSON.stringify(array)}, only ${there.length === 0 ? 'an empty archive' : there.map((array) => JSON.stringify(array)).join(', ')}`);
}

function imageShape({ type, shape }: NpyHeader): [number, number, number] {
  if (type !== '|u1' && type !== '<f4') throw new Error(`its values are ${type}; images are uint8 or float32: save it with .astype('float32')`);
  const [samples, height, width, channels = 1] = shape;
  if (samples === undefined || height === undefined || width === undefined || shape.length > 4) throw new Error(`its shape is [${shape.join(', ')}]; images are [N, height, width, channels] or [N, height, width]`);
  if (shape.includes(0)) throw new Error(`its shape is [${shape.join(', ')}]: it is empty`);
  if (samples > MAX_SAMPLES) throw new Error(`it has ${samples} samples, more than ${MAX_SAMPLES}`);
  return [height, width, channels];
}

async function storedImages(file: DataFile, zip: Zip, member: ZipMember, { type, shape, count, dataStart }: NpyHeader): Promise<StoredArray<Samples>> {
  return {
    file,
    startBytes: (await zip.locate(member)) + dataStart,
    sampleBytes: (count / shape[0]!) * NPY_WIDTHS[type],
    decode: (raw) => (type === '|u1' ? raw : new Float32Array(raw.buffer, raw.byteOffset, raw.byteLength / 4)),
  };
}

async function storedLabels(file: DataFile, zip: Zip, member: ZipMember, { dataStart }: NpyHeader, layout: LabelLayout): Promise<StoredArray<Labels>> {
  return {
    file,
    startBytes: (await zip.locate(member)) + dataStart,
    sampleBytes: layout.sampleBytes,
    decode(raw, samples) {
      const out = labelBuffer(layout, samples);
      decodeLabels(layout, raw, out, 0);
      return out;
    },
  };
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
async function readValues(zip: Zip, member: ZipMember, { dataStart }: NpyHeader, take: (bytes: Uint8Array) => void): Promise<void> {
  let left = dataStart; // the header, which was read before
  await zip.read(member, (chunk) => {
    const skipped = Math.min(left, chunk.length);
    left -= skipped;
    if (chunk.length > skipped) take(chunk.subarray(skipped));
    return true;
  });
}

/** All of them, in memory of their own. */
async function readImages(zip: Zip, member: ZipMember, header: NpyHeader): Promise<Samples> {
  const values = new Uint8Array(header.count * NPY_WIDTHS[header.type]);
  let at = 0;
  await readValues(zip, member, header, (bytes) => {
    values.set(bytes, at);
    at += bytes.length;
  });
  return header.type === '|u1' ? values : new Float32Array(values.buffer);
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Turns what went wrong inside into an AppError that names where. */
async function naming<T>(where: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (isAppError(error)) throw error;
    if (error instanceof RangeError && /allocation|invalid (typed )?array length/i.test(error.message)) throw new AppError('oom', `${where}: there is not enough memory for it`, { cause: error });
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw new AppError('data_missing', `${where}: it cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
    throw new AppError('invalid_data', `${where}: ${messageOf(error)}`, { cause: error });
  }
}

// Data sets as numpy's .npz: a zip of .npy arrays, x [N,H,W,C] or [N,H,W] (uint8 or float32) and y (labels.ts).
// Everything is checked before memory is taken for it; values of x may be anything, also NaN (training has a rule for that).
import { basename } from 'node:path';
import { AppError, isAppError, messageOf } from '../errors.js';
import { checkLabelHeader, decodeLabels, type Labels } from './labels.js';
import { openSettled } from './locations.js';
import { NPY_HEADER_BOUND, NPY_WIDTHS, parseNpyHeader, type NpyHeader } from './npy.js';
import type { DataDescription, Dataset } from './source.js';
import { openZip, type Zip, type ZipMember } from './zip.js';

export interface NpzArrays {
  /** Names of the arrays, without `.npy`. */
  x: string;
  y: string;
}
export interface NpzOptions {
  /** Most bytes of both arrays together, decompressed. */
  maxBytes?: number;
}
export const DEFAULT_MAX_BYTES = 8 * 1024 ** 3;
/** Sample ids are int32. */
const MAX_SAMPLES = 2 ** 31 - 1;

/**
 * What a set is, from the headers and the labels alone. `path` as resolveLocation gives it.
 * AppError `invalid_data` naming file and array, `data_missing`, `data_changed`, `oom`.
 */
export async function describeNpz(path: string, arrays: NpzArrays, options: NpzOptions = {}): Promise<DataDescription> {
  return withSet(path, arrays, options, async ({ description }) => description);
}

/** The whole set. Errors as describeNpz. */
export async function loadNpz(path: string, arrays: NpzArrays, options: NpzOptions = {}): Promise<Dataset> {
  return withSet(path, arrays, options, async ({ description, y, readX }) => ({ description, x: await readX(), y }));
}

interface OpenSet {
  description: DataDescription;
  y: Labels['y'];
  readX(): Promise<Uint8Array | Float32Array>;
}

/** Opens a set, checks both headers, reads the labels, and closes it after `use`. */
async function withSet<T>(path: string, names: NpzArrays, { maxBytes = DEFAULT_MAX_BYTES }: NpzOptions, use: (set: OpenSet) => Promise<T>): Promise<T> {
  const name = basename(path);
  const inX = <R>(run: () => Promise<R>) => naming(`${name}, array ${JSON.stringify(names.x)}`, run);
  const inY = <R>(run: () => Promise<R>) => naming(`${name}, array ${JSON.stringify(names.y)}`, run);
  const { file, sizeBytes } = await openSettled(path);
  try {
    const zip = await naming(name, () => openZip(file, sizeBytes));
    const [x, y] = [memberOf(zip, names.x, name), memberOf(zip, names.y, name)];
    const bytes = x.sizeBytes + y.sizeBytes;
    if (bytes > maxBytes) throw new AppError('invalid_data', `${name}: its arrays have ${bytes} bytes, and at most ${maxBytes} are read`);
    const images = await inX(() => readHeader(zip, x));
    const shape = await inX(async () => imageShape(images));
    const samples = images.shape[0]!;
    const labels = await inY(async () => {
      const header = await readHeader(zip, y);
      if (header.shape.length > 0 && header.shape[0] !== samples) throw new Error(`it has ${header.shape[0]} labels for ${samples} samples`);
      checkLabelHeader(header);
      return decodeLabels(header, await readValues(zip, y, header));
    });
    const isBytes = images.type === '|u1';
    return await use({
      description: { samples, shape, classes: labels.classes, labels: labels.kind, dtype: isBytes ? 'uint8' : 'float32', unit: isBytes ? 255 : null },
      y: labels.y,
      readX: () =>
        inX(async () => {
          const values = await readValues(zip, x, images);
          return isBytes ? values : new Float32Array(values.buffer);
        }),
    });
  } finally {
    await file.close();
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

/** All values of an array, in memory of their own. */
async function readValues(zip: Zip, member: ZipMember, header: NpyHeader): Promise<Uint8Array<ArrayBuffer>> {
  const values = new Uint8Array(header.count * NPY_WIDTHS[header.type]);
  let at = -header.dataStart; // in values; negative in the header, which was read before
  await zip.read(member, (chunk) => {
    if (at + chunk.length > 0) values.set(at < 0 ? chunk.subarray(-at) : chunk, Math.max(at, 0));
    at += chunk.length;
    return true;
  });
  return values;
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

// Labels as a file stores them to labels as training takes them: class indices, or rows of class weights. Checks every
// one, a piece of the array at a time.
import { type FileArray, VALUE_WIDTHS, type ValueType } from './file-array.js';
import type { Labels } from './source.js';

/** How an array holds labels. */
export interface LabelLayout {
  kind: 'integer' | 'one_hot';
  type: ValueType;
  samples: number;
  /** Of a row of class weights; 1 of class indices. */
  width: number;
  /** Of one sample, as stored. */
  sampleBytes: number;
  /** Of all, decoded. */
  memoryBytes: number;
}

/** As many as a model's last layer may sensibly have; a batch holds a number for each. */
const MAX_CLASSES = 65_536;
/** Float32 rows of that width sum to 1 within this. */
const ROW_TOLERANCE = 1e-3;
/** Labels are decoded in pieces of at most this, but at least a sample. */
const PIECE_BYTES = 256 * 1024;

/** [N] or [N, 1] of integers, or [N, K] of anything. An Error says what is wrong. */
export function labelLayout({ type, shape, count }: Pick<FileArray, 'type' | 'shape' | 'count'>): LabelLayout {
  const [samples = 0, columns = 1] = shape;
  const isIndex = shape.length === 1 || (shape.length === 2 && columns === 1);
  if (isIndex) {
    if (isFloat(type)) throw new Error(`its values are ${type}, and [${shape.join(', ')}] labels are class indices: save them as integers`);
  } else if (shape.length !== 2) throw new Error(`its shape is [${shape.join(', ')}]; labels are [N] class indices or [N, K] rows, one-hot or soft`);
  else if (columns > MAX_CLASSES) throw new Error(`its shape is [${shape.join(', ')}]: more than ${MAX_CLASSES} classes`);
  else if (columns === 0) throw new Error(`its shape is [${shape.join(', ')}]: it is empty`);
  return { kind: isIndex ? 'integer' : 'one_hot', type, samples, width: columns, sampleBytes: columns * VALUE_WIDTHS[type], memoryBytes: count * 4 };
}

export const labelBuffer = ({ kind, width }: LabelLayout, samples: number): Labels => (kind === 'integer' ? new Int32Array(samples) : new Float32Array(samples * width));

/**
 * Decodes the labels of samples `first` and following (8-byte aligned, whole samples) to the beginning of `out`.
 * Returns how many classes they show. An Error names the sample that has a bad one.
 */
export function decodeLabels({ kind, type, width, sampleBytes }: LabelLayout, bytes: Uint8Array, out: Labels, first: number): number {
  const values = valuesOf(type, bytes);
  const samples = bytes.byteLength / sampleBytes;
  return kind === 'integer' ? indices(values, samples, out, first) : rows(values, samples, width, out, first);
}

export interface LabelScan {
  /** The array's next bytes, cut anywhere. */
  push(bytes: Uint8Array): void;
  /** After the last byte. `y`: all labels, if they were to be kept. */
  end(): { classes: number; y: Labels | null };
}

/** Goes through a whole array of labels. */
export function scanLabels(layout: LabelLayout, keep: boolean): LabelScan {
  const { samples, width, sampleBytes } = layout;
  const pieceSamples = Math.min(Math.max(1, Math.floor(PIECE_BYTES / sampleBytes)), Math.max(1, samples));
  const piece = new Uint8Array(pieceSamples * sampleBytes);
  const all = keep ? labelBuffer(layout, samples) : null;
  const scratch = all === null ? labelBuffer(layout, pieceSamples) : null;
  let filledBytes = 0;
  let decoded = 0;
  let classes = 0;
  const decode = (): void => {
    const ready = filledBytes / sampleBytes;
    const out = scratch ?? all!.subarray(decoded * width, (decoded + ready) * width);
    classes = Math.max(classes, decodeLabels(layout, piece.subarray(0, filledBytes), out, decoded));
    decoded += ready;
    filledBytes = 0;
  };
  return {
    push(bytes) {
      for (let from = 0; from < bytes.length; ) {
        const part = bytes.subarray(from, from + piece.length - filledBytes);
        piece.set(part, filledBytes);
        filledBytes += part.length;
        from += part.length;
        if (filledBytes === piece.length) decode();
      }
    },
    end() {
      decode();
      return { classes, y: all };
    },
  };
}

function indices(values: NpyValues, samples: number, out: Labels, first: number): number {
  let largest = -1;
  for (let i = 0; i < samples; i++) {
    const label = Number(values[i]); // an int64 too large to be exact is too large anyway
    if (label < 0 || label >= MAX_CLASSES) throw new Error(`sample ${first + i} has the label ${values[i]}; class indices go from 0 to ${MAX_CLASSES - 1}`);
    out[i] = label;
    if (label > largest) largest = label;
  }
  return largest + 1;
}

function rows(values: NpyValues, samples: number, classes: number, out: Labels, first: number): number {
  for (let i = 0; i < samples; i++) {
    let sum = 0;
    for (let k = i * classes; k < (i + 1) * classes; k++) {
      const weight = Number(values[k]);
      if (!(weight >= 0)) throw new Error(`sample ${first + i} has the class weight ${values[k]}; they go from 0 to 1`);
      out[k] = weight;
      sum += weight;
    }
    // the gradient of softmax with cross-entropy is p − y only for rows that sum to 1
    if (Math.abs(sum - 1) > ROW_TOLERANCE) throw new Error(`the class weights of sample ${first + i} sum to ${sum}; a row is one-hot, or sums to 1`);
  }
  return classes;
}

type NpyValues = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | BigUint64Array | BigInt64Array | Float32Array | Float64Array;

function valuesOf(type: ValueType, bytes: Uint8Array): NpyValues {
  const { buffer, byteOffset, byteLength } = type.startsWith('>') ? swapped(type, bytes) : bytes;
  return new ARRAYS[type](buffer as ArrayBuffer, byteOffset, byteLength / VALUE_WIDTHS[type]);
}

/** A copy, with the bytes of each value in this machine's order. */
function swapped(type: ValueType, bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(new Uint8Array(bytes).buffer);
  return VALUE_WIDTHS[type] === 2 ? copy.swap16() : copy.swap32();
}

const ARRAYS = {
  '|u1': Uint8Array,
  '|i1': Int8Array,
  '<u2': Uint16Array,
  '<i2': Int16Array,
  '<u4': Uint32Array,
  '<i4': Int32Array,
  '<u8': BigUint64Array,
  '<i8': BigInt64Array,
  '<f4': Float32Array,
  '<f8': Float64Array,
  '>i2': Int16Array,
  '>i4': Int32Array,
} as const satisfies Record<ValueType, unknown>;

function isFloat(type: ValueType): boolean {
  return type === '<f4' || type === '<f8';
}

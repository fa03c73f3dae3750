// Labels as a file stores them to labels as training takes them: class indices, or rows of class weights. Checks every one.
import { NPY_WIDTHS, type NpyHeader, type NpyType } from './npy.js';

export interface Labels {
  kind: 'integer' | 'one_hot';
  /** Largest label + 1, or the width of a row. */
  classes: number;
  /** Class indices [samples], or weights [samples, classes]. */
  y: Int32Array | Float32Array;
}

/** As many as a model's last layer may sensibly have; a batch holds a number for each. */
const MAX_CLASSES = 65_536;
/** Float32 rows of that width sum to 1 within this. */
const ROW_TOLERANCE = 1e-3;

/** [N] or [N, 1] of integers, or [N, K] of anything. An Error says what is wrong. */
export function checkLabelHeader({ type, shape }: NpyHeader): void {
  const [, width] = shape;
  if (shape.length === 1 || (shape.length === 2 && width === 1)) {
    if (isFloat(type)) throw new Error(`its values are ${type}, and [${shape.join(', ')}] labels are class indices: save them as integers`);
  } else if (shape.length !== 2) throw new Error(`its shape is [${shape.join(', ')}]; labels are [N] class indices or [N, K] rows, one-hot or soft`);
  else if (width! > MAX_CLASSES) throw new Error(`its shape is [${shape.join(', ')}]: more than ${MAX_CLASSES} classes`);
}

/** The labels in these bytes (exactly header.count values, 8-byte aligned). An Error naming the sample that has a bad one. */
export function decodeLabels(header: NpyHeader, bytes: Uint8Array): Labels {
  const values = valuesOf(header.type, bytes);
  const [samples, width] = header.shape as readonly [number, number | undefined];
  return width === undefined || width === 1 ? indices(values, samples) : rows(values, samples, width);
}

function indices(values: NpyValues, samples: number): Labels {
  const y = new Int32Array(samples);
  let largest = -1;
  for (let i = 0; i < samples; i++) {
    const label = Number(values[i]); // an int64 too large to be exact is too large anyway
    if (label < 0 || label >= MAX_CLASSES) throw new Error(`sample ${i} has the label ${values[i]}; class indices go from 0 to ${MAX_CLASSES - 1}`);
    y[i] = label;
    if (label > largest) largest = label;
  }
  return { kind: 'integer', classes: largest + 1, y };
}

function rows(values: NpyValues, samples: number, classes: number): Labels {
  const y = new Float32Array(samples * classes);
  for (let i = 0; i < samples; i++) {
    let sum = 0;
    for (let k = i * classes; k < (i + 1) * classes; k++) {
      const weight = Number(values[k]);
      if (!(weight >= 0)) throw new Error(`sample ${i} has the class weight ${values[k]}; they go from 0 to 1`);
      y[k] = weight;
      sum += weight;
    }
    // the gradient of softmax with cross-entropy is p − y only for rows that sum to 1
    if (Math.abs(sum - 1) > ROW_TOLERANCE) throw new Error(`the class weights of sample ${i} sum to ${sum}; a row is one-hot, or sums to 1`);
  }
  return { kind: 'one_hot', classes, y };
}

type NpyValues = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | BigUint64Array | BigInt64Array | Float32Array | Float64Array;

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
} as const satisfies Record<NpyType, unknown>;

function valuesOf(type: NpyType, bytes: Uint8Array): NpyValues {
  return new ARRAYS[type](bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / NPY_WIDTHS[type]);
}

function isFloat(type: NpyType): boolean {
  return type === '<f4' || type === '<f8';
}

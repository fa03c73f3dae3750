// Gathers micro-batches of a set in memory: picks samples by index, normalises them, and turns labels into rows of class
// weights. What makes one batch of samples, wherever they come from, is here too.
import type { NormalizeSpec } from '../contract/spec.js';
import { AppError } from '../errors.js';
import { normalizeProblems, sampleCopier } from './normalize.js';
import type { DataDescription, Dataset, Labels, Samples } from './source.js';

export interface GatheredBatch {
  /** [samples, height, width, channels], normalised. */
  x: Float32Array;
  /** [samples, classes]: one-hot or soft. */
  y: Float32Array;
  samples: number;
  /** [samples]: indices in the data set. */
  sampleIds: Int32Array;
}
export interface Batcher {
  /**
   * Samples at(from) … at(to − 1), in fresh buffers that are never touched again. `at` maps a position to a sample
   * (a permutation's); without it positions are samples. RangeError for anything outside of the data set.
   */
  gather(from: number, to: number, at?: (position: number) => number): GatheredBatch;
}
export interface BatcherOptions {
  normalize: NormalizeSpec;
  /** Width of a label row; default the data's own. A validation set may know fewer classes than its training set. */
  classes?: number;
}

/** AppError `invalid_data` (param `data.normalize…`) where the normalisation does not fit the data. */
export function makeBatcher({ description, x, y }: Dataset, options: BatcherOptions): Batcher {
  const assemble = makeAssembler(description, options);
  return {
    gather(from, to, at = fileOrder) {
      const sampleIds = sampleIdsOf(description.samples, from, to, at);
      return assemble(sampleIds, { values: x, places: sampleIds }, { values: y, places: sampleIds });
    },
  };
}

export const fileOrder = (position: number): number => position;

/** Samples at(from) … at(to − 1). RangeError for anything outside of a set of so many samples. */
export function sampleIdsOf(samples: number, from: number, to: number, at: (position: number) => number): Int32Array {
  const isRange = Number.isInteger(from) && Number.isInteger(to) && from >= 0 && to > from && to <= samples;
  if (!isRange) throw new RangeError(`no samples [${from}, ${to}) in a set of ${samples}`);
  const sampleIds = new Int32Array(to - from);
  for (let row = 0; row < sampleIds.length; row++) {
    const sample = at(from + row);
    if (!Number.isInteger(sample) || sample < 0 || sample >= samples) throw new RangeError(`position ${from + row} is sample ${sample} in a set of ${samples}`);
    sampleIds[row] = sample;
  }
  return sampleIds;
}

/** Values of at least a batch's samples, and which of them belong to its rows. */
interface Picked<Values> {
  values: Values;
  /** By row: the place in `values`, in samples. */
  places: Int32Array;
}
export type Assemble = (sampleIds: Int32Array, x: Picked<Samples>, y: Picked<Labels>) => GatheredBatch;

/** Errors as makeBatcher. */
export function makeAssembler(description: DataDescription, { normalize, classes = description.classes }: BatcherOptions): Assemble {
  const [problem] = normalizeProblems(normalize, description);
  if (problem !== undefined) throw new AppError('invalid_data', problem.message, { param: problem.param });
  if (classes < description.classes) throw new RangeError(`${classes} classes cannot hold the data's ${description.classes}`);
  const pixels = description.shape[0] * description.shape[1] * description.shape[2];
  const copySample = sampleCopier(normalize, description);
  const copyLabel = description.labels === 'one_hot' ? rowCopier(description.classes, classes) : indexCopier(classes);
  return (sampleIds, from, labels) => {
    const samples = sampleIds.length;
    const x = new Float32Array(samples * pixels);
    const y = new Float32Array(samples * classes);
    for (let row = 0; row < samples; row++) {
      copySample(from.values, from.places[row]!, x, row);
      copyLabel(labels.values, labels.places[row]!, y, row);
    }
    return { x, y, samples, sampleIds };
  };
}

type CopyLabel = (y: Labels, sample: number, out: Float32Array, row: number) => void;

const rowCopier =
  (width: number, classes: number): CopyLabel =>
  (y, sample, out, row) =>
    out.set(y.subarray(sample * width, (sample + 1) * width), row * classes);

const indexCopier =
  (classes: number): CopyLabel =>
  (y, sample, out, row) => {
    out[row * classes + y[sample]!] = 1;
  };

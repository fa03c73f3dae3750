// Gathers micro-batches: picks samples by index, normalises them, and turns labels into rows of class weights.
import type { NormalizeSpec } from '../contract/spec.js';
import { AppError } from '../errors.js';
import { normalizeProblems, normalizerOf } from './normalize.js';
import type { Dataset } from './source.js';

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
export function makeBatcher(dataset: Dataset, { normalize, classes = dataset.description.classes }: BatcherOptions): Batcher {
  const { description } = dataset;
  const [problem] = normalizeProblems(normalize, description);
  if (problem !== undefined) throw new AppError('invalid_data', problem.message, { param: problem.param });
  if (classes < description.classes) throw new RangeError(`${classes} classes cannot hold the data's ${description.classes}`);
  const pixels = description.shape[0] * description.shape[1] * description.shape[2];
  const copySample = sampleCopier(dataset, normalize, pixels);
  const copyLabel = labelCopier(dataset, classes);
  return {
    gather(from, to, at = (position) => position) {
      const isRange = Number.isInteger(from) && Number.isInteger(to) && from >= 0 && to > from && to <= description.samples;
      if (!isRange) throw new RangeError(`no samples [${from}, ${to}) in a set of ${description.samples}`);
      const samples = to - from;
      const x = new Float32Array(samples * pixels);
      const y = new Float32Array(samples * classes);
      const sampleIds = new Int32Array(samples);
      for (let row = 0; row < samples; row++) {
        const sample = at(from + row);
        if (!Number.isInteger(sample) || sample < 0 || sample >= description.samples) throw new RangeError(`position ${from + row} is sample ${sample} in a set of ${description.samples}`);
        sampleIds[row] = sample;
        copySample(sample, x, row);
        copyLabel(sample, y, row);
      }
      return { x, y, samples, sampleIds };
    },
  };
}

type Copy = (sample: number, out: Float32Array, row: number) => void;

function sampleCopier({ x, description }: Dataset, normalize: NormalizeSpec, pixels: number): Copy {
  const channels = description.shape[2];
  const normalized = normalizerOf(normalize, description);
  if (x instanceof Float32Array) {
    if (normalize === 'none') return (sample, out, row) => out.set(x.subarray(sample * pixels, (sample + 1) * pixels), row * pixels);
    return (sample, out, row) => {
      const [from, to] = [sample * pixels, row * pixels];
      for (let i = 0, channel = 0; i < pixels; i++) {
        out[to + i] = normalized(x[from + i]!, channel);
        if (++channel === channels) channel = 0;
      }
    };
  }
  // every byte has its normalised value ready, for each channel where they differ
  const perChannel = typeof normalize === 'object' && (Array.isArray(normalize.mean) || Array.isArray(normalize.std));
  const tables = perChannel ? channels : 1;
  const table = new Float32Array(tables * 256);
  for (let i = 0; i < table.length; i++) table[i] = normalized(i & 255, i >> 8);
  return (sample, out, row) => {
    const [from, to] = [sample * pixels, row * pixels];
    for (let i = 0, channel = 0; i < pixels; i++) {
      out[to + i] = table[(channel << 8) | x[from + i]!]!;
      if (++channel === tables) channel = 0;
    }
  };
}

function labelCopier({ y, description }: Dataset, classes: number): Copy {
  if (y instanceof Float32Array) {
    const width = description.classes;
    return (sample, out, row) => out.set(y.subarray(sample * width, (sample + 1) * width), row * classes);
  }
  return (sample, out, row) => {
    out[row * classes + y[sample]!] = 1;
  };
}

// Raw values to the float32 that a model sees: whether a normalisation fits the data, and its arithmetic, for one value and
// for samples at a time.
import type { NormalizeSpec } from '../contract/spec.js';
import type { Problem } from '../errors.js';
import type { DataDescription, Samples } from './source.js';

/** What is wrong with this normalisation of this data. `param` names the source it stands in. */
export function normalizeProblems(normalize: NormalizeSpec, { dtype, shape, unit }: DataDescription, param = 'data'): Problem[] {
  if (normalize === 'none') return [];
  if (normalize === 'unit') {
    return unit === null ? [{ param: `${param}.normalize`, message: `"unit" is not defined for ${dtype} data: it divides by the largest value of the type; use {mean, std}` }] : [];
  }
  const channels = shape[2];
  return (['mean', 'std'] as const).flatMap((key) => {
    const given = normalize[key];
    const fits = typeof given === 'number' || given.length === channels;
    return fits ? [] : [{ param: `${param}.normalize.${key}`, message: `has ${given.length} numbers, but the data has ${channels} ${channels === 1 ? 'channel' : 'channels'}` }];
  });
}

/** Writes sample `sample` of `x` as row `row` of `out`, normalised. */
export type CopySample = (x: Samples, sample: number, out: Float32Array, row: number) => void;

/**
 * The way samples of this data take into a batch. A value becomes (value − mean) / std in float64, and storing it as float32
 * rounds it for the only time. A float64 quotient rounded to float32 is the correctly rounded float32 quotient, so `unit`
 * is a true float32 division.
 */
export function sampleCopier(normalize: NormalizeSpec, { dtype, shape, unit }: DataDescription): CopySample {
  const pixels = shape[0] * shape[1] * shape[2];
  const statistics = statisticsOf(normalize, unit);
  if (dtype === 'uint8') return byteCopier(statistics ?? { means: [0], stds: [1] }, pixels);
  if (statistics === null) return (x, sample, out, row) => out.set(x.subarray(sample * pixels, (sample + 1) * pixels), row * pixels);
  return floatCopier(statistics, pixels);
}

/** One for each channel, or one for all. */
interface Statistics {
  means: readonly number[];
  stds: readonly number[];
}

function statisticsOf(normalize: NormalizeSpec, unit: number | null): Statistics | null {
  if (normalize === 'none') return null;
  if (normalize === 'unit') return { means: [0], stds: [unit!] };
  const { mean, std } = normalize;
  const channels = Math.max(...[mean, std].map((given) => (typeof given === 'number' ? 1 : given.length)));
  const each = (given: number | number[]): number[] => (typeof given === 'number' ? Array<number>(channels).fill(given) : given);
  return { means: each(mean), stds: each(std) };
}

/** Every byte has its normalised value ready, for each channel where they differ. */
function byteCopier({ means, stds }: Statistics, pixels: number): CopySample {
  const channels = means.length;
  const tables = means.map((mean, channel) => Float32Array.from({ length: 256 }, (_, byte) => (byte - mean) / stds[channel]!));
  const [table] = tables as [Float32Array];
  if (channels === 1) {
    return (x, sample, out, row) => {
      const from = sample * pixels;
      const to = row * pixels;
      for (let i = 0; i < pixels; i++) out[to + i] = table[x[from + i]!]!;
    };
  }
  return (x, sample, out, row) => {
    const from = sample * pixels;
    const to = row * pixels;
    for (let channel = 0; channel < channels; channel++) {
      const ofChannel = tables[channel]!;
      for (let i = channel; i < pixels; i += channels) out[to + i] = ofChannel[x[from + i]!]!;
    }
  };
}

function floatCopier({ means, stds }: Statistics, pixels: number): CopySample {
  const channels = means.length;
  return (x, sample, out, row) => {
    const from = sample * pixels;
    const to = row * pixels;
    for (let channel = 0; channel < channels; channel++) {
      const mean = means[channel]!;
      const std = stds[channel]!;
      for (let i = channel; i < pixels; i += channels) out[to + i] = (x[from + i]! - mean) / std;
    }
  };
}

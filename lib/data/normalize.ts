// Raw values to the float32 that a model sees: whether a normalisation fits the data, and the arithmetic of one value.
import type { NormalizeSpec } from '../contract/spec.js';
import type { DataDescription } from './source.js';

/** What is wrong with this normalisation of this data, or null. Belongs to param `data.normalize`. */
export function normalizeProblem(normalize: NormalizeSpec, { dtype, shape, unit }: DataDescription): string | null {
  if (normalize === 'none') return null;
  if (normalize === 'unit') return unit === null ? `"unit" divides by the largest possible value, and ${dtype} data has none; give {mean, std}` : null;
  const channels = shape[2];
  for (const key of ['mean', 'std'] as const) {
    const given = normalize[key];
    if (Array.isArray(given) && given.length !== channels) return `${key} has ${given.length} numbers, and the data ${channels} channels`;
  }
  return null;
}

/**
 * The normalised form of a raw value of a channel, as float64: storing it as float32 rounds it for the only time.
 * A float64 quotient rounded to float32 is the correctly rounded float32 quotient, so `unit` is a true float32 division.
 */
export function normalizerOf(normalize: NormalizeSpec, { unit }: DataDescription): (value: number, channel: number) => number {
  if (normalize === 'none') return (value) => value;
  if (normalize === 'unit') return (value) => value / unit!;
  const { mean, std } = normalize;
  const at = (given: number | number[], channel: number): number => (typeof given === 'number' ? given : given[channel]!);
  return (value, channel) => (value - at(mean, channel)) / at(std, channel);
}

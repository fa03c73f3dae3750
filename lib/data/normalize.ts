// Raw values to the float32 that a model sees: whether a normalisation fits the data, and the arithmetic of one value.
import type { NormalizeSpec } from '../contract/spec.js';
import type { Problem } from '../errors.js';
import type { DataDescription } from './source.js';

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

// What the sections of a spec have in common: each turns its valid, default-filled input into its resolved form.
import type { Problem } from '../../../errors.js';
import { MAX_SECONDS, toSeconds } from '../durations.js';
import { showValue } from '../show-value.js';

export type Section<T> = { value: T } | { problems: Problem[] };

export function section<T>(value: T, problems: Problem[]): Section<T> {
  return problems.length === 0 ? { value } : { problems };
}

/** Seconds of a duration, or the problem that it lies outside minimum … 100 years. */
export function duration(param: string, given: number | string | null, minimum: number, problems: Problem[]): number | null {
  if (given === null) return null;
  const value = toSeconds(given);
  if (value < minimum || value > MAX_SECONDS) problems.push({ param, message: `must be from ${minimum} to ${MAX_SECONDS} seconds, got ${showValue(given)}` });
  return value;
}

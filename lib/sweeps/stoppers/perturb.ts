// How a fork's parameters differ from its parent's: drawn anew, moved a little, or kept. Pure, its random numbers keyed. Which trial forks
// from which is decided in pbt.ts.
import { deriveKey, type Key, uniformAt } from '../../training/random.js';
import type { Dimension, JsonValue, NumericDimension, Params } from '../dimension.js';
import { priorValue } from '../samplers/prior.js';

export interface PerturbOptions {
  /** That a parameter is drawn anew from its prior. */
  resampleProbability: number;
  /** What a number is else multiplied by: one of these, with equal chances. */
  factors: readonly number[];
}

/** What happened to a parameter. */
export type Change = { how: 'resampled' } | { how: 'multiplied'; factor: number } | { how: 'neighbour' } | { how: 'kept' };

export interface Perturbed {
  params: Params;
  changes: Readonly<Record<string, Change>>;
}

/** A parameter without a dimension is kept. Each parameter has random numbers of its own, by its place among the dimensions. */
export function perturb(params: Params, dimensions: Readonly<Record<string, Dimension>>, options: PerturbOptions, key: Key): Perturbed {
  const next: Record<string, JsonValue> = { ...params };
  const changes: Record<string, Change> = {};
  for (const [place, [name, dimension]] of Object.entries(dimensions).entries()) {
    const value = params[name];
    // of a condition that does not hold
    if (value === undefined) continue;
    const { value: changed, change } = perturbOne(value, dimension, options, deriveKey(key, place));
    next[name] = changed;
    changes[name] = change;
  }
  return { params: next, changes };
}

function perturbOne(value: JsonValue, dimension: Dimension, { resampleProbability, factors }: PerturbOptions, key: Key): { value: JsonValue; change: Change } {
  const resampled = uniformAt(key, 0) < resampleProbability;
  const draw = uniformAt(key, 1);
  switch (dimension.kind) {
    case 'numeric': {
      if (resampled) return { value: priorValue(dimension, draw), change: { how: 'resampled' } };
      const factor = factors[Math.floor(draw * factors.length)]!;
      return { value: timesFactor(dimension, Number(value), factor), change: { how: 'multiplied', factor } };
    }
    case 'categorical': {
      const order = orderOf(dimension.choices);
      const place = order?.indexOf(value as number) ?? -1;
      if (resampled) return { value: priorValue(dimension, draw), change: { how: 'resampled' } };
      if (order === null) return { value, change: { how: 'kept' } };
      // a value that was given from outside has no neighbours
      if (place < 0) return { value: priorValue(dimension, draw), change: { how: 'resampled' } };
      return { value: order[clip(place + (draw < 0.5 ? 1 : -1), 0, order.length - 1)]!, change: { how: 'neighbour' } };
    }
  }
}

/** Choices that are all numbers have neighbours, the next greater and the next smaller one, in whatever order they were written; null: no order. */
function orderOf(choices: readonly JsonValue[]): number[] | null {
  return choices.every((choice) => typeof choice === 'number') ? [...new Set(choices)].sort((a, b) => a - b) : null;
}

/** It is the value that is multiplied: a quantile times a number is no like change of anything. */
function timesFactor(dimension: NumericDimension, value: number, factor: number): number {
  const { values } = dimension;
  return values ? values.nearest(multiplied(values, value, factor)) : dimension.toValue(multiplied(dimension, dimension.toCoordinate(value), factor));
}

type Range = Pick<NumericDimension, 'low' | 'high' | 'step'>;

/** x·factor within the range. With a step it goes at least one, so that small integers move too. */
function multiplied(range: Range, x: number, factor: number): number {
  const { low, high, step } = range;
  const from = onGrid(range, x);
  const to = onGrid(range, from * factor);
  return step === null || to !== from ? to : onGrid(range, clip(from + step * Math.sign(from * factor - from), low, high));
}

function onGrid({ low, high, step }: Range, x: number): number {
  if (step === null) return clip(x, low, high);
  // a range that is a whole number of steps but for rounding
  const last = Math.floor((high - low) / step + 1e-9);
  return low + clip(Math.round((x - low) / step), 0, last) * step;
}

const clip = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

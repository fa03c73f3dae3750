// Dimensions for tests: plain numbers are their own coordinates.
import type { CategoricalDimension, JsonValue, NumericDimension } from '../../../../lib/sweeps/dimension.js';

interface Shape {
  log?: boolean;
  step?: number | null;
}

export function numbers(low: number, high: number, { log = false, step = null }: Shape = {}): NumericDimension {
  return { kind: 'numeric', low, high, log, step, toValue: (x) => x, toCoordinate: (value) => Math.min(Math.max(value, low), high) };
}

export const integers = (low: number, high: number, { log = false }: Shape = {}): NumericDimension => numbers(low, high, { log, step: 1 });

export const choices = (...values: JsonValue[]): CategoricalDimension => ({ kind: 'categorical', choices: values, probabilities: null });

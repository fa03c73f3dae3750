// Dimensions for tests, as plain as they can be.
import type { CategoricalDimension, JsonValue, NumericDimension } from '../../../../lib/sweeps/dimension.js';

export const numeric = (low: number, high: number, { log = false, step = null }: { log?: boolean; step?: number | null } = {}): NumericDimension => ({
  kind: 'numeric', low, high, log, step, toValue: (x) => x, toCoordinate: (value) => Math.min(Math.max(value, low), high),
});

/** What a trial gets is a thousand times the quantile, squared. */
export const squared: NumericDimension = {
  kind: 'numeric', low: 0, high: 1, log: false, step: null, toValue: (x) => 1_000 * x ** 2, toCoordinate: (value) => Math.min(Math.max(Math.sqrt(Math.max(value, 0) / 1_000), 0), 1),
};

export const categorical = (choices: readonly JsonValue[], probabilities: readonly number[] | null = null): CategoricalDimension => ({ kind: 'categorical', choices, probabilities });

// Dimensions for tests, as plain as they can be.
import type { CategoricalDimension, JsonValue, NumericDimension } from '../../../../lib/sweeps/dimension.js';

export const numeric = (low: number, high: number, { log = false, step = null }: { log?: boolean; step?: number | null } = {}): NumericDimension => ({
  kind: 'numeric', low, high, log, step, toValue: (x) => x, toCoordinate: (value) => Math.min(Math.max(value, low), high),
});

export const categorical = (choices: readonly JsonValue[], probabilities: readonly number[] | null = null): CategoricalDimension => ({ kind: 'categorical', choices, probabilities });

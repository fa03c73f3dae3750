// From uniform numbers to values: the prior of a dimension, which random draws, quasi-random points and a model's first trials share.
import type { Dimension, JsonValue, NumericDimension } from '../dimension.js';
import { bitsAt, type Key } from '../../training/random.js';

/** Uniform in (0, 1), neither end included: 53 bits of the words 2 · index and 2 · index + 1 of the key. */
export function openUniformAt(key: Key, index: number): number {
  const high = bitsAt(key, 2 * index) >>> 5;
  const low = bitsAt(key, 2 * index + 1) >>> 6;
  return (high * 2 ** 26 + low + 0.5) * 2 ** -53;
}

/** The value at a quantile of the prior, 0 < u < 1. */
export function priorValue(dimension: Dimension, u: number): JsonValue {
  if (dimension.kind === 'numeric') return dimension.toValue(priorCoordinate(dimension, u));
  const { choices, probabilities } = dimension;
  if (probabilities === null) return choices[Math.min(choices.length - 1, Math.floor(u * choices.length))] as JsonValue;
  let below = 0;
  const index = probabilities.findIndex((probability) => (below += probability) > u);
  return choices[index < 0 ? probabilities.findLastIndex((probability) => probability > 0) : index] as JsonValue;
}

/** Uniform on the coordinate, in its logarithm where `log`; each step has the half of the gap on either side, as far as there is a logarithm. */
export function priorCoordinate({ low, high, log, step }: NumericDimension, u: number): number {
  const half = (step ?? 0) / 2;
  const [from, to] = log ? [Math.log(low > half ? low - half : low), Math.log(high + half)] : [low - half, high + half];
  const at = from + u * (to - from);
  const x = log ? Math.exp(at) : at;
  const onStep = step === null ? x : low + Math.round((x - low) / step) * step;
  return Math.min(high, Math.max(low, onStep));
}

// How wide the kernels of a Parzen estimator are and how much each counts. Pure.

export interface Bandwidths {
  /** Whether the prior's mean and both ends of the interval are neighbours like the points are. */
  neighbours: 'points' | 'points-prior-ends';
  /** The least width of a kernel, as a share of the interval, for so many points. */
  least(points: number): number;
}

/**
 * A kernel is as wide as the way to the farther of its neighbours, within limits; the prior, which comes last, as the whole interval.
 * @param order the points' numbers by their positions @param widths of the points and the prior
 */
export function fillWidths(positions: Float64Array, order: Uint32Array, [low, high]: readonly [number, number], { neighbours, least }: Bandwidths, widths: Float64Array): void {
  const count = order.length;
  const range = high - low;
  const narrowest = range * least(count);
  const middle = 0.5 * (low + high);
  const endsCount = neighbours === 'points-prior-ends';
  for (let rank = 0; rank < count; rank++) {
    const here = positions[order[rank]!]!;
    let left = rank > 0 ? positions[order[rank - 1]!]! : low;
    let right = rank < count - 1 ? positions[order[rank + 1]!]! : high;
    if (endsCount) {
      if (middle <= here) left = Math.max(left, middle);
      else right = Math.min(right, middle);
    }
    let width = Math.max(here - left, right - here);
    if (!endsCount && count > 1) {
      if (rank === 0) width = right - here;
      else if (rank === count - 1) width = here - left;
    }
    widths[order[rank]!] = Math.min(Math.max(width, narrowest), range);
  }
  widths[count] = range;
}

/** So many of the newest points count fully. */
const RECENT = 25;

/** Of a point that is not better than the others at all: where all are alike, they count alike. */
const LEAST_IMPROVEMENT = 1e-12;

/** Of points in the order of their trials, and of the prior: the older of many count less. Not normalised. */
export function recencyWeights(points: number): Float64Array {
  const weights = new Float64Array(points + 1).fill(1);
  const ramp = points - RECENT;
  for (let i = 0; i < ramp; i++) weights[i] = ramp === 1 ? 1 / points : 1 / points + (i * (1 - 1 / points)) / (ramp - 1);
  return weights;
}

export const equalWeights = (points: number): Float64Array => new Float64Array(points + 1).fill(1);

/** By how much each point is better than `threshold`, the value of the best of the others; the prior as their mean. */
export function improvementWeights(values: readonly number[], threshold: number): Float64Array {
  if (!Number.isFinite(threshold) || values.length === 0) return equalWeights(values.length);
  const weights = values.map((value) => Math.max(LEAST_IMPROVEMENT, threshold - value));
  return Float64Array.from([...weights, weights.reduce((sum, weight) => sum + weight, 0) / weights.length]);
}

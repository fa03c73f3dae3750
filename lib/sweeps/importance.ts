// How much each parameter had to do with a trial's being one of the best: PED-ANOVA (https://arxiv.org/abs/2304.10255, with
// https://arxiv.org/abs/2601.20800 for parameters that not every trial has), as Optuna 5 computes it. Pure.
import type { Dimension } from './dimension.js';
import { type Axis, axisOf, isConstant, type NumericAxis, pointOf, positionOf } from './samplers/axis.js';
import { categoricalKernels, logDensities, numericKernels, type Parzen } from './samplers/parzen.js';
import type { PastTrial } from './samplers/past-trials.js';

export interface Importance {
  name: string;
  /** Of all importances: they sum to 1, or are all 0 where trials tell nothing yet. */
  share: number;
}

/** The share of trials that are the best. */
const TOP = 0.1;
/** Numbers are sorted into so many cells at most. */
const CELLS = 50;
/** Narrower kernels would leave a cell's neighbours out: 90 % of the mass are in the cell. */
const LEAST_WIDTH = 0.5 / 1.64;
/** Against division by a probability that rounds to 0. */
const LEAST_PROBABILITY = 1e-12;
const LEAST_TRIALS = 2;

/** Of complete trials with a finite value; lower values are better. @returns the most important first, constants with 0 */
export function importances(dimensions: readonly (readonly [name: string, dimension: Dimension])[], trials: readonly PastTrial[]): Importance[] {
  const all = trials.filter(({ state, value }) => state === 'complete' && value !== null && Number.isFinite(value));
  const best = bestOf(all);
  const tells = all.length >= LEAST_TRIALS && best.size < all.length;
  const divergences = dimensions.map(([name, dimension]) => (tells && !isConstant(dimension) ? divergenceOf(name, axisOf(dimension), all, best) : 0));
  const sum = divergences.reduce((total, divergence) => total + divergence, 0);
  return dimensions.map(([name], index) => ({ name, share: sum > 0 ? divergences[index]! / sum : 0 })).sort((a, b) => b.share - a.share);
}

/** All that are as good as the last of the best share. */
function bestOf(trials: readonly PastTrial[]): Set<PastTrial> {
  const values = trials.map(({ value }) => value!).sort((a, b) => a - b);
  const cutoff = values[Math.ceil(TOP * values.length) - 1]!;
  return new Set(trials.filter(({ value }) => value! <= cutoff));
}

/** Pearson's divergence of the best trials' values of a parameter from all trials', less where few of the best have it at all. */
function divergenceOf(name: string, axis: Axis, all: readonly PastTrial[], best: ReadonlySet<PastTrial>): number {
  const having = all.flatMap((trial) => {
    const point = Object.hasOwn(trial.params, name) ? pointOf(axis, trial.params[name]) : NaN;
    return Number.isNaN(point) ? [] : [{ point, isBest: best.has(trial) }];
  });
  const bestHaving = having.filter(({ isBest }) => isBest);
  if (having.length < LEAST_TRIALS || bestHaving.length === 0) return 0;
  const ofAll = probabilities(axis, having.map(({ point }) => point));
  const ofBest = probabilities(axis, bestHaving.map(({ point }) => point));
  const divergence = ofAll.reduce((sum, p, cell) => sum + p * (ofBest[cell]! / p - 1) ** 2, 0);
  return ((bestHaving.length / best.size) ** 2 / (having.length / all.length)) * divergence;
}

/** Of each choice or cell, by an estimator with a kernel for each one that was seen, which counts as often as it was. */
function probabilities(axis: Axis, points: readonly number[]): Float64Array {
  const cells = axis.kind === 'categorical' ? axis.prior.length : cellsOf(axis);
  const counts = new Float64Array(cells);
  for (const point of points) counts[axis.kind === 'categorical' ? point : cellAt(axis, point, cells)]! += 1;
  const seen = Float64Array.from([...counts.keys()].filter((cell) => counts[cell]! > 0));
  const weights = seen.map((cell) => counts[cell]!);
  const kernels = axis.kind === 'categorical' ? categoricalKernels(axis, seen) : gridKernels(cells, seen, weights);
  const parzen: Parzen = { weights: Float64Array.from([...weights, 1], (weight) => weight / (points.length + 1)), kernels: [kernels] };
  return logDensities(parzen, [Float64Array.from(counts.keys())]).map((value) => Math.exp(value) + LEAST_PROBABILITY);
}

/** Fewer where there are no more steps; of logarithmic steps, a cell an octave. */
function cellsOf({ dimension: { low, high, log, step }, lastCell }: NumericAxis): number {
  if (step === null) return CELLS;
  return Math.min(CELLS, log ? Math.ceil(Math.log2((high - low) / step + 1)) + 1 : lastCell + 1);
}

function cellAt(axis: NumericAxis, point: number, cells: number): number {
  const { low, high, log } = axis.dimension;
  const [first, last] = log ? [Math.log(low), Math.log(high)] : [low, high];
  // what lies in the middle goes to the lower cell
  const cell = Math.ceil(((positionOf(axis, point) - first) / (last - first)) * (cells - 1) - 0.5);
  return Math.min(Math.max(cell, 0), cells - 1);
}

/** Widths by Scott's rule: the same for all that was seen. */
function gridKernels(cells: number, seen: Float64Array, weights: Float64Array): Parzen['kernels'][number] {
  const grid = axisOf({ kind: 'numeric', low: 0, high: cells - 1, log: false, step: 1, toValue: (x) => x, toCoordinate: (x) => x }) as NumericAxis;
  const width = Math.max(scottWidth(seen, weights), LEAST_WIDTH);
  const means = Float64Array.from([...seen, (cells - 1) / 2]);
  return numericKernels(grid, means, Float64Array.from(means, (_, k) => (k < seen.length ? width : cells)), Uint32Array.from(means.keys()));
}

function scottWidth(seen: Float64Array, weights: Float64Array): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = seen.reduce((sum, cell, k) => sum + cell * weights[k]!, 0) / total;
  const variance = seen.reduce((sum, cell, k) => sum + weights[k]! * (cell - mean) ** 2, 0) / Math.max(1, total - 1);
  const range = quantile(seen, weights, (sum) => sum > Math.floor((total * 3) / 4)) - quantile(seen, weights, (sum) => sum >= Math.floor(total / 4));
  return 1.059 * Math.min(range / 1.34, Math.sqrt(variance)) * total ** -0.2;
}

/** The first cell whose running sum is enough; the last if none is. */
function quantile(seen: Float64Array, weights: Float64Array, isEnough: (sum: number) => boolean): number {
  let sum = 0;
  for (let k = 0; k < seen.length; k++) {
    sum += weights[k]!;
    if (isEnough(sum)) return seen[k]!;
  }
  return seen.at(-1)!;
}

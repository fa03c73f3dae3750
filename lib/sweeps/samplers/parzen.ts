// A Parzen estimator over several axes at once: a mixture with one kernel a trial, and one for the prior. A kernel is a product over the
// axes, so that what went together in a trial goes together in a draw. Densities are over the lines of the axes (ln x where
// logarithmic); over cells and choices they are probabilities. Pure.
import { deriveKey, type Key, uniformAt } from '../../training/random.js';
import { type Axis, type CategoricalAxis, cellOf, choose, nearestPoint, type NumericAxis, positionOf } from './axis.js';
import { type Bandwidths, fillWidths } from './bandwidths.js';
import { drawTruncatedNormal, LOG_SQRT_2_PI, logMass } from './truncated-normal.js';

/** A choice that is never drawn has a density all the same: a trial from outside may have it. */
const LEAST_PROBABILITY = 1e-6;

/** The kernels along one axis; the prior's is the last. */
export type Kernels = NumericKernels | CategoricalKernels;

export interface NumericKernels {
  kind: 'numeric';
  axis: NumericAxis;
  means: Float64Array;
  widths: Float64Array;
  /** ln of what the density of a kernel is divided by. */
  logNorms: Float64Array;
  /** Kernels by their means, the prior's last: alike ones are neighbours. */
  order: Uint32Array;
}

export interface CategoricalKernels {
  kind: 'categorical';
  choices: number;
  /** Of each kernel, where its row begins: kernels of trials with the same choice are alike. */
  offsets: Uint32Array;
  /** Rows of `choices` probabilities: one for each choice that a trial may have had, then the prior's. */
  rows: Float64Array;
  logRows: Float64Array;
}

export interface Parzen {
  /** Of the kernels; sums to 1. */
  weights: Float64Array;
  /** One an axis. */
  kernels: readonly Kernels[];
}

/** @param points an array an axis, of points in the order of their trials @param weights of the points, then of the prior */
export function makeParzen(axes: readonly Axis[], points: readonly Float64Array[], weights: Float64Array, bandwidths: Bandwidths): Parzen {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return {
    weights: weights.map((weight) => weight / sum),
    kernels: axes.map((axis, index) => (axis.kind === 'categorical' ? categoricalKernels(axis, points[index]!) : fittedKernels(axis, points[index]!, bandwidths))),
  };
}

function fittedKernels(axis: NumericAxis, points: Float64Array, bandwidths: Bandwidths): NumericKernels {
  const { low, high } = axis;
  const count = points.length;
  const means = new Float64Array(count + 1);
  for (let k = 0; k < count; k++) means[k] = positionOf(axis, points[k]!);
  means[count] = 0.5 * (low + high);
  const order = Uint32Array.from(means.keys());
  const byMean = order.subarray(0, count).sort((a, b) => means[a]! - means[b]! || a - b);
  const widths = new Float64Array(count + 1);
  fillWidths(means, byMean, [low, high], bandwidths, widths);
  return numericKernels(axis, means, widths, order);
}

/** @param order of the kernels in which alike ones are neighbours */
export function numericKernels(axis: NumericAxis, means: Float64Array, widths: Float64Array, order: Uint32Array): NumericKernels {
  const { low, high, step } = axis;
  const logNorms = means.map((mean, k) => {
    const within = logMass((low - mean) / widths[k]!, (high - mean) / widths[k]!);
    return step === 0 ? within + Math.log(widths[k]!) + LOG_SQRT_2_PI : within;
  });
  return { kind: 'numeric', axis, means, widths, logNorms, order };
}

/** The prior spread over all kernels, and one more for the choice that was seen. */
export function categoricalKernels({ prior }: CategoricalAxis, points: Float64Array): CategoricalKernels {
  const choices = prior.length;
  const count = points.length + 1;
  const rows = new Float64Array((choices + 1) * choices);
  for (let seen = 0; seen <= choices; seen++) {
    const row = rows.subarray(seen * choices, (seen + 1) * choices);
    for (let c = 0; c < choices; c++) row[c] = (choices * Math.max(prior[c]!, LEAST_PROBABILITY)) / count + (c === seen ? 1 : 0);
    const sum = row.reduce((total, probability) => total + probability, 0);
    for (let c = 0; c < choices; c++) row[c]! /= sum;
  }
  const offsets = new Uint32Array(count).fill(choices * choices);
  for (let k = 0; k < points.length; k++) offsets[k] = points[k]! * choices;
  return { kind: 'categorical', choices, offsets, rows, logRows: rows.map(Math.log) };
}

/** Draws. @returns an array an axis, of `count` points */
export function drawPoints({ weights, kernels }: Parzen, count: number, key: Key): Float64Array[] {
  const chosen = deriveKey(key, 0);
  const points = kernels.map(() => new Float64Array(count));
  for (let i = 0; i < count; i++) {
    const k = choose(weights, 0, weights.length, uniformAt(chosen, i));
    const own = deriveKey(key, i + 1);
    for (const [index, each] of kernels.entries()) points[index]![i] = drawFromKernel(each, k, deriveKey(own, index));
  }
  return points;
}

function drawFromKernel(kernels: Kernels, k: number, key: Key): number {
  if (kernels.kind === 'categorical') return choose(kernels.rows, kernels.offsets[k]!, kernels.choices, uniformAt(key, 0));
  const { axis, means, widths } = kernels;
  return nearestPoint(axis, drawTruncatedNormal(key, means[k]!, widths[k]!, axis.low, axis.high));
}

/** ln of the density at each of the points, given as an array an axis. */
export function logDensities({ weights, kernels }: Parzen, points: readonly Float64Array[]): Float64Array {
  const count = points[0]?.length ?? 0;
  const width = weights.length;
  // one row a point, one column a kernel
  const terms = new Float64Array(count * width);
  const logWeights = weights.map(Math.log);
  for (let i = 0; i < count; i++) terms.set(logWeights, i * width);
  for (const [index, each] of kernels.entries()) {
    if (each.kind === 'categorical') addChoices(each, points[index]!, terms);
    else if (each.axis.step === 0) addDensities(each, points[index]!, terms);
    else addCells(each, points[index]!, terms);
  }
  return Float64Array.from({ length: count }, (_, i) => logSumExp(terms, i * width, width));
}

function addChoices({ logRows, offsets }: CategoricalKernels, points: Float64Array, terms: Float64Array): void {
  const width = offsets.length;
  for (let i = 0; i < points.length; i++) {
    const first = i * width;
    const choice = points[i]!;
    for (let k = 0; k < width; k++) terms[first + k]! += logRows[offsets[k]! + choice]!;
  }
}

function addDensities({ means, widths, logNorms }: NumericKernels, points: Float64Array, terms: Float64Array): void {
  const width = means.length;
  for (let i = 0; i < points.length; i++) {
    const x = points[i]!;
    const offset = i * width;
    for (let k = 0; k < width; k++) {
      const z = (x - means[k]!) / widths[k]!;
      terms[offset + k]! -= 0.5 * z * z + logNorms[k]!;
    }
  }
}

/** Cells and kernels repeat: a mass is computed once for a cell, and once for neighbours that are alike. */
function addCells({ axis, means, widths, logNorms, order }: NumericKernels, points: Float64Array, terms: Float64Array): void {
  const width = means.length;
  const masses = new Float64Array(width);
  const done = new Uint8Array(points.length);
  for (let first = 0; first < points.length; first++) {
    if (done[first] === 1) continue;
    const [left, right] = cellOf(axis, points[first]!);
    let [mean, deviation, mass] = [NaN, NaN, NaN];
    for (let rank = 0; rank < width; rank++) {
      const k = order[rank]!;
      if (means[k] !== mean || widths[k] !== deviation) {
        mean = means[k]!;
        deviation = widths[k]!;
        mass = logMass((left - mean) / deviation, (right - mean) / deviation) - logNorms[k]!;
      }
      masses[k] = mass;
    }
    for (let i = first; i < points.length; i++) {
      if (points[i] !== points[first]) continue;
      done[i] = 1;
      const offset = i * width;
      for (let k = 0; k < width; k++) terms[offset + k]! += masses[k]!;
    }
  }
}

function logSumExp(terms: Float64Array, from: number, count: number): number {
  let greatest = -Infinity;
  for (let k = from; k < from + count; k++) greatest = Math.max(greatest, terms[k]!);
  if (greatest === -Infinity) return greatest;
  let sum = 0;
  for (let k = from; k < from + count; k++) sum += Math.exp(terms[k]! - greatest);
  return greatest + Math.log(sum);
}

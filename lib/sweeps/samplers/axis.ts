// A dimension as an estimator of densities sees it: a stretch of a line that is already logarithmic where the dimension is, or numbered
// choices. What lies where, and back; nothing of trials. Pure.
import { canonicalJson } from '../../training/canonical-json.js';
import { type Key, uniformAt } from '../../training/random.js';
import type { CategoricalDimension, Dimension, JsonValue, NumericDimension } from '../dimension.js';

/** Points of a continuous axis are positions on its line (ln x where the dimension is logarithmic); of a stepped axis, coordinates x. */
export interface NumericAxis {
  kind: 'numeric';
  dimension: NumericDimension;
  /** Of the line. With a step, the outer edges of the first and the last cell: half a step beyond their coordinates. */
  low: number;
  high: number;
  /** 0: continuous. */
  step: number;
  /** With a step: the number of the last cell. */
  lastCell: number;
}

/** Points are numbers of choices. */
export interface CategoricalAxis {
  kind: 'categorical';
  dimension: CategoricalDimension;
  /** Of the choices, by what `labelOf` makes of them. */
  numbers: ReadonlyMap<Label, number>;
  /** The prior's probability of each choice. */
  prior: Float64Array;
}

export type Axis = NumericAxis | CategoricalAxis;

export function axisOf(dimension: Dimension): Axis {
  if (dimension.kind === 'categorical') {
    const { choices, probabilities } = dimension;
    // of two alike choices, the first
    const numbers = new Map(choices.map((choice, number) => [labelOf(choice), number] as const).reverse());
    return { kind: 'categorical', dimension, numbers, prior: Float64Array.from(choices, (_, number) => probabilities?.[number] ?? 1 / choices.length) };
  }
  const { low, high, log, step } = dimension;
  const line = (x: number): number => (log ? Math.log(x) : x);
  if (step === null) return { kind: 'numeric', dimension, low: line(low), high: line(high), step: 0, lastCell: 0 };
  const lastCell = Math.floor((high - low) / step + 1e-9);
  return { kind: 'numeric', dimension, low: line(lowerEdge(dimension, step, low)), high: line(low + (lastCell + 0.5) * step), step, lastCell };
}

type Label = string | number | boolean | null;

/** Equal for values that are the same JSON. */
function labelOf(value: JsonValue): Label {
  if (typeof value === 'string') return `"${value}`;
  return typeof value === 'object' && value !== null ? canonicalJson(value) : value;
}

/** Of a cell, as a coordinate. The first cell of a logarithmic axis stays above 0, even where the step is long. */
function lowerEdge({ low, log }: NumericDimension, step: number, x: number): number {
  return log ? Math.max(x - step / 2, low / 2) : x - step / 2;
}

/** Only one value is possible: there is nothing to learn. */
export function isConstant(dimension: Dimension): boolean {
  if (dimension.kind === 'categorical') return dimension.choices.length === 1;
  return dimension.high - dimension.low < (dimension.step ?? Number.MIN_VALUE) * (1 - 1e-9);
}

/** The point of a value; NaN if the axis has none, or a trial had no such parameter. */
export function pointOf(axis: Axis, value: JsonValue | undefined): number {
  if (value === undefined) return NaN;
  if (axis.kind === 'categorical') return axis.numbers.get(labelOf(value)) ?? NaN;
  if (typeof value !== 'number') return NaN;
  const x = axis.dimension.toCoordinate(value);
  return axis.step === 0 && axis.dimension.log ? Math.log(x) : x;
}

/** The value at a point. */
export function valueAt(axis: Axis, point: number): JsonValue {
  if (axis.kind === 'categorical') return axis.dimension.choices[point]!;
  const { dimension, step } = axis;
  if (step !== 0) return dimension.toValue(point);
  return dimension.toValue(Math.min(Math.max(dimension.log ? Math.exp(point) : point, dimension.low), dimension.high));
}

/** Where a point lies on the line. */
export function positionOf({ dimension, step }: NumericAxis, point: number): number {
  return step !== 0 && dimension.log ? Math.log(point) : point;
}

/** The point at a position on the line: with a step, of the cell around it. */
export function nearestPoint({ dimension, step, lastCell }: NumericAxis, position: number): number {
  if (step === 0) return position;
  const cell = Math.round(((dimension.log ? Math.exp(position) : position) - dimension.low) / step);
  return dimension.low + Math.min(Math.max(cell, 0), lastCell) * step;
}

/** The edges on the line of the cell around a point. */
export function cellOf({ dimension, step }: NumericAxis, point: number): [number, number] {
  const left = lowerEdge(dimension, step, point);
  const right = point + step / 2;
  return dimension.log ? [Math.log(left), Math.log(right)] : [left, right];
}

/** A point as the prior has it: uniform on the line, or a choice by its probability. */
export function drawFromPrior(axis: Axis, key: Key): number {
  const u = uniformAt(key, 0);
  if (axis.kind === 'categorical') return choose(axis.prior, 0, axis.prior.length, u);
  return nearestPoint(axis, axis.low + u * (axis.high - axis.low));
}

/** The first of `count` entries from `offset` on whose running sum exceeds u, 0 ≤ u < 1. Of the last where rounding leaves the sum short. */
export function choose(probabilities: Float64Array, offset: number, count: number, u: number): number {
  let sum = 0;
  let last = 0;
  for (let number = 0; number < count; number++) {
    const probability = probabilities[offset + number]!;
    if (probability > 0) last = number;
    sum += probability;
    if (u < sum) return number;
  }
  return last;
}

// One parameter of a search as the samplers see it: either choices, or numbers on an interval. Pure.

/** What a parameter may be, as in a JSON file. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Values without an order. A constant is one choice. */
export interface CategoricalDimension {
  kind: 'categorical';
  choices: readonly JsonValue[];
  /** Sums to 1; null: all alike. */
  probabilities: readonly number[] | null;
}

/**
 * Numbers. Samplers work on a coordinate x from `low` to `high`, on which the prior is uniform (in ln x where `log`); what a trial gets
 * is `toValue(x)`. For plain and log-uniform numbers x is the value itself; for other distributions it is the quantile, from 0 to 1.
 */
export interface NumericDimension {
  kind: 'numeric';
  low: number;
  high: number;
  log: boolean;
  /** x is low + k·step; null: any number. */
  step: number | null;
  toValue(x: number): number;
  /** The inverse, clipped into [low, high]: of values that were given from outside too. */
  toCoordinate(value: number): number;
  /** Where x is a quantile: the values themselves, of which twice x says nothing. Absent: x is the value. */
  values?: ValueRange;
}

interface ValueRange {
  low: number;
  high: number;
  /** Values are multiples of it; null: any numbers. */
  step: number | null;
  /** The value that is next to a number. */
  nearest(x: number): number;
}

export type Dimension = CategoricalDimension | NumericDimension;

/** What a trial was given, by the parameter's name. */
export type Params = Readonly<Record<string, JsonValue>>;

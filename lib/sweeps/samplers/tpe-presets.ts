// What the variants of the Parzen estimator's algorithm differ in. Pure.
import { type Bandwidths, equalWeights, improvementWeights, recencyWeights } from './bandwidths.js';
import { type PastTrial, scoreOf } from './past-trials.js';

export interface Rules {
  /** How many of so many finished trials are taken for good ones. */
  good(finished: number): number;
  /** One a trial and one for the prior, not normalised. `threshold`: the best value of the trials that are not good. */
  weightsBelow(trials: readonly PastTrial[], threshold: number): Float64Array;
  weightsAbove(trials: number): Float64Array;
  bandwidths: Bandwidths;
}

/** A greater share says nothing more about where the good ones are. */
const MOST_GOOD = 25;

/** Optuna 5.0's defaults. */
const optuna5: Rules = {
  good: (finished) => Math.min(Math.ceil(0.1 * finished), MOST_GOOD),
  weightsBelow: (trials) => recencyWeights(trials.length),
  weightsAbove: recencyWeights,
  bandwidths: { neighbours: 'points', least: (points) => 1 / Math.min(100, points + 2) },
};

/** The recommendation of https://arxiv.org/abs/2304.11127, as OptunaHub's `tpe_tutorial` has it. */
const watanabe2023: Rules = {
  good: (finished) => Math.min(Math.ceil(0.15 * finished), MOST_GOOD),
  weightsBelow: (trials, threshold) => improvementWeights(trials.map(scoreOf), threshold),
  weightsAbove: equalWeights,
  bandwidths: { neighbours: 'points-prior-ends', least: (points) => Math.max(0.03, (1 / (points + 2)) ** 2) },
};

export const PRESETS = { optuna5, watanabe2023 } as const satisfies Record<string, Rules>;
export type Preset = keyof typeof PRESETS;

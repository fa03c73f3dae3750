// What the variants of the Parzen estimator's algorithm differ in. docs/decisions/0026-tpe-beyond-optuna.md has what each of our own two
// changes is worth. Pure.
import { type Bandwidths, equalWeights, improvementWeights, recencyWeights } from './bandwidths.js';
import { type PastTrial, scoreOf } from './past-trials.js';

export interface Rules {
  /** How many of so many finished trials are taken for good ones. */
  good(finished: number): number;
  /** One a trial and one for the prior, not normalised. `threshold`: the best value of the trials that are not good. */
  weightsBelow(trials: readonly PastTrial[], threshold: number): Float64Array;
  weightsAbove(trials: number): Float64Array;
  bandwidths: Bandwidths;
  /** The share of trials in which one choice comes from the prior and everything else is drawn for it. */
  exploration: number;
}

/** A greater share says nothing more about where the good ones are. */
const MOST_GOOD = 25;

/** By improvement where every good trial is complete. What a pruned one reported last is no value to compare with one of the end. */
const improvementOr = (otherwise: (points: number) => Float64Array): Rules['weightsBelow'] => (trials, threshold) =>
  trials.every(({ state }) => state === 'complete') ? improvementWeights(trials.map(scoreOf), threshold) : otherwise(trials.length);

/** Optuna 5.0's defaults. */
const optuna5: Rules = {
  good: (finished) => Math.min(Math.ceil(0.1 * finished), MOST_GOOD),
  weightsBelow: (trials) => recencyWeights(trials.length),
  weightsAbove: recencyWeights,
  bandwidths: { neighbours: 'points', least: (points) => 1 / Math.min(100, points + 2) },
  exploration: 0,
};

/**
 * Ours. In a joint estimator a choice that the first good trials happened to have keeps all others out: nothing else is ever drawn with
 * it. So good trials count by how good they are, and one trial in ten tries a choice whatever the good ones say.
 */
const pawl: Rules = { ...optuna5, weightsBelow: improvementOr(recencyWeights), exploration: 0.1 };

/** The recommendation of https://arxiv.org/abs/2304.11127, as OptunaHub's `tpe_tutorial` has it. */
const watanabe2023: Rules = {
  good: (finished) => Math.min(Math.ceil(0.15 * finished), MOST_GOOD),
  weightsBelow: improvementOr(equalWeights),
  weightsAbove: equalWeights,
  bandwidths: { neighbours: 'points-prior-ends', least: (points) => Math.max(0.03, (1 / (points + 2)) ** 2) },
  exploration: 0,
};

export const PRESETS = { pawl, optuna5, watanabe2023 } as const satisfies Record<string, Rules>;
export type Preset = keyof typeof PRESETS;

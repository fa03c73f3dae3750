// Optuna's median rule: a trial stops whose best value so far is worse than the median of what completed trials had at the same step. Pure.
// https://optuna.readthedocs.io/en/stable/reference/generated/optuna.pruners.MedianPruner.html
import { bestOf, compareValues, type Goal, isNumber, type Value } from './ranking.js';

/** What a trial has reported: the value at each count of updates or samples, in order. */
export type Reported = readonly { step: number; value: Value }[];

export interface MedianOptions {
  /** Completed trials before any is stopped. */
  startupTrials: number;
  /** No trial is stopped before this step. */
  warmup: number;
}

export const MEDIAN_DEFAULTS: MedianOptions = { startupTrials: 5, warmup: 0 };

export interface MedianVerdict {
  verdict: 'continue' | 'stop';
  why: {
    step: number;
    /** The best so far. */
    value: Value;
    /** Completed trials with a value at this step. */
    of: number;
    /** Their median; null if it was not asked for, or there is none. */
    cutoff: Value;
  };
}

/**
 * Judges a trial at its newest report. Optuna is followed but for one thing: a newest value that is none stops the trial at once, also
 * before the start-up and warm-up are over and whatever was better before, because a training that has diverged does not come back.
 * @throws RangeError if nothing was reported
 */
export function judgeByMedian(reported: Reported, completed: readonly Reported[], { startupTrials, warmup }: MedianOptions, goal: Goal): MedianVerdict {
  const newest = reported.at(-1);
  if (!newest) throw new RangeError('nothing was reported');
  const { step } = newest;
  const value = bestOf(reported.map((each) => each.value), goal);
  const others = completed.flatMap((trial) => trial.filter((each) => each.step === step && isNumber(each.value)).map((each) => each.value as number));
  const cutoff = completed.length < startupTrials || step < warmup ? null : medianOf(others);
  const stops = !isNumber(newest.value) || (cutoff !== null && compareValues(value, cutoff, goal) > 0);
  return { verdict: stops ? 'stop' : 'continue', why: { step, value, of: others.length, cutoff } };
}

function medianOf(values: readonly number[]): Value {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

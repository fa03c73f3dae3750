import { describe, expect, test } from 'vitest';
import { lastStep, type PastTrial, scoreOf, splitTrials } from '../../../../lib/sweeps/samplers/past-trials.js';
import { PRESETS } from '../../../../lib/sweeps/samplers/tpe-presets.js';

const complete = (number: number, value: number | null): PastTrial => ({ number, params: {}, state: 'complete', value, steps: [] });
const pruned = (number: number, ...steps: [step: number, value: number][]): PastTrial => ({ number, params: {}, state: 'pruned', value: null, steps: steps.map(([step, value]) => ({ step, value })) });
const running = (number: number): PastTrial => ({ number, params: {}, state: 'running', value: null, steps: [{ step: 1, value: -100 }] });
const failed = (number: number): PastTrial => ({ number, params: {}, state: 'failed', value: -100, steps: [] });

const numbersOf = (trials: readonly PastTrial[]): number[] => trials.map(({ number }) => number);
/** The order of goodness: who comes in as more are taken. */
function order(trials: readonly PastTrial[]): number[] {
  const seen: number[] = [];
  for (let good = 1; good <= trials.length; good++) seen.push(...numbersOf(splitTrials(trials, good).below).filter((number) => !seen.includes(number)));
  return seen;
}

test.each([[1, 1], [5, 1], [10, 1], [11, 2], [20, 2], [100, 10], [250, 25], [251, 25], [400, 25]])('of %d finished trials %d are good', (finished, expected) => {
  expect(PRESETS.optuna5.good(finished)).toBe(expected);
});

describe('the order of finished trials', () => {
  test('is by value; of equal ones the older is better', () => {
    expect(order([complete(4, 2), complete(3, 1), complete(2, 2), complete(1, 3)])).toEqual([3, 2, 4, 1]);
  });

  test('has pruned trials after complete ones, those that came far first, then by their last value', () => {
    expect(order([pruned(0, [1, 0.1]), pruned(1, [1, 9], [3, 5]), pruned(2, [3, 4]), pruned(3), complete(4, 100)])).toEqual([4, 2, 1, 0, 3]);
  });

  test('takes the greatest step for the last, in whatever order they were reported', () => {
    expect(lastStep(pruned(0, [5, 1], [2, 7]))).toEqual({ step: 5, value: 1 });
    expect(lastStep(pruned(0, [5, 1], [5, 2]))).toEqual({ step: 5, value: 2 });
    expect(scoreOf(pruned(0, [5, 1], [2, 7]))).toBe(1);
  });
});

describe('what is good', () => {
  test('never runs and has never failed', () => {
    const { below, above } = splitTrials([running(0), failed(1), complete(2, 5), running(3)], 4);
    expect([numbersOf(below), numbersOf(above)]).toEqual([[2], [0, 3]]);
  });

  test.each([NaN, -Infinity, Infinity, null])('has no value of %d, even if there is nothing else', (value) => {
    const { below, above } = splitTrials([complete(0, value), pruned(1, [3, value ?? NaN]), complete(2, 1)], 3);
    expect([numbersOf(below), numbersOf(above)]).toEqual([[2], [0, 1]]);
  });

  test('is in the order of the trials’ numbers, like the rest', () => {
    const { below, above, threshold } = splitTrials([complete(5, 1), complete(3, 4), complete(2, 2), complete(1, 3), running(0)], 2);
    expect([numbersOf(below), numbersOf(above), threshold]).toEqual([[2, 5], [0, 1, 3], 3]);
  });
});

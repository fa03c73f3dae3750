import { describe, expect, test } from 'vitest';
import type { Dimension, Params } from '../../../lib/sweeps/dimension.js';
import { importances } from '../../../lib/sweeps/importance.js';
import type { PastTrial } from '../../../lib/sweeps/samplers/past-trials.js';
import { choices, integers, numbers } from './samplers/dimensions.js';

const complete = (number: number, params: Params, value: number | null): PastTrial => ({ number, params, state: 'complete', value, steps: [] });
/** Spread evenly over [0, 1), a different way for every prime. */
const spread = (number: number, prime: number): number => ((number + 1) * Math.sqrt(prime)) % 1;
const shares = (dimensions: readonly (readonly [string, Dimension])[], trials: readonly PastTrial[]): Record<string, number> =>
  Object.fromEntries(importances(dimensions, trials).map(({ name, share }) => [name, share]));

describe('the importances of parameters', () => {
  const square = [['x', numbers(-10, 10)], ['y', numbers(-10, 10)]] as const;
  const inSquare = (count: number, value: (x: number, y: number) => number): PastTrial[] =>
    Array.from({ length: count }, (_, i) => {
      const [x, y] = [-10 + 20 * spread(i, 2), -10 + 20 * spread(i, 3)];
      return complete(i, { x, y }, value(x, y));
    });

  test('are those that Optuna 5.0.0 computes, of every kind of parameter and one that only some trials have', () => {
    const dimensions = [
      ['x', numbers(-10, 10)], ['lr', numbers(1e-5, 1, { log: true })], ['n', integers(1, 8)],
      ['f', integers(8, 256, { log: true })], ['c', choices('a', 'b', 'c')], ['q', numbers(0, 1, { step: 0.25 })],
    ] as const;
    const trials = Array.from({ length: 200 }, (_, i) => {
      const [x, lr] = [-10 + 20 * spread(i, 2), 10 ** (-5 + 5 * spread(i, 3))];
      const [n, f] = [1 + Math.floor(8 * spread(i, 5)), 8 + Math.floor(249 * spread(i, 7))];
      const [c, q] = ['abc'[Math.floor(3 * spread(i, 11))]!, 0.25 * Math.floor(5 * spread(i, 13))];
      const value = (x - 2) ** 2 / 50 + Math.abs(Math.log10(lr) + 3) + 0.1 * n + (c === 'b' ? 0.5 : 0) + 0.05 * Math.log2(f) + (i % 3 === 0 ? 0.5 : q);
      return complete(i, i % 3 === 0 ? { x, lr, n, f, c } : { x, lr, n, f, c, q }, value);
    });
    const found = importances(dimensions, trials);
    expect(found.map(({ name }) => name)).toEqual(['lr', 'x', 'n', 'q', 'c', 'f']);
    for (const [index, share] of [0.585515508807, 0.329303397823, 0.0370564196834, 0.0259400842786, 0.0209395027048, 0.00124508670311].entries()) {
      expect(found[index]!.share).toBeCloseTo(share, 9);
    }
  });

  test('give a parameter that decides alone almost everything', () => {
    const { x, y } = shares(square, inSquare(300, (a, b) => a + b / 1000));
    expect(x).toBeGreaterThan(0.95);
    expect(y).toBeLessThan(0.05);
  });

  test('are equal where two parameters decide alike', () => {
    const { x, y } = shares(square, inSquare(2_000, (a, b) => a ** 2 + b ** 2));
    expect(Math.abs(x! - y!)).toBeLessThan(0.1);
  });

  test('are the closed form of two choices', () => {
    // all ten best have 'a' and 1; half of all have 'a', and three quarters have 1
    const trials = Array.from({ length: 100 }, (_, i) => complete(i, { c: i < 50 ? 'a' : 'b', d: i < 40 || i >= 65 ? 1 : 2 }, i));
    // a kernel for each choice seen, of 1 + 1/K and 1/K before it is normalised, K with the prior's
    const [one, two] = [1.5 / 2, (4 / 3) / (5 / 3)];
    const best = (10 * one + 0.5) / 11;
    const ofAll = (count: number): number => (count * two + (100 - count) * (1 - two) + 0.5) / 101;
    const divergence = (p: number): number => p * (best / p - 1) ** 2 + (1 - p) * ((1 - best) / (1 - p) - 1) ** 2;
    const [c, d] = [divergence(ofAll(50)), divergence(ofAll(75))];
    const found = shares([['c', choices('a', 'b')], ['d', choices(1, 2)]], trials);
    expect(found.c).toBeCloseTo(c / (c + d), 9);
    expect(found.d).toBeCloseTo(d / (c + d), 9);
  });

  test('sum to 1; a constant has none', () => {
    const found = shares([...square, ['same', choices('a')]], inSquare(60, (x, y) => x * y).map((trial) => ({ ...trial, params: { ...trial.params, same: 'a' } })));
    expect(found.same).toBe(0);
    expect(Object.values(found).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  });

  test('look at complete trials with a value only', () => {
    const trials = inSquare(100, (x) => x);
    const others: PastTrial[] = [
      complete(100, { x: 3, y: 3 }, NaN), complete(101, { x: 3, y: 3 }, -Infinity), complete(102, { x: 3, y: 3 }, null),
      { ...trials[0]!, number: 103, state: 'pruned' }, { ...trials[0]!, number: 104, state: 'running' }, { ...trials[0]!, number: 105, state: 'failed' },
    ];
    expect(importances(square, [...trials, ...others])).toEqual(importances(square, trials));
  });

  test.each([0, 1])('of %d trials are 0', (count) => {
    expect(importances(square, inSquare(count, (x) => x))).toEqual([{ name: 'x', share: 0 }, { name: 'y', share: 0 }]);
  });

  test('of trials that are all alike are 0', () => {
    expect(importances(square, inSquare(50, () => 1)).map(({ share }) => share)).toEqual([0, 0]);
  });
});

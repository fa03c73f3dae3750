import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Dimension, JsonValue } from '../../../../lib/sweeps/dimension.js';
import { type DistributionInput, parseDistribution } from '../../../../lib/sweeps/distributions.js';
import { perturb } from '../../../../lib/sweeps/stoppers/perturb.js';
import { keyOf } from '../../../../lib/training/random.js';
import { categorical, numeric } from './dimensions.js';

const factors = [1.2, 0.8] as const;
const keys = Array.from({ length: 2_000 }, (_, n) => keyOf(7, 'test', n));
/** What becomes of one value, with many keys. */
const outcomes = (value: JsonValue, dimension: Dimension, resampleProbability = 0) =>
  keys.map((key) => {
    const { params, changes } = perturb({ a: value }, { a: dimension }, { resampleProbability, factors }, key);
    return { value: params['a']!, change: changes['a']! };
  });
const valuesOf = (value: JsonValue, dimension: Dimension, resampleProbability = 0) => new Set(outcomes(value, dimension, resampleProbability).map((each) => each.value));
const share = (all: readonly { value: JsonValue }[], wanted: JsonValue) => all.filter(({ value }) => value === wanted).length / all.length;

describe('a number', () => {
  test('is multiplied by 1.2 or 0.8, as often by one as by the other', () => {
    const all = outcomes(5, numeric(0, 100));
    expect(new Set(all.map(({ value }) => value))).toEqual(new Set([6, 4]));
    expect(Math.abs(share(all, 6) - 0.5)).toBeLessThan(0.05);
    for (const { value, change } of all) expect(change).toEqual({ how: 'multiplied', factor: value === 6 ? 1.2 : 0.8 });
  });

  test('stays in its range', () => {
    expect(valuesOf(95, numeric(0, 100))).toEqual(new Set([100, 76]));
    expect(valuesOf(5.5, numeric(5, 100))).toEqual(new Set([5, 6.6]));
    // a value that was given from outside
    expect(valuesOf(1_000, numeric(0, 100))).toEqual(new Set([100, 80]));
  });

  test.each<[DistributionInput, number, number[]]>([
    [{ distribution: 'log_normal', mu: -6, sigma: 2 }, 0.00284, [0.002272, 0.003408]],
    [{ distribution: 'log_normal' }, 1e-3, [8e-4, 1.2e-3]],
    [{ distribution: 'normal', mu: 3 }, -2, [-2.4, -1.6]],
    // within what is ever drawn
    [{ distribution: 'normal', mu: 100 }, 107, [91.79, 108.21]],
    [{ distribution: 'beta', a: 2, b: 3 }, 0.5, [0.4, 0.6]],
    [{ distribution: 'beta', a: 2, b: 3 }, 0.95, [0.76, 1]],
    // to the nearest multiple, and at least one step
    [{ distribution: 'q_normal', mu: 50, sigma: 20 }, 64, [51, 77]],
    [{ distribution: 'q_normal', sigma: 5 }, -2, [-3, -1]],
    [{ distribution: 'q_normal' }, 0, [0]],
    [{ distribution: 'q_normal', q: 0.1 }, 0.7, [0.6, 0.8]],
    [{ distribution: 'q_log_normal', mu: 2, q: 5 }, 10, [5, 15]],
    [{ distribution: 'q_beta', a: 2, b: 3, q: 0.1 }, 0.9, [0.7, 1]],
  ])('of %j is multiplied itself, not its quantile: %d', (distribution, value, expected) => {
    const parsed = parseDistribution(distribution, 'a');
    if ('problems' in parsed) throw new Error(JSON.stringify(parsed.problems));
    const found = [...valuesOf(value, parsed.dimension)].map(Number).sort((a, b) => a - b);
    if (distribution.distribution!.startsWith('q_')) expect(found).toEqual(expected);
    else expect(found.map((each, index) => each / expected[index]!)).toEqual(expected.map(() => expect.closeTo(1, 4) as number));
  });

  test('with a step stays on its grid and goes at least one step', () => {
    expect(valuesOf(2, numeric(1, 10, { step: 1 }))).toEqual(new Set([1, 3]));
    expect(valuesOf(10, numeric(1, 10, { step: 1 }))).toEqual(new Set([10, 8]));
    expect(valuesOf(1, numeric(1, 10, { step: 1 }))).toEqual(new Set([1, 2]));
    expect(valuesOf(64, numeric(8, 256, { log: true, step: 8 }))).toEqual(new Set([48, 80]));
    // the grid's last point is below the end
    expect(valuesOf(9, numeric(0, 11, { step: 3 }))).toEqual(new Set([6, 9]));
  });

  test('that is negative or zero stays in its range too', () => {
    expect(valuesOf(-5, numeric(-10, 10))).toEqual(new Set([-4, -6]));
    expect(valuesOf(0, numeric(-10, 10))).toEqual(new Set([0]));
    expect(valuesOf(-3, numeric(-10, 10, { step: 1 }))).toEqual(new Set([-2, -4]));
  });

  test('is drawn anew from its prior a quarter of the time', () => {
    const all = outcomes(5, numeric(0, 100), 0.25);
    const anew = all.filter(({ change }) => change.how === 'resampled').map(({ value }) => Number(value));
    expect(Math.abs(anew.length / all.length - 0.25)).toBeLessThan(0.04);
    expect(Math.abs(anew.filter((value) => value < 50).length / anew.length - 0.5)).toBeLessThan(0.08);
    const logs = outcomes(0.1, numeric(1e-4, 1, { log: true }), 1).map(({ value }) => Number(value));
    expect(Math.abs(logs.filter((value) => value < 0.01).length / logs.length - 0.5)).toBeLessThan(0.05);
  });

  test('is drawn from all points of its grid alike', () => {
    const all = outcomes(1, numeric(1, 4, { step: 1 }), 1);
    for (const value of [1, 2, 3, 4]) expect(Math.abs(share(all, value) - 0.25)).toBeLessThan(0.04);
    // a first point that is no further from zero than half a step has no cell below
    expect(valuesOf(8, numeric(1, 9, { log: true, step: 8 }), 1)).toEqual(new Set([1, 9]));
  });

  test('is always on the grid and in the range', () => {
    const ranges = fc.record({ low: fc.integer({ min: 1, max: 50 }), steps: fc.integer({ min: 0, max: 30 }), step: fc.constantFrom(0.1, 0.25, 1, 3), log: fc.boolean(), at: fc.nat(30), n: fc.nat(1_999) });
    fc.assert(
      fc.property(ranges, ({ low, steps, step, log, at, n }) => {
        const high = low + steps * step;
        const { params } = perturb({ a: Math.min(low + at * step, high) }, { a: numeric(low, high, { log, step }) }, { resampleProbability: 0.5, factors }, keys[n]!);
        const value = Number(params['a']);
        expect(value).toBeGreaterThanOrEqual(low);
        expect(value).toBeLessThanOrEqual(high + 1e-9);
        expect(Math.abs((value - low) / step - Math.round((value - low) / step))).toBeLessThan(1e-6);
      }),
    );
  });
});

describe('a choice', () => {
  test('of numbers goes to a neighbour in their order, however they were written', () => {
    expect(valuesOf(32, categorical([64, 16, 128, 32]))).toEqual(new Set([16, 64]));
    // at the end there is one neighbour; the other side is where it stands
    expect(valuesOf(128, categorical([64, 16, 128, 32]))).toEqual(new Set([128, 64]));
  });

  test('without an order is kept or drawn anew', () => {
    const all = outcomes('b', categorical(['a', 'b', 'c', 'd']), 0.25);
    expect(Math.abs(share(all, 'b') - (0.75 + 0.25 / 4))).toBeLessThan(0.04);
    expect(new Set(all.map(({ change }) => change.how))).toEqual(new Set(['kept', 'resampled']));
    expect(valuesOf([1, 2], categorical([[1, 2], [3]]))).toEqual(new Set([[1, 2]]));
    expect(valuesOf(8, categorical(['auto', 8]))).toEqual(new Set([8]));
  });

  test('is drawn with its probabilities', () => {
    const all = outcomes('a', categorical(['a', 'b', 'c'], [0.7, 0.3, 0]), 1);
    expect(Math.abs(share(all, 'a') - 0.7)).toBeLessThan(0.04);
    expect(share(all, 'c')).toBe(0);
    // what probabilities that do not quite sum to 1 leave over
    expect(Math.abs(share(outcomes('a', categorical(['a', 'b', 'c'], [0.6, 0.3, 0]), 1), 'b') - 0.4)).toBeLessThan(0.04);
  });

  test('that is none of them is drawn anew', () => {
    expect(valuesOf(3, categorical([1, 2]))).toEqual(new Set([1, 2]));
  });

  test('that is the only one stays', () => {
    expect(valuesOf('sgd', categorical(['sgd']), 0.5)).toEqual(new Set(['sgd']));
    expect(valuesOf(4, categorical([4]), 0.5)).toEqual(new Set([4]));
  });
});

describe('parameters', () => {
  const dimensions = { a: numeric(0, 100), b: numeric(0, 100), c: categorical(['x', 'y']) };
  const options = { resampleProbability: 0.25, factors };

  test('have random numbers of their own, the same whenever they are asked for', () => {
    const all = keys.map((key) => perturb({ a: 5, b: 5, c: 'x' }, dimensions, options, key));
    expect(all.some(({ params }) => params['a'] !== params['b'])).toBe(true);
    expect(keys.map((key) => perturb({ a: 5, b: 5, c: 'x' }, dimensions, options, key))).toEqual(all);
    // another one that is left out changes nothing
    expect(keys.map((key) => perturb({ b: 5 }, dimensions, options, key).params['b'])).toEqual(all.map(({ params }) => params['b']));
  });

  test('without a dimension are kept', () => {
    expect(perturb({ a: 5, z: 'fixed' }, dimensions, options, keys[0]!)).toMatchObject({ params: { z: 'fixed' } });
    expect(perturb({ z: 1 }, dimensions, options, keys[0]!)).toEqual({ params: { z: 1 }, changes: {} });
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMet, meanOf, median, quantile, ratios, showGoal, spread, standardErrorsAbove } from '../../bench/statistics.js';

const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 30 });

describe('statistics of measurements', () => {
  test('a mean has its standard error, and means differ by standard errors of their difference', () => {
    expect(meanOf([1, 2, 3, 4])).toEqual({ mean: 2.5, error: Math.sqrt(5 / 3 / 4) });
    expect(meanOf([7])).toEqual({ mean: 7, error: 0 });
    expect(standardErrorsAbove({ mean: 10, error: 3 }, { mean: 20, error: 4 })).toBe(-2);
    expect(standardErrorsAbove({ mean: 1, error: 0 }, { mean: 1, error: 0 })).toBe(0);
  });

  test('the median is the middle one, or the mean of the two middle ones', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
  });

  test('a quantile is one of the values, and at least its share of them is not above it', () => {
    expect(quantile([1, 2, 3, 4, 5, 6, 7, 8], 0.95)).toBe(8);
    expect(quantile(Array.from({ length: 200 }, (_, i) => i + 1), 0.95)).toBe(190);
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (all, p) => {
        const found = quantile(all, p);
        expect(all).toContain(found);
        expect(all.filter((value) => value <= found).length).toBeGreaterThanOrEqual(p * all.length - 1e-9);
      }),
    );
  });

  test('min, median and max are of all values, in any order, and change none of them', () => {
    fc.assert(
      fc.property(values, (all) => {
        const copy = [...all];
        const { min, median: middle, max } = spread(all);
        expect([min, max]).toEqual([Math.min(...all), Math.max(...all)]);
        expect(min <= middle && middle <= max).toBe(true);
        expect(all).toEqual(copy);
      }),
    );
  });

  test('ratios are pair by pair, not of medians', () => {
    expect(ratios([10, 30, 20], [5, 10, 40])).toEqual([2, 3, 0.5]);
    expect(() => ratios([1], [1, 2])).toThrow('1 measurements cannot be paired with 2');
  });

  test.each([[[]], [[1, Number.NaN]], [[Infinity]]])('there are none of %j', (all) => {
    expect(() => spread(all)).toThrow('no statistics of');
  });

  test('goals are met on the line, except those that say below', () => {
    expect([isMet({ atLeast: 1.3 }, 1.3), isMet({ atLeast: 1.3 }, 1.29)]).toEqual([true, false]);
    expect([isMet({ atMost: 1.05 }, 1.05), isMet({ atMost: 1.05 }, 1.06)]).toEqual([true, false]);
    expect([isMet({ below: 20 }, 19.9), isMet({ below: 20 }, 20)]).toEqual([true, false]);
    expect([showGoal({ atLeast: 1.3 }), showGoal({ below: 20 }, 'ms')]).toEqual(['≥ 1.3', '< 20 ms']);
  });
});

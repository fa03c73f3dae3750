import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bracketOf, bracketsOf, emptyRungs, enterRung, leaveRung, rungResources, rungsReached } from '../../../../lib/sweeps/stoppers/rungs.js';

describe('rungs', () => {
  test('lie at the powers of eta and end with a whole trial', () => {
    expect(rungResources({ min: 1, max: 81, eta: 3 })).toEqual([1, 3, 9, 27, 81]);
    expect(rungResources({ min: 50, max: 1350, eta: 3 })).toEqual([50, 150, 450, 1350]);
  });

  test('end with a whole trial where that is no power of eta', () => {
    expect(rungResources({ min: 1, max: 200, eta: 3 })).toEqual([1, 3, 9, 27, 81, 200]);
    expect(rungResources({ min: 4, max: 17, eta: 4 })).toEqual([4, 16, 17]);
  });

  test('are one where a whole trial is not longer than the lowest', () => {
    expect(rungResources({ min: 9, max: 9, eta: 3 })).toEqual([9]);
    expect(rungResources({ min: 10, max: 9, eta: 3 })).toEqual([9]);
  });

  test('are never lost or doubled by rounding, whatever the power', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 0, max: 9 }), (eta, min, power) => {
        expect(rungResources({ min, max: min * eta ** power, eta })).toEqual(Array.from({ length: power + 1 }, (_, k) => min * eta ** k));
      }),
    );
  });

  test.each([{ min: 0 }, { min: 1.5 }, { max: NaN }, { max: 2 ** 53 }, { eta: 1 }, { eta: 2.5 }])('cannot be made of %o', (wrong) => {
    expect(() => rungResources({ min: 1, max: 81, eta: 3, ...wrong })).toThrow(RangeError);
  });

  test('are reached in order, several at once by a trial that says little', () => {
    const resources = [1, 3, 9, 27];
    expect(rungsReached(resources, 0, 1)).toEqual([0]);
    expect(rungsReached(resources, 1, 2)).toEqual([]);
    expect(rungsReached(resources, 2, 10)).toEqual([1, 2]);
    expect(rungsReached(resources, 27, 90)).toEqual([]);
  });
});

describe('the entries of a rung', () => {
  const enter = (goal: 'minimize' | 'maximize', ...values: (number | null)[]) =>
    values.reduce((rungs, value, trial) => enterRung(rungs, 0, { trial, value }, goal), emptyRungs([1]))[0]!.entries;

  test('are in order of merit, equal ones by trial number, those without a value last', () => {
    expect(enter('minimize', NaN, 0.5, 0.1, null, 0.5, 0.1, Infinity).map(({ trial }) => trial)).toEqual([2, 5, 1, 4, 0, 3, 6]);
    expect(enter('maximize', NaN, 0.5, 0.1, null, 0.5, 0.1, -Infinity).map(({ trial }) => trial)).toEqual([1, 4, 2, 5, 0, 3, 6]);
  });

  test('are the same in whatever order trials arrived', () => {
    const entries = fc.uniqueArray(fc.record({ trial: fc.nat(30), value: fc.constantFrom(1, 2, 3, null, NaN) }), { selector: ({ trial }) => trial });
    const shuffled = entries.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })));
    fc.assert(
      fc.property(shuffled, ([a, b]) => {
        const [first, second] = [a, b].map((order) => order.reduce((rungs, each) => enterRung(rungs, 0, each, 'minimize'), emptyRungs([1])));
        expect(first).toEqual(second);
      }),
    );
  });

  test('hold a trial once, with what it had when it arrived', () => {
    const once = enterRung(emptyRungs([1, 3]), 0, { trial: 7, value: 0.5 }, 'minimize');
    expect(enterRung(once, 0, { trial: 7, value: 0.1 }, 'minimize')).toEqual(once);
    const left = leaveRung(once, 0, 7);
    expect(left[0]!.entries).toEqual([{ trial: 7, value: 0.5, waiting: false }]);
    expect(enterRung(left, 0, { trial: 7, value: 0.5 }, 'minimize')).toEqual(left);
    expect(leaveRung(once, 1, 7)).toEqual(once);
  });

  test('survive JSON, which has no NaN', () => {
    const rungs = enterRung(emptyRungs([1]), 0, { trial: 0, value: NaN }, 'minimize');
    expect(JSON.parse(JSON.stringify(rungs))).toEqual(rungs);
  });
});

describe('brackets', () => {
  const table = (max: number) => bracketsOf(rungResources({ min: 1, max, eta: 3 }), 3).map(({ trials }) => trials);

  test('have the trials of the published tables', () => {
    expect(table(81)).toEqual([81, 34, 15, 8, 5]);
    expect(table(200)).toEqual([243, 98, 41, 18, 9, 6]);
  });

  test('have the highest rungs, one less each, down to whole trials only', () => {
    expect(bracketsOf([1, 3, 9], 3).map(({ resources }) => resources)).toEqual([[1, 3, 9], [3, 9], [9]]);
    expect(bracketsOf([9], 3)).toEqual([{ trials: 1, resources: [9] }]);
  });

  test('get trials in proportion, each by its number alone', () => {
    const brackets = bracketsOf(rungResources({ min: 1, max: 81, eta: 3 }), 3);
    const counts = brackets.map(() => 0);
    const drawn = Array.from({ length: 14_300 }, (_, trial) => bracketOf(trial, brackets, 42));
    for (const bracket of drawn) counts[bracket]! += 1;
    for (const [index, { trials }] of brackets.entries()) expect(Math.abs(counts[index]! - trials * 100)).toBeLessThan(4 * Math.sqrt(trials * 100));
    expect(bracketOf(1_234, brackets, 42)).toBe(drawn[1_234]);
    expect(drawn.slice(0, 50)).not.toEqual(Array.from({ length: 50 }, (_, trial) => bracketOf(trial, brackets, 43)));
  });

  test('of a single one get every trial', () => {
    expect(Array.from({ length: 50 }, (_, trial) => bracketOf(trial, [{ trials: 81 }], 1))).toEqual(Array.from({ length: 50 }, () => 0));
  });
});

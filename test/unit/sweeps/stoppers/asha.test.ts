import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeAtRung, lastPromotion, nextPromotion, type Promotion } from '../../../../lib/sweeps/stoppers/asha.js';
import { emptyRungs, enterRung, leaveRung, type Rung } from '../../../../lib/sweeps/stoppers/rungs.js';

type Values = readonly (number | null)[];

/** One rung and the one above it; every promotion is taken as soon as it can be. */
function promotionsOf(values: Values, goal: 'minimize' | 'maximize' = 'minimize') {
  let rungs: Rung[] = emptyRungs([1, 3]);
  const promotions: { after: number; promotion: Promotion }[] = [];
  for (const [trial, value] of values.entries()) {
    rungs = enterRung(rungs, 0, { trial, value }, goal);
    for (let next = nextPromotion(rungs, 3); next; next = nextPromotion(rungs, 3)) {
      promotions.push({ after: trial, promotion: next });
      rungs = leaveRung(rungs, 0, next.trial);
    }
  }
  return promotions;
}

function verdictsOf(values: Values, goal: 'minimize' | 'maximize' = 'minimize') {
  let rungs: Rung[] = emptyRungs([1, 3]);
  return values.map((value, trial) => {
    rungs = enterRung(rungs, 0, { trial, value }, goal);
    return judgeAtRung(rungs, 0, trial, 3);
  });
}

const letters = (values: Values, goal?: 'minimize' | 'maximize') => verdictsOf(values, goal).map(({ verdict }) => (verdict === 'continue' ? 'C' : 'S')).join(' ');
const vector = [0.5, 0.4, 0.6, 0.3, 0.35, 0.2, 0.45, 0.1, 0.33];

describe('promotion', () => {
  test('promotes of nine arrivals the four that were among the best third when a worker was free', () => {
    expect(promotionsOf(vector).map(({ after, promotion }) => [after, promotion.trial])).toEqual([[2, 1], [3, 3], [5, 5], [7, 7]]);
    expect(promotionsOf(vector.map((value) => -value), 'maximize').map(({ after, promotion }) => [after, promotion.trial])).toEqual([[2, 1], [3, 3], [5, 5], [7, 7]]);
  });

  test('says with what rank, of how many, and what would just have sufficed', () => {
    expect(promotionsOf(vector)[2]!.promotion).toEqual({ trial: 5, fromRung: 0, toRung: 1, why: { rung: 0, resource: 1, value: 0.2, rank: 1, of: 6, cutoff: 0.3 } });
  });

  test('looks at the highest rungs first and takes the best there', () => {
    let rungs = emptyRungs([1, 3, 9]);
    for (const trial of [0, 1, 2, 3, 4, 5]) rungs = enterRung(rungs, 0, { trial, value: trial }, 'minimize');
    expect(nextPromotion(rungs, 3)).toMatchObject({ trial: 0, fromRung: 0, toRung: 1 });
    for (const trial of [3, 4, 5]) rungs = enterRung(rungs, 1, { trial, value: -trial }, 'minimize');
    expect(nextPromotion(rungs, 3)).toMatchObject({ trial: 5, fromRung: 1, toRung: 2, why: { rung: 1, resource: 3, rank: 1, of: 3 } });
  });

  test('promotes nothing from the highest rung', () => {
    let rungs = emptyRungs([1, 3]);
    for (const trial of [0, 1, 2]) rungs = enterRung(rungs, 1, { trial, value: trial }, 'minimize');
    expect(nextPromotion(rungs, 3)).toBe(null);
    expect(nextPromotion(emptyRungs([9]), 3)).toBe(null);
  });

  test('never promotes a trial without a value, which counts as an arrival', () => {
    expect(promotionsOf([NaN, null, Infinity, NaN, null, NaN])).toEqual([]);
    expect(promotionsOf([NaN, 0.5, null]).map(({ after, promotion }) => [after, promotion.trial])).toEqual([[2, 1]]);
  });

  test('takes of equal values the lower trial number', () => {
    expect(promotionsOf([1, 1, 1, 1, 1, 1]).map(({ after, promotion }) => [after, promotion.trial])).toEqual([[2, 0], [5, 1]]);
  });

  test('gives nobody a promotion for one that late arrivals have overtaken', () => {
    // 0 is promoted of the first three, and then is not among the best two of six
    const promoted = promotionsOf([0.5, 0.6, 0.7, 0.3, 0.2, 0.1]);
    expect(promoted.map(({ after, promotion }) => [after, promotion.trial])).toEqual([[2, 0], [3, 3], [4, 4], [5, 5]]);
  });

  test('passes over one that no longer waits, which still takes its place among the best', () => {
    let rungs = emptyRungs([1, 3]);
    for (const trial of [0, 1, 2]) rungs = enterRung(rungs, 0, { trial, value: trial }, 'minimize');
    expect(nextPromotion(leaveRung(rungs, 0, 0), 3)).toBe(null);
  });

  test('promotes at least one of η and only trials that are among the best third at that moment', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.double(), fc.constantFrom(1, 2, null)), { maxLength: 40 }), (values) => {
        const promotions = promotionsOf(values);
        expect(new Set(promotions.map(({ promotion }) => promotion.trial)).size).toBe(promotions.length);
        for (const { promotion: { why } } of promotions) expect(why.rank).toBeLessThanOrEqual(Math.floor(why.of / 3));
        const usable = values.filter((value) => value !== null && Number.isFinite(value)).length;
        expect(promotions.length).toBeGreaterThanOrEqual(Math.min(Math.floor(values.length / 3), usable));
      }),
    );
  });
});

describe('the last promotion', () => {
  const waiting = (...values: Values) => values.reduce((rungs, value, trial) => enterRung(rungs, 0, { trial, value }, 'minimize'), emptyRungs([1, 3, 9]));

  test('takes a single trial to its end, rung by rung', () => {
    let rungs = waiting(0.5);
    expect(nextPromotion(rungs, 3)).toBe(null);
    expect(lastPromotion(rungs, 3)).toEqual({ trial: 0, fromRung: 0, toRung: 1, why: { rung: 0, resource: 1, value: 0.5, rank: 1, of: 1, cutoff: null } });
    rungs = enterRung(leaveRung(rungs, 0, 0), 1, { trial: 0, value: 0.4 }, 'minimize');
    expect(lastPromotion(rungs, 3)).toMatchObject({ trial: 0, fromRung: 1, toRung: 2 });
    rungs = enterRung(leaveRung(rungs, 1, 0), 2, { trial: 0, value: 0.3 }, 'minimize');
    expect(lastPromotion(rungs, 3)).toBe(null);
  });

  test('takes the best on the highest rung, and another one if that failed', () => {
    let rungs = waiting(0.5, 0.1);
    rungs = enterRung(rungs, 1, { trial: 5, value: 0.9 }, 'minimize');
    expect(lastPromotion(rungs, 3)).toMatchObject({ trial: 5, fromRung: 1 });
    rungs = enterRung(leaveRung(rungs, 1, 5), 2, { trial: 5, value: null }, 'minimize');
    expect(lastPromotion(rungs, 3)).toMatchObject({ trial: 1, fromRung: 0 });
    // with a whole trial there is enough, whoever still waits
    expect(lastPromotion(enterRung(rungs, 2, { trial: 6, value: 0.7 }, 'minimize'), 3)).toBe(null);
  });

  test('takes none where no trial has a value', () => {
    expect(lastPromotion(waiting(NaN, null), 3)).toBe(null);
  });
});

describe('stopping', () => {
  test('judges nine arrivals by rank', () => {
    expect(letters(vector)).toBe('C C S C S C S C S');
    expect(letters(vector.map((value) => -value), 'maximize')).toBe('C C S C S C S C S');
  });

  test('lets only the best so far go on among fewer than 2η', () => {
    expect(letters([5, 4, 4.5, 3, 3.5])).toBe('C C S C S');
    // the second of six
    expect(letters([1, 5, 5, 5, 5, 2])).toBe('C S S S S C');
  });

  test('lets a single trial go on', () => {
    expect(verdictsOf([0.5])).toEqual([{ verdict: 'continue', why: { rung: 0, resource: 1, value: 0.5, rank: 1, of: 1, cutoff: 0.5 } }]);
  });

  test('stops a trial without a value, even the first', () => {
    expect(verdictsOf([NaN, 0.5])).toEqual([
      { verdict: 'stop', why: { rung: 0, resource: 1, value: null, rank: 1, of: 1, cutoff: null } },
      { verdict: 'continue', why: { rung: 0, resource: 1, value: 0.5, rank: 1, of: 2, cutoff: 0.5 } },
    ]);
    expect(letters([null, Infinity, -Infinity])).toBe('S S S');
  });

  test('takes of equal values the lower trial number', () => {
    expect(letters([1, 1, 1, 1, 1, 1])).toBe('C S S S S S');
    let rungs = emptyRungs([1, 3]);
    for (const trial of [9, 4]) rungs = enterRung(rungs, 0, { trial, value: 1 }, 'minimize');
    expect(judgeAtRung(rungs, 0, 4, 3)).toMatchObject({ verdict: 'continue', why: { rank: 1 } });
  });

  test('does not judge a trial that is not there', () => {
    expect(() => judgeAtRung(emptyRungs([1, 3]), 0, 0, 3)).toThrow('trial 0 is not at rung 0');
  });
});

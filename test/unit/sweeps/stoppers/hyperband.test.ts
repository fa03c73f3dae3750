import { describe, expect, test } from 'vitest';
import { bandsOf, HYPERBAND_DEFAULTS, judgeAtBand } from '../../../../lib/sweeps/stoppers/hyperband.js';
import { emptyRungs, enterRung } from '../../../../lib/sweeps/stoppers/rungs.js';

describe('the bands', () => {
  test('grow from min_iter, up to the end of a trial', () => {
    expect(bandsOf({ min_iter: 3 }, 100)).toEqual([3, 9, 27, 81]);
    expect(bandsOf({ min_iter: 3, eta: 2 }, 24)).toEqual([3, 6, 12]);
    expect(bandsOf({ min_iter: 3 }, 3)).toEqual([]);
  });

  test('shrink from max_iter, s of them', () => {
    expect(bandsOf({ max_iter: 27, s: 2 }, 27)).toEqual([3, 9]);
    expect(bandsOf({ max_iter: 5, eta: 2, s: 2 }, 5)).toEqual([1, 2]);
    // never below 1
    expect(bandsOf({ max_iter: 27, s: 9 }, 27)).toEqual([1, 3, 9]);
    expect(bandsOf({ max_iter: 27, s: 2, min_iter: 1 }, 27)).toEqual([3, 9]);
  });

  test('that round to the same count are one', () => {
    expect(bandsOf({ min_iter: 1, eta: 1.5 }, 12)).toEqual([1, 2, 3, 5, 7, 11]);
  });

  test('without an end go on as far as numbers are exact', () => {
    const bands = bandsOf({ min_iter: 1 }, Number.MAX_SAFE_INTEGER);
    expect(bands).toEqual(Array.from({ length: 34 }, (_, k) => 3 ** k));
  });
});

describe('a verdict at a band', () => {
  const at = (...values: (number | null)[]) => values.reduce((rungs, value, trial) => enterRung(rungs, 0, { trial, value }, 'minimize'), emptyRungs([3]));
  const rule = { ...HYPERBAND_DEFAULTS, goal: 'minimize' } as const;
  const judge = (values: (number | null)[], trial: number, best = values[trial]!, strict = true) => judgeAtBand(at(...values), 0, trial, best, { ...rule, strict });

  test('keeps one more than the best third, and all that are as good', () => {
    const values = [1, 2, 3, 4, 5, 6, 3];
    expect(values.map((_, trial) => judge(values, trial).verdict)).toEqual(['continue', 'continue', 'continue', 'stop', 'stop', 'stop', 'continue']);
    expect(judge(values, 3).why).toEqual({ rung: 0, resource: 3, value: 4, rank: 5, of: 7, cutoff: 3 });
  });

  test('lets the first at a band go on', () => {
    expect(judge([5], 0)).toEqual({ verdict: 'continue', why: { rung: 0, resource: 3, value: 5, rank: 1, of: 1, cutoff: 5 } });
  });

  test('without strict judges the best value so far', () => {
    expect(judge([1, 2, 3, 9, 9, 9], 5, 0.5, true)).toMatchObject({ verdict: 'stop', why: { value: 9, rank: 4, cutoff: 3 } });
    expect(judge([1, 2, 3, 9, 9, 9], 5, 0.5, false)).toMatchObject({ verdict: 'continue', why: { value: 0.5, rank: 1, cutoff: 3 } });
    expect(judge([1, 2, 3, 9, 9, 9], 5, 3.5, false)).toMatchObject({ verdict: 'stop', why: { value: 3.5, rank: 4, cutoff: 3 } });
  });

  test('stops a trial without a value, whatever it had before, and counts it as the worst', () => {
    expect(judge([NaN], 0).verdict).toBe('stop');
    expect(judge([1, 2, NaN], 2, 0.5, false).verdict).toBe('stop');
    // fewer values than go on
    expect(judge([null, null, 7], 2)).toMatchObject({ verdict: 'continue', why: { rank: 1, of: 3, cutoff: null } });
  });

  test('turns around for a metric that grows', () => {
    const rungs = [1, 2, 3, 4, 5, 6].reduce((all, value, trial) => enterRung(all, 0, { trial, value }, 'maximize'), emptyRungs([3]));
    expect(judgeAtBand(rungs, 0, 3, 4, { ...rule, goal: 'maximize' }).verdict).toBe('continue');
    expect(judgeAtBand(rungs, 0, 2, 3, { ...rule, goal: 'maximize' }).verdict).toBe('stop');
  });

  test('needs the trial to be there', () => {
    expect(() => judge([1], 4, 0)).toThrow('trial 4 is not at band 0');
  });

  // The example of wandb/sweeps' hyperband_stop_runs, fed as it runs: bands 1 and 2 (max_iter 5, s 2, eta 2)
  test('is that of their own example at the second band', () => {
    const second = at(9, 10, 8, 7, 6);
    const verdicts = [0, 1, 2, 3, 4].map((trial) => judgeAtBand(second, 0, trial, 0, { eta: 2, strict: true, goal: 'minimize' }));
    expect(verdicts.map(({ verdict, why }) => [verdict, why.cutoff])).toEqual([['stop', 8], ['stop', 8], ['continue', 8], ['continue', 8], ['continue', 8]]);
  });
});

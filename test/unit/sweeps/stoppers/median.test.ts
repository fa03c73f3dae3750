import { describe, expect, test } from 'vitest';
import { judgeByMedian, MEDIAN_DEFAULTS, type MedianOptions, type Reported } from '../../../../lib/sweeps/stoppers/median.js';

const reported = (...values: (number | null)[]): Reported => values.map((value, index) => ({ step: (index + 1) * 10, value }));
const completed = [1, 2, 3, 4, 5].map((value) => reported(value + 10, value));
const judge = (trial: Reported, others: readonly Reported[] = completed, options: Partial<MedianOptions> = {}, goal: 'minimize' | 'maximize' = 'minimize') =>
  judgeByMedian(trial, others, { ...MEDIAN_DEFAULTS, ...options }, goal);

describe('the median rule', () => {
  test('stops a trial that is worse than the median at its step, and no other', () => {
    expect(judge(reported(20, 3.1))).toEqual({ verdict: 'stop', why: { step: 20, value: 3.1, of: 5, cutoff: 3 } });
    expect(judge(reported(20, 3))).toEqual({ verdict: 'continue', why: { step: 20, value: 3, of: 5, cutoff: 3 } });
    expect(judge(reported(2), completed, {}, 'maximize').verdict).toBe('stop');
    expect(judge(reported(13), completed, {}, 'maximize').verdict).toBe('continue');
  });

  test('takes the best value so far', () => {
    expect(judge(reported(2.5, 9)).verdict).toBe('continue');
    expect(judge(reported(14, 1), completed, {}, 'maximize')).toMatchObject({ verdict: 'continue', why: { value: 14, cutoff: 3 } });
  });

  test('is between the two in the middle of an even number', () => {
    const six = [...completed, reported(0, 6)];
    expect(judge(reported(20, 3.5), six)).toMatchObject({ verdict: 'continue', why: { of: 6, cutoff: 3.5 } });
    expect(judge(reported(20, 3.6), six).verdict).toBe('stop');
  });

  test('waits for five completed trials', () => {
    expect(judge(reported(20, 99), completed.slice(1))).toEqual({ verdict: 'continue', why: { step: 20, value: 20, of: 4, cutoff: null } });
    expect(judge(reported(20, 99), completed.slice(1), { startupTrials: 4 }).verdict).toBe('stop');
    expect(judge(reported(20, 99), [], { startupTrials: 0 }).verdict).toBe('continue');
  });

  test('lets every trial warm up', () => {
    expect(judge(reported(20, 99), completed, { warmup: 21 })).toMatchObject({ verdict: 'continue', why: { cutoff: null } });
    expect(judge(reported(20, 99), completed, { warmup: 20 }).verdict).toBe('stop');
  });

  test('asks only those with a value at this very step', () => {
    expect(judge(reported(20, 20, 20))).toMatchObject({ verdict: 'continue', why: { of: 0, cutoff: null } });
    const some = [...completed.slice(0, 4), reported(20, NaN), reported(20, null)];
    expect(judge(reported(20, 2.6), some)).toMatchObject({ verdict: 'stop', why: { of: 4, cutoff: 2.5 } });
  });

  test('stops a trial whose newest value is none, at any time and whatever was before', () => {
    expect(judge(reported(NaN), [])).toEqual({ verdict: 'stop', why: { step: 10, value: null, of: 0, cutoff: null } });
    expect(judge(reported(1, null), completed, { warmup: 1_000 })).toMatchObject({ verdict: 'stop', why: { value: 1 } });
    expect(judge(reported(NaN, 1)).verdict).toBe('continue');
  });

  test('needs something to judge', () => {
    expect(() => judge([])).toThrow(RangeError);
  });
});

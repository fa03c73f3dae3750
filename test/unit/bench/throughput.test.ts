import { describe, expect, test } from 'vitest';
import { throughputOf, updateRate } from '../../bench/throughput.js';

/** Rows of 50 samples at these seconds. */
const at = (...times: number[]) => times.map((time) => ({ samples: 50, wall_time: 1_000 + time }));

describe('the throughput of a job', () => {
  test('counts what came after the warm-up, from the row that ended it', () => {
    // a second of warm-up, slow at first; the row at 1.5 starts the clock and is not counted
    expect(throughputOf(at(0, 0.9, 1.5, 2, 2.5, 3, 3.5), 1)).toEqual({ samplesPerSecond: 100, seconds: 2, updates: 4 });
  });

  test('counts samples, not updates', () => {
    const rows = [...at(0, 1, 2, 3, 4), { samples: 7, wall_time: 1_005 }];
    expect(throughputOf(rows, 0)).toEqual({ samplesPerSecond: (4 * 50 + 7) / 5, seconds: 5, updates: 5 });
  });

  test.each([[at(), 0], [at(1), 0], [at(1, 1), 0], [at(0, 1, 2, 3), 3], [at(0, 1, 2), 5]])('is nothing where nothing is left to count', (rows, warmup) => {
    expect(throughputOf(rows, warmup)).toEqual({ samplesPerSecond: 0, seconds: 0, updates: 0 });
  });

  test('the rate of updates is that of the later half', () => {
    expect(updateRate(at(0, 3, 6, 7, 8, 9))).toBeCloseTo(1);
    expect(() => updateRate(at(0, 1))).toThrow('2 rows do not tell a speed');
  });
});

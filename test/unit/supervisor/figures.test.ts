import { describe, expect, test } from 'vitest';
import { makeFigures } from '../../../worker/supervisor/figures.js';
import type { Course } from '../../../lib/training/course.js';

const course = { batchSize: 10 } as Course;
const make = (start = 0) => makeFigures(course, start, 0, () => 60_000, { detectMs: 8_000, queueMs: 200 });

describe('the figures of an attempt', () => {
  test('keep what is committed and count the rest as wasted, with its share of the time', () => {
    const figures = make(100);
    figures.executed(100, 140, 2_000);
    figures.executed(140, 150, 500);
    figures.kept(130);
    expect(figures.account()).toEqual({ executedMicroBatches: 50, executedSeconds: 2.5, wastedMicroBatches: 20, wastedSeconds: 1, attemptSeconds: 60, silentMs: null });
    expect(figures.account(150)).toMatchObject({ wastedMicroBatches: 0, wastedSeconds: 0 });
    expect([figures.trainSeconds(100), figures.trainSeconds(130), figures.trainSeconds(999)]).toEqual([0, 1.5, 2.5]);
    expect(figures.timings).toMatchObject({ detect_ms: 8_000, queue_ms: 200, train_ms: 2_500 });
  });

  test('tell the fleet each gain once: what is kept as it is, the rest at the end', () => {
    const figures = make();
    figures.executed(0, 40, 2_000);
    figures.kept(30);
    const first = figures.untold();
    expect(first).toMatchObject({ executed_micro_batches: 30, kept_micro_batches: 30, wasted_micro_batches: 0, executed_seconds: 1.5, kept_seconds: 1.5 });
    expect(figures.untold()).toMatchObject({ executed_micro_batches: 0, kept_micro_batches: 0, wasted_micro_batches: 0, executed_seconds: 0 });
    figures.executed(40, 60, 1_000);
    const last = figures.untold(figures.account(50));
    expect(last).toMatchObject({ executed_micro_batches: 30, kept_micro_batches: 20, wasted_micro_batches: 10, wasted_seconds: 0.5 });
    expect(figures.untold(figures.account(50))).toMatchObject({ executed_micro_batches: 0, kept_micro_batches: 0, wasted_micro_batches: 0 });
  });
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { catchUp, delayMs, nextDueMs, ON_TIME_MS, type Timing } from '../../../lib/schedules/catch-up.js';
import { fireTimes } from '../../../lib/schedules/next.js';

const MINUTE_MS = 60_000;
const noon = Date.UTC(2026, 4, 1, 12);
const timing = (changes: Partial<Timing> = {}, cron = '* * * * *'): Timing => ({ schedule: 'sch_1', rule: { cron, timezone: 'UTC', dst: { gap: 'shift', overlap: 'first' } }, windowMs: 10 * MINUTE_MS, jitterMs: 0, ...changes });

it('has nothing to do before the next nominal time, and fires it then', () => {
  expect(catchUp(timing(), noon, noon + MINUTE_MS - 1)).toEqual({ due: [], missed: null, lastNominalMs: noon });
  expect(catchUp(timing(), noon, noon + MINUTE_MS)).toEqual({ due: [noon + MINUTE_MS], missed: null, lastNominalMs: noon + MINUTE_MS });
});

it('makes up for the latest missed time inside the window, and says how many before it were missed', () => {
  const now = noon + 5 * MINUTE_MS + 30_000;
  expect(catchUp(timing(), noon, now)).toEqual({ due: [noon + 5 * MINUTE_MS], missed: { fromMs: noon + MINUTE_MS, throughMs: noon + 4 * MINUTE_MS, count: 4 }, lastNominalMs: noon + 5 * MINUTE_MS });
});

it('makes up for nothing outside the window', () => {
  const hourly = timing({}, '0 * * * *');
  expect(catchUp(hourly, noon, noon + 70 * MINUTE_MS)).toMatchObject({ due: [noon + 60 * MINUTE_MS], missed: null });
  expect(catchUp(hourly, noon, noon + 70 * MINUTE_MS + 1)).toEqual({ due: [], missed: { fromMs: noon + 60 * MINUTE_MS, throughMs: noon + 60 * MINUTE_MS, count: 1 }, lastNominalMs: noon + 60 * MINUTE_MS });
});

it('makes up for no missed time when one is due on time', () => {
  expect(catchUp(timing(), noon, noon + 3 * MINUTE_MS + 5_000)).toMatchObject({ due: [noon + 3 * MINUTE_MS], missed: { count: 2 } });
});

it('misses none of the seconds of a look that was a little late', () => {
  expect(catchUp(timing({}, '* * * * * *'), noon, noon + 8_500)).toMatchObject({ due: Array.from({ length: 8 }, (_, index) => noon + (index + 1) * 1_000), missed: null });
});

it('goes through a long absence a piece at a time, with none left out', () => {
  const seconds = timing({}, '* * * * * *');
  const now = noon + 30 * 3_600_000;
  let missed = 0;
  let last = noon;
  for (let pieces = 0; ; pieces++) {
    const piece = catchUp(seconds, last, now);
    missed += piece.missed?.count ?? 0;
    last = piece.lastNominalMs;
    if (piece.due.length > 0) {
      expect(piece.due).toHaveLength(ON_TIME_MS / 1_000 + 1);
      expect(missed + piece.due.length).toBe(30 * 3_600);
      expect(pieces).toBe(10);
      break;
    }
  }
});

it('puts a time off by the same delay whoever asks, within the jitter and never beyond the next one', () => {
  const delays = Array.from({ length: 500 }, (_, index) => delayMs(timing({ jitterMs: 30_000 }), noon + index * MINUTE_MS, noon + (index + 1) * MINUTE_MS));
  expect(delays).toEqual(Array.from({ length: 500 }, (_, index) => delayMs(timing({ jitterMs: 30_000 }), noon + index * MINUTE_MS, noon + (index + 1) * MINUTE_MS)));
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...delays)).toBeLessThan(30_000);
  expect(delays.reduce((sum, delay) => sum + delay, 0) / 500).toBeCloseTo(15_000, -4);
  expect(new Set(delays).size).toBeGreaterThan(450);
  expect(delayMs(timing({ jitterMs: 30_000 }), noon, noon + 1_000)).toBeLessThan(1_000);
  expect(delayMs(timing({ jitterMs: 30_000, schedule: 'sch_2' }), noon, noon + MINUTE_MS)).not.toBe(delays[0]);
});

it('sees to each nominal time once, in order, whenever it is asked, jitter or none', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 30 }), fc.constantFrom(0, 20_000, 120_000), fc.constantFrom('* * * * *', '*/20 * * * * *', '*/7 * * * *'), (steps, jitterMs, cron) => {
      const asked = timing({ jitterMs, windowMs: 30_000 }, cron);
      const seen: number[] = [];
      let last = noon;
      let now = noon;
      for (const step of steps) {
        now += step;
        const due = nextDueMs(asked, last)!;
        const { due: fires, missed, lastNominalMs } = catchUp(asked, last, now);
        expect(lastNominalMs > last).toBe(due <= now);
        if (missed) for (const time of fireTimes(asked.rule, missed.fromMs - 1)) if (time > missed.throughMs || seen.push(time) === 0) break;
        seen.push(...fires);
        last = lastNominalMs;
      }
      const all: number[] = [];
      for (const time of fireTimes(asked.rule, noon)) if (time > last || all.push(time) === 0) break;
      expect(seen).toEqual(all);
      expect(nextDueMs(asked, last)).toBeGreaterThan(now);
    }),
    { numRuns: 100 },
  );
});

import { describe, expect, it } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import { makeClockWatch } from '../../../lib/store/clock-watch.js';

const START = Date.UTC(2026, 4, 1, 12, 0, 0, 400);

/** A store that tells whole seconds of the true time, as S3 does, and takes a while to answer. */
function setUp({ aheadMs = 0, callMs = 20 } = {}) {
  let trueMs = START;
  let ahead = aheadMs;
  let written = 0;
  let calls = 0;
  let away = false;
  let befalls = (): void => undefined;
  const warnings: string[] = [];
  const call = async (): Promise<void> => {
    calls++;
    if (away) throw new AppError('store_unavailable', 'away');
    trueMs += callMs;
    befalls();
    await Promise.resolve();
  };
  const watch = makeClockWatch({
    store: {
      put: async () => {
        await call();
        written = Math.floor(trueMs / 1_000) * 1_000;
        return { etag: 'x' };
      },
      head: async (key) => {
        await call();
        return { key, sizeBytes: 3, etag: 'x', modifiedAt: new Date(written) };
      },
    },
    clock: { now: () => new Date(trueMs + ahead), monotonicMs: () => trueMs - START },
    log: { warn: (_, message) => void warnings.push(message) },
  });
  return { watch, warnings, trueNow: () => new Date(trueMs), calls: () => calls, pass: (ms: number) => (trueMs += ms), set: (ms: number) => (ahead = ms), onCall: (what: () => void) => (befalls = what), leave: (is: boolean) => (away = is) };
}

describe('a clock is gone by', () => {
  it.each([0, -4_900, 4_900])('where it is %d ms ahead of the store', async (aheadMs) => {
    const { watch, warnings } = setUp({ aheadMs });
    expect(await watch.isSound()).toBe(true);
    expect(warnings).toEqual([]);
  });
  it.each([6_500, -6_500, 3_600_000, -3_600_000])('and not where it is %d ms ahead', async (aheadMs) => {
    const { watch, warnings } = setUp({ aheadMs });
    expect(await watch.isSound()).toBe(false);
    expect(warnings).toEqual([expect.stringContaining('is not the store')]);
  });
  it('however long the store takes to answer', async () => {
    expect(await setUp({ callMs: 9_000 }).watch.isSound()).toBe(true);
    expect(await setUp({ callMs: 2_000, aheadMs: 60_000 }).watch.isSound()).toBe(false);
  });
});

describe('now', () => {
  it('is what a clock says that is right, asked once a minute', async () => {
    const { watch, trueNow, calls, pass } = setUp({ aheadMs: 4_000 });
    expect((await watch.sharedNow()).getTime() - trueNow().getTime()).toBe(4_000);
    pass(10_000);
    expect((await watch.sharedNow()).getTime() - trueNow().getTime()).toBe(4_000);
    expect(calls()).toBe(2);
  });
  it.each([3_600_000, -3_600_000])('is the store’s where this clock is %d ms ahead, never later than it is, whatever it is set to next', async (aheadMs) => {
    const { watch, trueNow, pass, set } = setUp({ aheadMs, callMs: 300 });
    const behindMs = async (): Promise<number> => {
      const now = await watch.sharedNow();
      return trueNow().getTime() - now.getTime();
    };
    // two calls, and the part of the second that the store does not tell
    const expectClose = (ms: number): void => {
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThan(1_600);
    };
    expectClose(await behindMs());
    pass(1_500);
    expectClose(await behindMs());
    set(-aheadMs);
    expectClose(await behindMs());
    pass(600_000);
    expectClose(await behindMs());
  });
  it('is not known where the clock is set while the store is asked for the first time; later it is as it was', async () => {
    const { watch, trueNow, pass, set, onCall } = setUp({ aheadMs: 3_600_000 });
    onCall(() => set(7_200_000));
    await expect(watch.sharedNow()).rejects.toMatchObject({ code: 'store_unavailable' });
    onCall(() => undefined);
    const known = await watch.sharedNow();
    expect(trueNow().getTime() - known.getTime()).toBeLessThan(1_100);
    pass(10_000);
    onCall(() => set(3_600_000));
    const still = await watch.sharedNow();
    expect(trueNow().getTime() - still.getTime()).toBeGreaterThanOrEqual(0);
    expect(trueNow().getTime() - still.getTime()).toBeLessThan(1_100);
  });
});

describe('the store is asked', () => {
  it('once a minute, and by all who ask at a time together', async () => {
    const { watch, calls, pass } = setUp();
    await Promise.all([watch.isSound(), watch.isSound(), watch.isSound()]);
    expect(calls()).toBe(2);
    pass(50_000);
    await watch.isSound();
    expect(calls()).toBe(2);
    pass(10_000);
    await watch.isSound();
    expect(calls()).toBe(4);
  });

  it('at once after a jump, and every two seconds until the clock is right again', async () => {
    const { watch, calls, pass, set, warnings } = setUp();
    expect(await watch.isSound()).toBe(true);
    set(3_600_000);
    expect(await watch.isSound()).toBe(false);
    expect(calls()).toBe(4);
    pass(1_000);
    expect(await watch.isSound()).toBe(false);
    expect(calls()).toBe(4);
    pass(1_000);
    expect(await watch.isSound()).toBe(false);
    expect(calls()).toBe(6);
    set(0);
    expect(await watch.isSound()).toBe(true);
    expect(warnings).toEqual([expect.stringContaining('is not the store'), expect.stringContaining('right again')]);
  });

  it('and nothing is concluded from its silence', async () => {
    const { watch, leave } = setUp({ aheadMs: 60_000 });
    leave(true);
    await expect(watch.isSound()).rejects.toMatchObject({ code: 'store_unavailable' });
    leave(false);
    expect(await watch.isSound()).toBe(false);
  });
});

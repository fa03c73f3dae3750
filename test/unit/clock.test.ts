import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../lib/clock.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('sleeps for longer than a timer can be set for', async () => {
  const days = 60 * 86_400_000;
  let over = false;
  void systemClock.sleep(days).then(() => (over = true));
  await vi.advanceTimersByTimeAsync(days - 1);
  expect(over).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(over).toBe(true);
});

it('ends a long sleep early when it is told to, and leaves no timer', async () => {
  const stop = new AbortController();
  const slept = systemClock.sleep(60 * 86_400_000, stop.signal);
  await vi.advanceTimersByTimeAsync(30 * 86_400_000);
  stop.abort(new Error('enough'));
  await expect(slept).rejects.toThrow('enough');
  expect(vi.getTimerCount()).toBe(0);
});

// A worker that cannot reach the store holds its jobs for an hour and no longer.
import { expect, test } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import type { Store } from '../../../lib/store/index.js';
import { makeSilentFeed } from '../../../worker/supervisor/live-feed.js';
import { keepBeating } from '../../../worker/supervisor/session.js';
import { watchStore } from '../../../worker/supervisor/store-watch.js';

const HOUR_MS = 3_600_000;

test('an owner says that it lives as long as its store has answered within the hour, and again when it answers again', async () => {
  const time = { ms: 0 };
  let answer: () => Promise<null> = () => Promise.resolve(null);
  const { store, isHeld } = watchStore({ get: () => answer() } as unknown as Store, { monotonicMs: () => time.ms });
  let beats = 0;
  const beating = keepBeating({ feed: { ...makeSilentFeed(), beat: () => void beats++ }, beatEveryMs: 3_600_000, isHeld }, { job: 'job_1', attempt: 'a', number: 1, worker: 'wrk_1', gen: 0, fence: 1 });
  const isSaid = (): boolean => {
    const before = beats;
    beating.phase('running');
    return beats > before;
  };
  expect(isSaid()).toBe(true);
  answer = () => Promise.reject(new AppError('store_unavailable', 'away'));
  time.ms = HOUR_MS - 1;
  await expect(store.get('k')).rejects.toThrow('away');
  expect(isSaid()).toBe(true);
  time.ms = HOUR_MS;
  await expect(store.get('k')).rejects.toThrow('away');
  expect(isSaid()).toBe(false);
  answer = () => Promise.reject(new AppError('store_full', 'full'));
  await expect(store.get('k')).rejects.toThrow('full');
  expect(isSaid(), 'a full store is there').toBe(true);
  time.ms = 3 * HOUR_MS;
  expect(isSaid()).toBe(false);
  answer = () => Promise.resolve(null);
  await store.get('k');
  expect(isSaid()).toBe(true);
  beating.stop();
});

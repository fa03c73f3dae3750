// A worker that cannot reach the store holds its jobs for an hour and no longer.
import { expect, onTestFinished, test } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import type { Store } from '../../../lib/store/index.js';
import { makeSilentFeed } from '../../../worker/supervisor/live-feed.js';
import { keepBeating } from '../../../worker/supervisor/session.js';
import { watchStore } from '../../../worker/supervisor/store-watch.js';

const HOUR_MS = 3_600_000;

/** Whether an owner whose store is watched says that it lives. */
function ownerOf(isHeld: () => boolean) {
  let beats = 0;
  const beating = keepBeating({ feed: { ...makeSilentFeed(), beat: () => void beats++ }, beatEveryMs: 3_600_000, isHeld }, { job: 'job_1', attempt: 'a', number: 1, worker: 'wrk_1', gen: 0, fence: 1 });
  onTestFinished(() => beating.stop());
  return (): boolean => {
    const before = beats;
    beating.phase('running');
    return beats > before;
  };
}

test('an owner that can only read gives its jobs up as well, once its writes have failed for an hour', async () => {
  const time = { ms: 0 };
  const away = () => Promise.reject(new AppError('store_unavailable', 'HTTP 403'));
  let write: () => Promise<unknown> = away;
  const { store, isHeld } = watchStore({ get: () => Promise.resolve(null), put: () => write(), compareAndSwap: () => write(), delete: away } as unknown as Store, { monotonicMs: () => time.ms });
  const isSaid = ownerOf(isHeld);
  const goOn = async (ms: number, call: () => Promise<unknown>): Promise<void> => {
    for (const end = time.ms + ms; time.ms < end; ) {
      time.ms += 60_000;
      await store.get('k');
      await call().catch(() => undefined);
    }
  };
  await goOn(HOUR_MS, () => store.put('k', new Uint8Array()));
  expect(isSaid()).toBe(true);
  await goOn(60_000, () => store.compareAndSwap('k', new Uint8Array(), 'e'));
  expect(isSaid()).toBe(false);
  write = () => Promise.resolve({});
  await store.put('k', new Uint8Array());
  expect(isSaid(), 'it can write again').toBe(true);
  write = away;
  await goOn(60_000, () => store.put('k', new Uint8Array()));
  await goOn(2 * HOUR_MS, () => store.delete('k'));
  expect(isSaid(), 'one write that failed, and none that was due since').toBe(true);
});

test('an owner says that it lives as long as its store has answered within the hour, and again when it answers again', async () => {
  const time = { ms: 0 };
  let answer: () => Promise<null> = () => Promise.resolve(null);
  const { store, isHeld } = watchStore({ get: () => answer() } as unknown as Store, { monotonicMs: () => time.ms });
  const isSaid = ownerOf(isHeld);
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
});

// What a controller does about all of its sweeps: none waits for another one's store, and a store that is away ends the round in order.
import { expect, onTestFinished, test } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../../lib/errors.js';
import { admitSpec } from '../../../lib/jobs/admission.js';
import { createSweep } from '../../../lib/sweeps/log.js';
import { openSweepKey } from '../../../lib/sweeps/names.js';
import { resolveSweep } from '../../../lib/sweeps/resolve.js';
import { makeFileStore } from '../../../lib/store/file.js';
import type { Store } from '../../../lib/store/index.js';
import { makeSweepDriver } from '../../../worker/controller/sweeps.js';
import { ROOM_FOR_ALL } from '../../support/room.js';
import { makeTempDir } from '../../support/temp.js';

const SWEEP = { method: 'random', metric: { name: 'loss' }, run_cap: 1, execution: 'external', parameters: { lr: { min: 0.01, max: 0.1 } } };
const idOf = (number: number): string => `swp_${String(number).padStart(26, '0')}`;

/** So many open sweeps, and a driver whose reads of them pass by `beforeRead` first. */
async function setUp(sweeps: number, beforeRead: (key: string) => Promise<void>, monotonicMs: () => number = () => performance.now()) {
  const folder = await makeTempDir('driver');
  onTestFinished(folder.remove);
  const inner = await makeFileStore({ root: folder.path });
  onTestFinished(() => inner.close());
  const resolved = resolveSweep(SWEEP);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  for (let number = 0; number < sweeps; number++) {
    await createSweep({ store: inner, clock: { now: () => new Date() } }, { id: idOf(number), created_at: new Date().toISOString(), spec: resolved.spec, schedule: null });
    await inner.putIfAbsent(openSweepKey(idOf(number)), new Uint8Array());
  }
  const store = Object.create(inner, {
    get: {
      value: async (key: string) => {
        await beforeRead(key);
        return inner.get(key);
      },
    },
    keys: {
      value: async function* (prefix: string) {
        await beforeRead(prefix);
        yield* inner.keys(prefix);
      },
    },
  }) as Store;
  const driver = makeSweepDriver({
    store, clock: { now: () => new Date(), monotonicMs, sleep: (ms) => sleep(ms) }, tickets: { issue: () => Promise.resolve(), withdraw: () => Promise.resolve() }, log: { warn: () => undefined }, room: ROOM_FOR_ALL, nudge: () => undefined,
    isSound: () => Promise.resolve(true), admit: (job) => admitSpec(job, { roots: [], buckets: null }, inner),
  }, () => undefined);
  return driver;
}

test('sweeps are seen to some at a time', async () => {
  const waiting = new Set<string>();
  let most = 0;
  const driver = await setUp(20, async (key) => {
    if (key.endsWith('/')) return;
    waiting.add(key);
    most = Math.max(most, waiting.size);
    await sleep(20);
    waiting.delete(key);
  });
  await driver.tick(new AbortController().signal);
  expect(most).toBeGreaterThan(4);
  expect(most).toBeLessThan(20);
});

test('a store that is away is said once nothing is under way any more', async () => {
  let [reading, reads] = [0, 0];
  const driver = await setUp(20, async (key) => {
    if (key.endsWith('/') && reads > 0) throw new AppError('store_unavailable', 'away');
    if (key.endsWith('/')) return;
    reads += 1;
    const isFirst = reads === 1;
    reading += 1;
    await sleep(isFirst ? 1 : 100);
    reading -= 1;
    if (isFirst) throw new AppError('store_unavailable', 'away');
  });
  await expect(driver.tick(new AbortController().signal)).rejects.toMatchObject({ code: 'store_unavailable' });
  expect(reading).toBe(0);
  expect(reads).toBeLessThan(60);
});

test.each(['store_unavailable', 'checkpoint_corrupt'] as const)('sweeps that cannot be read (%s) keep no other one from being seen to, and are looked at less and less often', async (code) => {
  const looks = new Map<string, number>();
  let nowMs = 0;
  const driver = await setUp(30, async (key) => {
    const [, id = ''] = key.split('/');
    if (!key.endsWith('/sweep.json')) return;
    looks.set(id, (looks.get(id) ?? 0) + 1);
    if (id < idOf(12)) throw new AppError(code, 'an object that gives EIO');
  }, () => nowMs);
  for (let second = 0; second < 60; second++) {
    nowMs = second * 1_000;
    await driver.tick(new AbortController().signal);
  }
  // after 0, 1, 3, 7, 15 and 31 s
  expect([...looks].sort()).toEqual(Array.from({ length: 30 }, (_, number) => [idOf(number), number < 12 ? 6 : 1]));
  driver.changed(idOf(3));
  await driver.tick(new AbortController().signal);
  expect(looks.get(idOf(3))).toBe(7);
});

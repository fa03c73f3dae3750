import { expect, it } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import { makeOpenCount } from '../../../lib/jobs/open-count.js';
import { makeMemoryStore } from '../../support/memory-store.js';

const job = (n: number): string => `job_${String(n).padStart(26, '0')}`;
const NOTHING = Buffer.from('{}');

function setUp() {
  const store = makeMemoryStore();
  const clock = { ms: 0, monotonicMs: () => clock.ms };
  const walks: string[] = [];
  const world = { isAway: false, stuck: null as Promise<void> | null };
  const count = makeOpenCount({
    store: {
      keys: async function* (...args) {
        walks.push(args[0]);
        if (world.isAway) throw new AppError('store_unavailable', 'away');
        await world.stuck;
        yield* store.keys(...args);
      },
    },
    clock,
  });
  return { store, clock, walks, world, count, open: (n: number, gen = 0) => store.putIfAbsent(`open/${job(n)}.${gen}`, NOTHING) };
}

it('counts each open job once, whatever was closed, and nothing again while a count is new', async () => {
  const { count, open, store, walks } = setUp();
  await open(1);
  await open(1, 1);
  await store.putIfAbsent(`closed/2026-01-01/${job(9)}.0`, NOTHING);
  expect([await count.isFull(2), await count.isFull(1)]).toEqual([false, true]);
  expect(walks).toEqual(['open/']);
});

it('adds what this process took in since, until a count shows it', async () => {
  const { count, open, clock, walks } = setUp();
  await open(1);
  expect(await count.isFull(3)).toBe(false);
  for (const n of [2, 2, 1]) count.note(job(n));
  expect([await count.isFull(3), await count.isFull(2)]).toEqual([false, true]);
  // What was noted never came into the store.
  clock.ms = 1_000;
  expect([await count.isFull(2), walks.length]).toEqual([false, 2]);
});

it('does not wait for a later count where there is room, and does where it is full', async () => {
  const { count, open, store, clock, walks, world } = setUp();
  for (const n of [1, 2]) await open(n);
  expect(await count.isFull(3)).toBe(false);
  let release = (): void => undefined;
  world.stuck = new Promise((resolve) => (release = resolve));
  clock.ms = 60_000;
  expect([await count.isFull(3), walks.length]).toEqual([false, 2]);
  const full = count.isFull(2);
  // Taken in while it is counted.
  count.note(job(3));
  await store.delete(`open/${job(2)}.0`);
  release();
  expect([await full, walks.length]).toEqual([true, 2]);
  clock.ms = 120_000;
  expect(await count.isFull(2)).toBe(false);
});

it('says that the store is away where a count is waited for', async () => {
  const { count, clock, world } = setUp();
  world.isAway = true;
  await expect(count.isFull(1)).rejects.toMatchObject({ code: 'store_unavailable' });
  world.isAway = false;
  expect(await count.isFull(1)).toBe(false);
  count.note(job(1));
  world.isAway = true;
  clock.ms = 60_000;
  expect(await count.isFull(2)).toBe(false);
  await expect(count.isFull(1)).rejects.toMatchObject({ code: 'store_unavailable' });
});

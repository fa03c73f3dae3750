import { expect, it } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import { makeJobRoom } from '../../../lib/jobs/room.js';
import { makeMemoryStore } from '../../support/memory-store.js';

const job = (n: number): string => `job_${String(n).padStart(26, '0')}`;
const NOTHING = Buffer.from('{}');

async function setUp(openJobs: number) {
  const store = makeMemoryStore();
  const clock = { ms: 0, monotonicMs: () => clock.ms };
  const warnings: string[] = [];
  const counted = { lists: 0, isAway: false };
  const room = makeJobRoom({
    store: {
      keys: (...args) => {
        counted.lists++;
        if (counted.isAway) throw new AppError('store_unavailable', 'away');
        return store.keys(...args);
      },
    },
    clock, openJobs, log: { warn: (_fields, message) => void warnings.push(message) },
  });
  return { store, clock, warnings, counted, room, open: (n: number, gen = 0) => store.putIfAbsent(`open/${job(n)}.${gen}`, NOTHING) };
}

it('gives places until so many jobs are open, each of them once, with what was started since they were counted', async () => {
  const { room, open, store, clock, counted } = await setUp(3);
  await open(1);
  await open(1, 1);
  await store.putIfAbsent(`closed/2026-01-01/${job(9)}.0`, NOTHING);
  expect(await Promise.all([1, 1, 1].map((wanted) => room.take(wanted)))).toEqual([1, 1, 0]);
  expect(counted.lists).toBe(1);
  // what was started is among those that are counted
  await open(2);
  await open(3);
  clock.ms = 4_999;
  expect([await room.take(1), counted.lists]).toEqual([0, 1]);
  clock.ms = 5_000;
  expect([await room.take(1), counted.lists]).toEqual([0, 2]);
  for (const n of [2, 3]) await store.delete(`open/${job(n)}.0`);
  clock.ms = 10_000;
  expect([await room.take(5), await room.take(1), counted.lists]).toEqual([2, 0, 3]);
  // and those that were not used are free again
  clock.ms = 15_000;
  expect(await room.take(2)).toBe(2);
  await Promise.all([4, 5, 6].map((n) => open(n)));
  clock.ms = 20_000;
  expect(await room.take(1)).toBe(0);
});

it('counts once for all who ask at a time, and again after the store was away', async () => {
  const { room, counted } = await setUp(10);
  counted.isAway = true;
  await expect(room.take(1)).rejects.toMatchObject({ code: 'store_unavailable' });
  counted.isAway = false;
  expect(await Promise.all([1, 2, 3].map((wanted) => room.take(wanted)))).toEqual([1, 2, 3]);
  expect(counted.lists).toBe(2);
});

it('counts ahead of those who ask soon, who then wait for nothing as long as that count gives what they want', async () => {
  const { room, open, store, clock, counted } = await setUp(3);
  await open(1);
  room.ahead();
  room.ahead();
  clock.ms = 4_999;
  room.ahead();
  expect([await room.take(1), counted.lists]).toEqual([1, 1]);
  clock.ms = 14_999;
  expect([await room.take(1), counted.lists], 'both of those that were counted').toEqual([1, 1]);
  expect([await room.take(1), counted.lists], 'one more than were counted').toEqual([1, 2]);
  // what was taken before a count is over is not free while it is
  await Promise.all([2, 3].map((n) => open(n)));
  clock.ms = 20_000;
  room.ahead();
  expect([await room.take(2), counted.lists]).toEqual([0, 3]);
  for (const n of [1, 2, 3]) await store.delete(`open/${job(n)}.0`);
  clock.ms = 30_000;
  counted.isAway = true;
  room.ahead();
  await expect(room.take(1)).rejects.toMatchObject({ code: 'store_unavailable' });
  counted.isAway = false;
  expect([await room.take(3), counted.lists]).toEqual([3, 5]);
  clock.ms = 45_000;
  expect([await room.take(0), counted.lists], 'a count is too old').toEqual([0, 6]);
});

it('says when there are no more, once each time', async () => {
  const { room, open, store, clock, warnings } = await setUp(1);
  await open(1);
  for (const ms of [0, 5_000, 10_000]) {
    clock.ms = ms;
    await room.take(1);
  }
  expect(warnings).toEqual([expect.stringMatching(/PAWL_MAX_OPEN_JOBS/)]);
  await store.delete(`open/${job(1)}.0`);
  clock.ms = 15_000;
  await room.take(1);
  await room.take(1);
  expect(warnings).toHaveLength(2);
});

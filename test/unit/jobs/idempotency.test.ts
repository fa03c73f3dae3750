// Idempotency keys after their time: whatever happens at once or half-way, a key stands for one request.
import { expect, it } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import { findFirst, type Sent, settleKey } from '../../../lib/jobs/idempotency.js';
import type { Store } from '../../../lib/store/index.js';
import { makeMemoryStore } from '../../support/memory-store.js';

const SENT: Sent = { principal: 'jobs', key: 'nightly', bodySha256: 'a'.repeat(64) };
const DAY_MS = 24 * 3_600_000 + 1;
const START_MS = Date.UTC(2026, 0, 1);
const on = (day: number): Date => new Date(START_MS + day * DAY_MS);
const settle = (store: Store, id: string, now: Date) => settleKey(store, SENT, { id, created_at: now.toISOString() }, now);

it('several requests at once under a key that is too old are one, day after day', async () => {
  const store = makeMemoryStore();
  for (let day = 0; day < 4; day++) {
    expect(await findFirst(store, SENT, on(day))).toBeNull();
    const owners = await Promise.all([1, 2, 3].map((n) => settle(store, `job_${day}${n}`, on(day))));
    expect(new Set(owners.map(({ id }) => id))).toEqual(new Set([`job_${day}1`]));
    expect(await findFirst(store, SENT, on(day))).toMatchObject({ id: `job_${day}1` });
  }
});

it('a request goes by the key’s own record, however often the key was used before', async () => {
  const plain = makeMemoryStore();
  for (let day = 0; day < 9; day++) await settle(plain, `job_${day}`, on(day));
  let reads = 0;
  const store: Store = { ...plain, get: (...args) => (reads++, plain.get(...args)) };
  expect([await findFirst(store, SENT, on(8)), reads]).toEqual([expect.objectContaining({ id: 'job_8' }), 1]);
});

it('a request that dies, or gets no answer, while it takes over a key that is too old is what its repeat finds', async () => {
  const plain = makeMemoryStore();
  await settle(plain, 'job_old', on(0));
  let struck = 0;
  const away = (): never => {
    struck++;
    throw new AppError('store_unavailable', 'no answer in time');
  };
  await expect(settle({ ...plain, put: async () => away() }, 'job_new', on(1))).rejects.toThrow('no answer');
  expect((await settle(plain, 'job_repeat', on(1))).id).toBe('job_new');
  const unanswered: Store = { ...plain, putIfAbsent: async (...args) => ((await plain.putIfAbsent(...args)).created ? away() : { created: false }) };
  expect((await settle(unanswered, 'job_next', on(2))).id).toBe('job_next');
  expect(struck).toBe(2);
});

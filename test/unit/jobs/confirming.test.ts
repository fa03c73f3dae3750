// What was only read is not passed on as done, or acted on, before it lasts: on a store that shows what it will not keep, as a disk does
// after a failed fsync, each of these is refused, though all that it wants can be read.
import { expect, it, test } from 'vitest';
import { AppError, isAppError } from '../../../lib/errors.js';
import { findRepeat } from '../../../lib/jobs/admission.js';
import { closeJob } from '../../../lib/jobs/closing.js';
import { retryJob, sayVerb } from '../../../lib/jobs/control.js';
import { claimJob, readHead } from '../../../lib/jobs/head.js';
import { type Sent, settleKey } from '../../../lib/jobs/idempotency.js';
import { NOTHING_DONE } from '../../../lib/jobs/lifecycle.js';
import { closedKey, headKey, idempotencyKey, jobKey, openKey, resultKey } from '../../../lib/jobs/names.js';
import { requireRecord } from '../../../lib/jobs/record.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import { BY_A_USER, submitJob } from '../../../lib/jobs/submit.js';
import { createdSchedule, createSchedule, pauseSchedule } from '../../../lib/schedules/control.js';
import { scheduleKey } from '../../../lib/schedules/names.js';
import type { Store } from '../../../lib/store/index.js';
import { sayToSweep } from '../../../lib/sweeps/control.js';
import { createSweep, openLog } from '../../../lib/sweeps/log.js';
import { logKey, sweepKey } from '../../../lib/sweeps/names.js';
import { resolveSweep } from '../../../lib/sweeps/resolve.js';
import { findSweep, submitSweep } from '../../../lib/sweeps/submit.js';
import { makeMemoryStore } from '../../support/memory-store.js';
import { SCHEDULE, specOf } from '../../support/schedules/world.js';

const NOW = new Date('2026-05-01T12:00:00.000Z');
const clock = { now: () => NOW, sleep: () => Promise.resolve() };
const JOB = `job_${'0'.repeat(26)}`;
const SWEEP = `swp_${'0'.repeat(26)}`;
const SENT: Sent = { principal: 'jobs', key: 'nightly', bodySha256: 'a'.repeat(64) };
const job = { data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] } };

function specOfJob() {
  const resolved = resolveSpec(job);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  return resolved.spec;
}

function specOfSweep() {
  const resolved = resolveSweep({ method: 'random', run_cap: 3, metric: { name: 'loss' }, parameters: { lr: { min: 0.1, max: 0.2 } }, job });
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  return resolved.spec;
}

const control = (store: Store) => ({ store, clock, tickets: { issue: () => Promise.resolve(), withdraw: () => Promise.resolve() }, log: { warn: () => undefined } });
const submit = (store: Store, id = JOB) => submitJob(control(store), { ...SENT, id, spec: specOfJob(), origin: BY_A_USER, beginning: null });
const sweep = (store: Store, id = SWEEP) => submitSweep({ store, clock }, { ...SENT, id, spec: specOfSweep(), warm_start: null, noted: [] });
const schedule = (store: Store) => createSchedule({ store, clock }, SCHEDULE, { spec: specOf(), paused: false });
const claim = (store: Store) => claimJob({ store, clock }, { job: JOB, worker: 'wrk_a', ticket: null, limits: { maxFailures: 3, maxPreemptions: null, startAfter: null, startBefore: null }, isLive: () => Promise.resolve(false), account: () => Promise.resolve(NOTHING_DONE), sharedNow: () => Promise.resolve(new Date()) });

/** Of whoever writes this key the answer is lost, after all was done. */
function unanswered(store: Store, key: string): Store {
  return {
    ...store,
    putIfAbsent: async (...args) => {
      const outcome = await store.putIfAbsent(...args);
      if (args[0] === key && outcome.created) throw new AppError('store_unavailable', 'no answer');
      return outcome;
    },
  };
}

interface Case {
  what: string;
  /** What is in the store by then. */
  before?: (store: Store) => Promise<unknown>;
  then: (store: Store) => Promise<unknown>;
  key: string;
}

const CASES: Case[] = [
  { what: 'a job under a key that it was submitted by', before: submit, then: (store) => findRepeat(store, SENT, NOW), key: jobKey(JOB) },
  { what: 'a job that another request under the key has submitted meanwhile', before: submit, then: (store) => submit(store, `job_${'1'.repeat(26)}`), key: jobKey(JOB) },
  { what: 'a job whose writing was not answered', then: (store) => submit(unanswered(store, jobKey(JOB))), key: jobKey(JOB) },
  { what: 'a key whose writing was not answered', then: (store) => settleKey(unanswered(store, idempotencyKey('jobs', 'nightly')), SENT, { id: JOB, created_at: NOW.toISOString() }, NOW), key: idempotencyKey('jobs', 'nightly') },
  { what: 'a verb that was said already', before: (store) => submit(store).then(() => sayVerb(control(store), JOB, 'pause', 'user')), then: (store) => sayVerb(control(store), JOB, 'pause', 'user'), key: headKey(JOB) },
  { what: 'a sweep under a key that it was submitted by', before: sweep, then: (store) => findSweep({ store, clock }, SENT), key: sweepKey(SWEEP) },
  { what: 'a sweep that another request under the key has submitted meanwhile', before: sweep, then: (store) => sweep(store, `swp_${'1'.repeat(26)}`), key: sweepKey(SWEEP) },
  { what: 'a sweep whose writing was not answered', then: (store) => createSweep({ store: unanswered(store, sweepKey(SWEEP)), clock }, { id: SWEEP, created_at: NOW.toISOString(), spec: specOfSweep(), schedule: null }), key: sweepKey(SWEEP) },
  {
    what: 'what was said to a sweep already',
    before: (store) => sweep(store).then(async ({ record }) => sayToSweep(await openLog({ store, clock }, record), 'pause')),
    then: async (store) => sayToSweep(await openLog({ store, clock }, (await sweep(makeMemoryStore())).record), 'pause'),
    key: logKey(SWEEP, 1),
  },
  { what: 'a schedule under a key that it was created by', before: schedule, then: (store) => createdSchedule({ store }, SCHEDULE), key: scheduleKey(SCHEDULE) },
  { what: 'a schedule whose writing was not answered', then: (store) => schedule(unanswered(store, scheduleKey(SCHEDULE))), key: scheduleKey(SCHEDULE) },
  { what: 'a schedule that is paused already', before: (store) => schedule(store).then(() => pauseSchedule({ store, clock }, SCHEDULE, null)), then: (store) => pauseSchedule({ store, clock }, SCHEDULE, null), key: scheduleKey(SCHEDULE) },
];

test.each(CASES)('$what', async ({ before, then, key }) => {
  for (const lasts of [true, false]) {
    const store = makeMemoryStore();
    await before?.(store);
    const confirmed: string[] = [];
    const outcome = then({
      ...store,
      confirm: async (asked) => {
        confirmed.push(asked);
        if (!lasts) throw new AppError('store_unavailable', 'writes are refused since fsync failed');
      },
    });
    if (lasts) await outcome;
    else await expect(outcome).rejects.toSatisfy((error) => isAppError(error, 'store_unavailable'));
    expect(new Set(confirmed)).toEqual(new Set([key]));
  }
});

it('a commit whose answer was lost is one only when it lasts', async () => {
  const store = makeMemoryStore();
  await submit(store);
  const order: string[] = [];
  const faulty: Store = {
    ...store,
    compareAndSwap: async (...args) => {
      const outcome = await store.compareAndSwap(...args);
      order.push('swapped');
      if (outcome.swapped) throw new AppError('store_unavailable', 'no answer');
      return outcome;
    },
    confirm: async (key) => {
      expect(key).toBe(headKey(JOB));
      order.push('confirm');
      if (order.length < 4) throw new AppError('store_unavailable', 'not yet');
    },
  };
  const outcome = await claim(faulty);
  if (outcome.kind !== 'claimed') throw new Error(outcome.kind);
  const head = await outcome.claim.write((current) => ({ ...current, seq: 7 }));
  expect([head.seq, order]).toEqual([7, ['swapped', 'confirm', 'confirm', 'confirm']]);
});

it('a job that was closed long ago is not closed once more when it is retried', async () => {
  for (const isClosed of [true, false]) {
    const store = makeMemoryStore();
    await submit(store);
    await sayVerb(control(store), JOB, 'cancel', 'user');
    await claim(store);
    const { head } = await readHead({ store }, JOB);
    if (isClosed) await closeJob(store, await requireRecord(store, JOB), head, NOW);
    store.objects.delete(resultKey(JOB, 0));
    expect((await retryJob(control(store), JOB)).gen).toBe(1);
    expect([store.objects.has(resultKey(JOB, 0)), store.objects.has(openKey(JOB, 0)), store.objects.has(openKey(JOB, 1))]).toEqual([!isClosed, false, true]);
  }
});

it('nothing is made of an end that may not last', async () => {
  const store = makeMemoryStore();
  await submit(store);
  const cancelled = await sayVerb(control(store), JOB, 'cancel', 'user');
  const outcome = await claim(store);
  expect([cancelled.want.verb, outcome.kind]).toEqual(['cancel', 'finished']);
  const { head } = await readHead({ store }, JOB);
  const close = (confirm: Store['confirm']) => requireRecord(store, JOB).then((record) => closeJob({ ...store, confirm }, record, head, NOW));
  const made = [openKey(JOB, 0), closedKey('2026-05-01', JOB, 0), resultKey(JOB, 0)];
  await expect(close(() => Promise.reject(new AppError('store_unavailable', 'fsync failed')))).rejects.toThrow('fsync failed');
  expect(made.map((key) => store.objects.has(key))).toEqual([true, false, false]);
  await close(() => Promise.resolve());
  expect(made.map((key) => store.objects.has(key))).toEqual([false, true, true]);
});

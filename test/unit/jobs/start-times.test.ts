// run.start_after and run.start_before by a process whose clock is an hour ahead: it goes by the clock that all share, and neither starts
// a job too soon nor ends one that has time.
import { expect, test } from 'vitest';
import { claimJob, readHead } from '../../../lib/jobs/head.js';
import { NOTHING_DONE, type Ticket } from '../../../lib/jobs/lifecycle.js';
import { headKey } from '../../../lib/jobs/names.js';
import { reconcileJob, runLimits } from '../../../lib/jobs/reconcile.js';
import { requireRecord } from '../../../lib/jobs/record.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import { BY_A_USER, submitJob } from '../../../lib/jobs/submit.js';
import { makeMemoryStore } from '../../support/memory-store.js';

const JOB = `job_${'0'.repeat(26)}`;
const NOW = Date.UTC(2026, 4, 1, 12);
const at = (minutes: number): string => new Date(NOW + minutes * 60_000).toISOString();
const AHEAD_MINUTES = 60;
const nobody = { isLive: () => Promise.resolve(false), account: () => Promise.resolve(NOTHING_DONE) };

/** A job that is to start within this time, and a process that looks at it. */
async function setUp(run: object, aheadMinutes = AHEAD_MINUTES) {
  const resolved = resolveSpec({ data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] }, run });
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  const store = makeMemoryStore();
  const tickets: string[] = [];
  const named = ({ job, gen, fence }: Ticket): string => `${job}.${gen}.${fence}`;
  let asked = 0;
  const deps = {
    store, clock: { now: () => new Date(NOW + aheadMinutes * 60_000), sleep: () => Promise.resolve() }, log: { warn: () => undefined }, name: 'ctl_a', ...nobody,
    sharedNow: () => (asked++, Promise.resolve(new Date(NOW))),
    tickets: { issue: (ticket: Ticket) => Promise.resolve(void tickets.push(named(ticket))), withdraw: (ticket: Ticket) => Promise.resolve(void tickets.push(`no ${named(ticket)}`)) },
  };
  await submitJob(deps, { id: JOB, spec: resolved.spec, origin: BY_A_USER, beginning: null, principal: 'test', key: null, bodySha256: '' });
  tickets.length = 0;
  const claim = async () => claimJob(deps, { ...deps, isLive: nobody.isLive, account: nobody.account, job: JOB, worker: 'wrk_a', ticket: { job: JOB, gen: 0, fence: 0 }, limits: runLimits(await requireRecord(store, JOB)) });
  return { store, tickets, claim, reconcile: () => reconcileJob(deps, JOB, 0), asked: () => asked };
}

test('a job that has time is started, and not ended as too late', async () => {
  const { claim, asked } = await setUp({ start_before: at(10) });
  expect(await claim()).toMatchObject({ kind: 'claimed' });
  expect(asked()).toBe(1);
});

test('a controller leaves it its ticket', async () => {
  const { store, reconcile, tickets } = await setUp({ start_before: at(10) });
  expect(await reconcile()).toBe('ticketed');
  expect(tickets).toEqual([`${JOB}.0.0`]);
  expect(await store.get(headKey(JOB))).toBeNull();
});

test.each([['ahead', AHEAD_MINUTES], ['behind', -AHEAD_MINUTES]])('a job that is too late ends by whoever finds it, a clock that is %s or not', async (_, aheadMinutes) => {
  const spec = { start_before: at(-1) };
  const worker = await setUp(spec, aheadMinutes);
  expect(await worker.claim()).toMatchObject({ kind: 'finished', head: { state: 'expired', reason: 'start_expired' } });
  const controller = await setUp(spec, aheadMinutes);
  expect(await controller.reconcile()).toBe('finished');
  expect((await readHead(controller, JOB)).head.state).toBe('expired');
  expect(controller.tickets).toEqual([`no ${JOB}.0.0`]);
});

test('a job whose time has not come is not claimed, and nothing of it is written', async () => {
  const { store, claim, reconcile, tickets } = await setUp({ start_after: at(30), start_before: at(40) });
  expect(await claim()).toMatchObject({ kind: 'early', startsAt: new Date(at(30)) });
  expect(await reconcile()).toBe('ticketed');
  expect(tickets).toEqual([`${JOB}.0.0`]);
  expect(await store.get(headKey(JOB))).toBeNull();
});

test('a job whose time has come is, though this clock does not say so', async () => {
  const { claim } = await setUp({ start_after: at(-1) }, -AHEAD_MINUTES);
  expect(await claim()).toMatchObject({ kind: 'claimed' });
});

test('nobody asks for the time about a job that may start at any', async () => {
  const { claim, reconcile, asked } = await setUp({});
  expect(await reconcile()).toBe('ticketed');
  expect(await claim()).toMatchObject({ kind: 'claimed' });
  expect(asked()).toBe(0);
});

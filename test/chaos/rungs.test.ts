// A job that pauses by itself after an update, as a sweep's trials do: its figures there and its end are the same whatever struck it,
// and it keeps no worker meanwhile.
import { afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.js';
import type { Rung } from '../../lib/contract/records.js';
import { goOnUntil } from '../../lib/jobs/control.js';
import { startTestSystem, type TestSystem, trainerOf, waitFor } from '../support/system.js';
import { expectSameBits, recipe, type Reference, undisturbed, untilEnded, untilTraining } from './recipe.js';

const spec = recipe(20);
/** Of its 574 updates: inside an epoch, and far into it. 287 micro-batches an epoch do not end with a window. */
const RUNGS = [60, 300];
let reference: Reference;
let system: TestSystem;

beforeAll(async () => {
  reference = await undisturbed(spec);
});
afterEach(() => system.stop());

const paused = (job: string) => system.until(job, 'has paused', ({ state, owner, want }) => state === 'paused' && owner === null && want.verb === 'pause', 90_000);
const until = (job: string, update: number | null) => goOnUntil({ store: system.store, clock: systemClock, tickets: system.queue.tickets, log: { warn: () => undefined } }, job, update);

async function start(): Promise<string> {
  system = await startTestSystem();
  await system.startController();
  return system.submit(spec, null, RUNGS[0]);
}

/** The rungs of a job that nothing strikes. */
async function calm(): Promise<Rung[]> {
  const job = await start();
  await system.startWorker();
  expect(await paused(job)).toMatchObject({ reason: 'sweep_paused', want: { verb: 'pause', cause: 'sweep_paused' }, rungs: [{ update: RUNGS[0] }] });
  expect((await system.queue.tickets.depth()).waiting, 'nobody is asked for').toBe(0);
  await until(job, RUNGS[1]!);
  expect((await paused(job)).retained.at(-1)).toMatchObject({ updates: RUNGS[1], window_position: 0 });
  await until(job, null);
  const head = await system.terminal(job);
  await expectSameBits(system, job, head, reference);
  expect(head.counters).toMatchObject({ wasted_micro_batches: 0, failures: 0, preemptions: 0, restarts: 0 });
  expect((await system.attempts(job)).map(({ end }) => end?.end_reason)).toEqual(['sweep_paused', 'sweep_paused', 'completed']);
  return head.rungs;
}

test('kills and notices on its way change neither its figures at a rung nor its end', async () => {
  const rungs = await calm();
  expect(rungs.map(({ update }) => update)).toEqual(RUNGS);
  for (const { metrics, validation } of rungs) expect([metrics['loss'], validation?.['val_loss']].every((value) => typeof value === 'number' && value > 0)).toBe(true);
  await system.stop();

  const job = await start();
  const worker = await system.startWorker();
  await untilTraining(system, job, 50);
  process.kill(await trainerOf(worker), 'SIGKILL');
  await paused(job);
  await until(job, RUNGS[1]!);
  await untilTraining(system, job, 400);
  expect(await system.queue.control.requestPreempt(job, null, { graceSeconds: 2 })).toBe(true);
  await waitFor('it was preempted', async () => (await system.head(job)).counters.preemptions === 2);
  const before = (await system.attempts(job)).length;
  await paused(job);
  await until(job, null);
  await untilTraining(system, job, 1_600);
  process.kill(await trainerOf(worker), 'SIGKILL');
  await untilEnded(system, job, before + 1);
  const head = await system.terminal(job);
  await expectSameBits(system, job, head, reference);
  expect(head.rungs).toEqual(rungs);
  expect((await system.attempts(job)).map(({ end }) => end?.end_reason)).toEqual(['preempted_kill', 'sweep_paused', 'preempted_notice', 'sweep_paused', 'preempted_kill', 'completed']);
});

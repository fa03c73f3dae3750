// Pause, resume, cancel and retry while workers die and Redis is emptied: what was acknowledged holds.
import { afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.js';
import { retryJob, sayVerb } from '../../lib/jobs/control.js';
import { isAppError } from '../../lib/errors.js';
import { childrenOf, startTestSystem, type TestSystem, waitFor } from '../support/system.js';
import { expectSameBits, recipe, type Reference, undisturbed, untilTraining } from './recipe.js';

const spec = recipe();
let reference: Reference;
let system: TestSystem;

beforeAll(async () => {
  reference = await undisturbed(spec);
});
afterEach(() => system.stop());

const deps = () => ({ store: system.store, clock: systemClock, tickets: system.queue.tickets, log: { warn: () => undefined } });
async function say(job: string, verb: 'pause' | 'resume' | 'cancel' | 'kill'): Promise<void> {
  await sayVerb(deps(), job, verb, 'user');
  await system.queue.control.nudge(job).catch(() => undefined);
}

test('pause commits and holds, resume goes on from there, to the same bits', async () => {
  system = await startTestSystem();
  await system.startController();
  const worker = await system.startWorker();
  const job = await system.submit(spec);
  await untilTraining(system, job, 40);
  const trainers = await childrenOf(worker.pid);
  expect(trainers.length).toBe(1);
  await say(job, 'pause');
  const paused = await system.until(job, 'is paused', (head) => head.state === 'paused' && head.owner === null);
  const at = paused.retained.at(-1)!.micro_batches;
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect((await system.head(job)).version, 'nothing moves while it is paused').toBe(paused.version);
  await say(job, 'resume');
  const head = await system.terminal(job);
  expect(await childrenOf(worker.pid), 'the same trainer, kept warm').toEqual(trainers);
  await expectSameBits(system, job, head, reference);
  const attempts = await system.attempts(job);
  expect(attempts.length).toBe(2);
  expect(attempts[0]!.end!.executed_micro_batches).toBe(at);
  expect(head.counters.wasted_micro_batches).toBe(0);
});

test('cancel commits; retry goes on from that commit under the same id', async () => {
  system = await startTestSystem();
  await system.startController();
  await system.startWorker();
  const job = await system.submit(spec);
  await untilTraining(system, job, 40);
  await say(job, 'cancel');
  const cancelled = await system.terminal(job);
  expect(cancelled.state).toBe('cancelled');
  await waitFor('the open marker goes', async () => (await system.store.head(`open/${job}.0`)) === null);
  await expect(say(job, 'resume')).rejects.toSatisfy((error) => isAppError(error, 'invalid_state'));
  await retryJob(deps(), job);
  const head = await system.terminal(job);
  await expectSameBits(system, job, head, reference);
  expect(head.gen).toBe(1);
  expect((await system.attempts(job)).map(({ start }) => start.number)).toEqual([1, 2]);
});

test('kill ends without a commit', async () => {
  system = await startTestSystem();
  await system.startController();
  await system.startWorker();
  const job = await system.submit({ ...recipe(200), checkpoint: { every_seconds: 3600 } });
  await system.until(job, 'runs', (head) => head.inputs !== null);
  await waitFor('it executes', async () => ((await system.queue.heartbeats.read(job))?.progress?.micro_batches ?? 0) > 5, 60_000);
  await say(job, 'kill');
  const head = await system.terminal(job);
  expect(head.state).toBe('cancelled');
  expect(head.seq).toBe(0);
});

test('without any worker: pause, resume and cancel of a queued job are carried out by the controller', async () => {
  system = await startTestSystem();
  const job = await system.submit(spec);
  await say(job, 'pause');
  await system.startController();
  await system.until(job, 'is paused', (head) => head.state === 'paused');
  await say(job, 'resume');
  await say(job, 'cancel');
  const head = await system.terminal(job, 20_000);
  expect(head.state).toBe('cancelled');
});

test('verbs raced against kills and an emptied Redis', async () => {
  system = await startTestSystem();
  await system.startController();
  let worker = await system.startWorker();
  const job = await system.submit(spec);
  const rounds = ['pause', 'resume', 'pause', 'resume'] as const;
  let passed = 30;
  await untilTraining(system, job, passed);
  for (const [round, verb] of rounds.entries()) {
    const said = say(job, verb);
    if (round % 2 === 0) worker.kill('SIGKILL');
    await system.redis.flush();
    await said;
    const acknowledged = await system.head(job);
    expect(acknowledged.want.verb).toBe(verb === 'pause' ? 'pause' : 'run');
    if (round % 2 === 0) {
      worker = await system.startWorker();
      const paused = await system.until(job, 'is paused', (head) => head.state === 'paused' && head.owner === null, 40_000);
      expect(paused.want.verb).toBe('pause');
    } else {
      passed = (await system.head(job)).retained.at(-1)!.micro_batches;
      await untilTraining(system, job, passed + 20);
    }
  }
  const head = await system.terminal(job);
  await expectSameBits(system, job, head, reference);
});

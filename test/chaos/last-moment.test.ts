// A notice with time to spare: training goes on until a last save just fits, the commit lands before the deadline, nothing is computed
// twice; whoever has less time than that is not kept waiting.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Proc, startTestSystem, type TestSystem, waitFor } from '../support/system.js';
import { expectSameBits, recipe, type Reference, undisturbed, untilEnded } from './recipe.js';

/** No commit but for a reason. */
const spec = { ...recipe(80), checkpoint: { every_seconds: 3600 } };
let reference: Reference;
let system: TestSystem;
let api: Proc & { url: string };

beforeAll(async () => {
  reference = await undisturbed(spec);
  system = await startTestSystem();
  api = await system.startApi();
  await system.startController();
});
afterAll(() => system.stop());

async function preempt(job: string, graceSeconds: number): Promise<number> {
  const answer = await fetch(`${api.url}/v1/jobs/${job}/preempt`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ grace_seconds: graceSeconds }) });
  expect(answer.status, await answer.clone().text()).toBe(202);
  return performance.now();
}
async function isTraining(job: string, attempt: number): Promise<void> {
  await system.until(job, `attempt ${attempt} trains`, ({ owner, inputs }) => owner?.number === attempt && inputs !== null);
  await waitFor('it has begun', async () => ((await (await fetch(`${api.url}/v1/jobs/${job}`)).json()) as { status: string }).status === 'running');
}
const told = async (job: string) => (await system.events(job)).filter(({ type }) => type === 'job.preempting').map(({ data }) => data as Record<string, number>);

test('training goes on until a last save just fits, and no micro-batch is computed twice', async () => {
  const worker = await system.startWorker();
  const job = await system.submit(spec);
  await isTraining(job, 1);
  // Nothing was saved yet, so that a save is taken to last long: the time is all needed for it, as far as anybody knows.
  await preempt(job, 5);
  await untilEnded(system, job, 1);
  const [short] = await told(job);
  expect([short!['train_on_ms'], short!['save_ms']]).toEqual([0, 5_000]);
  expect(short!['shortfall_ms']).toBeGreaterThan(0);

  await isTraining(job, 2);
  const from = await preempt(job, 6);
  const before = (await system.head(job)).retained.at(-1)!.micro_batches;
  await waitFor('a commit ahead of time, in case that the time is not what was said', async () => (await system.head(job)).retained.at(-1)!.micro_batches > before);
  const early = (await system.head(job)).retained.at(-1)!.micro_batches;
  expect((await system.head(job)).owner?.number, 'training goes on').toBe(2);
  await untilEnded(system, job, 2);
  const tookMs = performance.now() - from;
  // Two seconds are the margin; the rest is what was measured.
  expect(tookMs).toBeGreaterThan(2_000);
  expect(tookMs).toBeLessThan(6_000);
  const [, second] = await told(job);
  expect(second).toMatchObject({ shortfall_ms: 0 });
  expect(second!['train_on_ms']).toBeGreaterThan(2_000);
  const [first, end] = (await system.attempts(job)).map((attempt) => attempt.end);
  expect(end).toMatchObject({ end_reason: 'preempted_notice', wasted_micro_batches: 0 });
  expect(first!.executed_micro_batches + end!.executed_micro_batches, 'it trained on').toBeGreaterThan(early);
  await expectSameBits(system, job, await system.terminal(job), reference);
  worker.kill('SIGTERM');
  await worker.exited;
});

test('whoever has less time, or waits for the worker to go, is not kept waiting', async () => {
  const worker = await system.startWorker();
  const job = await system.submit({ ...spec, training: { ...spec.training, epochs: 1_000 } });
  await isTraining(job, 1);
  await preempt(job, 120);
  await waitFor('it trains on', async () => (await system.head(job)).retained.length > 0);
  const tighter = await preempt(job, 2);
  await untilEnded(system, job, 1);
  expect(performance.now() - tighter).toBeLessThan(2_000);

  await isTraining(job, 2);
  await preempt(job, 120);
  const from = performance.now();
  worker.kill('SIGTERM');
  await worker.exited;
  expect(performance.now() - from).toBeLessThan(10_000);
  const ends = (await system.attempts(job)).map(({ end }) => [end?.end_reason, end?.wasted_micro_batches]);
  expect(ends).toEqual([['preempted_notice', 0], ['preempted_notice', 0]]);
});

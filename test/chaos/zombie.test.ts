// A worker that was frozen past its takeover wakes up and changes nothing outside its own fence's names.
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { Store } from '../../lib/store/index.js';
import { childrenOf, startTestSystem, type TestSystem, trainerOf, waitFor } from '../support/system.js';
import { expectSameBits, recipe, type Reference, undisturbed, untilTraining } from './recipe.js';

const spec = recipe(30);
let reference: Reference;
let system: TestSystem;

beforeAll(async () => {
  reference = await undisturbed(spec);
});
afterEach(() => system.stop());

async function listing(store: Store): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  for await (const info of store.list('')) keys.set(info.key, info.etag);
  return keys;
}

test('a thawed zombie is silent', async () => {
  system = await startTestSystem();
  await system.startController();
  const zombie = await system.startWorker();
  const job = await system.submit(spec);
  const before = await untilTraining(system, job, 30);
  const trainer = await trainerOf(zombie);
  zombie.kill('SIGSTOP');
  process.kill(trainer, 'SIGSTOP');
  await system.startWorker();
  const taken = await system.until(job, 'is taken over', (head) => head.fence > before.fence && head.owner !== null, 30_000);
  expect(taken.owner!.attempt).not.toBe(before.owner!.attempt);
  await system.until(job, 'is committed by its new owner', (head) => head.fence > before.fence && head.seq > taken.seq);

  process.kill(trainer, 'SIGCONT');
  zombie.kill('SIGCONT');
  // It learns that it was displaced at its next write, or when it next reads HEAD.
  await waitFor('the zombie gives up its trainer', async () => (await childrenOf(zombie.pid)).includes(trainer) === false, 30_000);

  const head = await system.terminal(job);
  await expectSameBits(system, job, head, reference);
  const ofZombie = [...(await listing(system.store)).keys()].filter((key) => key.includes(before.owner!.attempt));
  const zombieFence = String(before.fence).padStart(10, '0');
  for (const key of ofZombie) expect(key, 'a zombie writes only names of its own fence').toMatch(new RegExp(`commits/\\d+-${zombieFence}-`));
  const attempts = await system.attempts(job);
  expect(attempts[0]!.end).toMatchObject({ end_reason: 'lease_lost', attempt: before.owner!.attempt });
  expect(attempts[0]!.end!.closed_by).not.toBe(attempts[0]!.start.worker);
  // Every manifest in the surviving chain is of one owner at a time: fences never fall along it.
  const manifests = [...(await listing(system.store)).keys()].filter((key) => key.startsWith(`jobs/${job}/commits/`));
  expect(manifests.length).toBeGreaterThan(2);
});

test('a supervisor frozen alone, whose trainer computes on, commits nothing after its takeover', async () => {
  system = await startTestSystem();
  await system.startController();
  const zombie = await system.startWorker();
  const job = await system.submit(spec);
  const before = await untilTraining(system, job, 30);
  zombie.kill('SIGSTOP');
  await system.startWorker();
  const taken = await system.until(job, 'is taken over', (head) => head.fence > before.fence && head.owner !== null, 30_000);
  zombie.kill('SIGCONT');
  const head = await system.terminal(job);
  expect(head.fence).toBe(taken.fence);
  await expectSameBits(system, job, head, reference);
  await waitFor('the zombie is idle', async () => (await system.queue.workers.list()).every((worker) => worker.jobs.length === 0));
});

// Damage to what is stored: found by hash, named, passed over, and the bits at the end are the same.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { startTestSystem, type TestSystem } from '../support/system.js';
import { expectSameBits, recipe, type Reference, undisturbed, untilEnded, untilTraining } from './recipe.js';

const spec = recipe();
let reference: Reference;
let system: TestSystem;

beforeAll(async () => {
  reference = await undisturbed(spec);
});
afterEach(() => system.stop());

/** Runs a job into its middle and ends its worker in order, so that its checkpoints lie still. */
async function stoppedInTheMiddle(): Promise<string> {
  system = await startTestSystem();
  await system.startController();
  const worker = await system.startWorker();
  const job = await system.submit(spec);
  await untilTraining(system, job, 60);
  worker.kill('SIGTERM');
  await worker.exited;
  await untilEnded(system, job, 1);
  return job;
}
const fileOf = (key: string): string => join(system.folder, 'store', key);

test('one flipped weight: checkpoint_corrupt, the commit before, the same bits', async () => {
  const job = await stoppedInTheMiddle();
  const before = await system.head(job);
  const newest = before.retained.at(-1)!;
  const weights = newest.blobs.find((blob) => blob.role === 'weights')!;
  const bytes = await readFile(fileOf(weights.key));
  bytes[bytes.length - 3]! ^= 1;
  await writeFile(fileOf(weights.key), bytes);

  await system.startWorker();
  const head = await system.terminal(job);
  await expectSameBits(system, job, head, reference);
  const fallbacks = (await system.events(job)).filter((event) => event.type === 'checkpoint.fallback');
  expect(fallbacks.length).toBeGreaterThan(0);
  expect(fallbacks[0]!.message).toContain('checkpoint_corrupt');
  expect(fallbacks[0]!.data['checkpoint']).toBe(newest.id);
  const [, second] = await system.attempts(job);
  const used = second!.end!.resumed_from;
  expect(used).not.toBe(newest.id);
  expect(before.retained.map((commit) => commit.id)).toContain(used);
  expect(head.quarantined).toContain(newest.manifest);
});

test('a truncated manifest: the commit before', async () => {
  const job = await stoppedInTheMiddle();
  const newest = (await system.head(job)).retained.at(-1)!;
  const bytes = await readFile(fileOf(newest.manifest));
  await writeFile(fileOf(newest.manifest), bytes.subarray(0, bytes.length / 2));
  await system.startWorker();
  const head = await system.terminal(job);
  await expectSameBits(system, job, head, reference);
  expect(head.quarantined).toEqual([newest.manifest]);
});

test('every retained checkpoint damaged: the job fails by that name and starts nothing afresh', async () => {
  const job = await stoppedInTheMiddle();
  const { retained } = await system.head(job);
  for (const key of new Set(retained.flatMap((commit) => commit.blobs.filter((blob) => blob.role === 'weights').map((blob) => blob.key)))) await rm(fileOf(key));
  await system.startWorker();
  const head = await system.terminal(job);
  expect(head.state).toBe('failed');
  expect(head.reason).toBe('checkpoint_corrupt');
  expect(head.error!.code).toBe('checkpoint_corrupt');
  expect(head.counters.executed_micro_batches).toBeLessThan(reference.microBatches);
});

test('HEAD lost: rebuilt from the commits, the same bits', async () => {
  const job = await stoppedInTheMiddle();
  const before = await system.head(job);
  await system.store.delete(`jobs/${job}/HEAD`);
  const rebuilt = await system.head(job);
  expect(rebuilt.reason).toBe('checkpoint_corrupt');
  expect(rebuilt.fence).toBe(before.fence);
  await system.startWorker();
  const head = await system.terminal(job);
  await expectSameBits(system, job, head, reference);
  expect(head.fence).toBeGreaterThan(before.fence);
});

test('data that changed between attempts: data_changed, no mix', async () => {
  system = await startTestSystem();
  const roots = join(system.folder, 'roots');
  const { mkdir, copyFile } = await import('node:fs/promises');
  await mkdir(roots);
  const source = join(import.meta.dirname, '../fixtures/cnn/seed/data.npz');
  await copyFile(source, join(roots, 'data.npz'));
  system.env['PAWL_DATA_ROOTS'] = roots;
  await system.startController();
  const first = await system.startWorker();
  const job = await system.submit({ ...spec, data: { type: 'npz', path: 'data.npz', validation: null }, training: { ...spec.training, epochs: 2000 } });
  await untilTraining(system, job, 30);
  first.kill('SIGTERM');
  await first.exited;
  await copyFile(join(import.meta.dirname, '../fixtures/cnn/ragged-amsgrad/data.npz'), join(roots, 'data.npz'));
  await system.startWorker();
  const head = await system.terminal(job);
  expect(head.state).toBe('failed');
  expect(head.reason).toBe('data_changed');
});

// Damage to what is stored: found by hash, named, passed over, and the bits at the end are the same.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { decodeLines } from '../../lib/checkpoints/segments.js';
import type { JobEvent, UpdateRow } from '../../lib/contract/rows.js';
import type { JobSpecInput } from '../../lib/contract/spec.js';
import { readStretches } from '../../lib/jobs/history.js';
import { startTestSystem, type TestSystem } from '../support/system.js';
import { expectSameBits, recipe, type Reference, undisturbed, untilEnded, untilTraining } from './recipe.js';

const spec = recipe();
/** Its first epoch stays the best one, whose weights take the place of the last ones at the end. */
const withBest: JobSpecInput = { ...spec, training: { ...spec.training, early_stopping: { patience: 1_000, min_delta: 1_000, restore_best: true } } };
const EPOCH = 144;
let reference: Reference;
let referenceWithBest: Reference;
let system: TestSystem;

beforeAll(async () => {
  reference = await undisturbed(spec);
  referenceWithBest = await undisturbed(withBest);
});
afterEach(() => system.stop());

/** Runs a job into its middle and ends its worker in order, so that its checkpoints lie still. */
async function stoppedInTheMiddle(input = spec, past = 60): Promise<string> {
  system = await startTestSystem();
  await system.startController();
  const worker = await system.startWorker();
  const job = await system.submit(input);
  await untilTraining(system, job, past);
  worker.kill('SIGTERM');
  await worker.exited;
  await untilEnded(system, job, 1);
  return job;
}
const fileOf = (key: string): string => join(system.folder, 'store', key);

test.each(['weights', 'best'] as const)('one flipped bit of the %s: checkpoint_corrupt, the commit before, the same bits', async (role) => {
  const isBest = role === 'best';
  const job = await stoppedInTheMiddle(isBest ? withBest : spec, isBest ? EPOCH + 60 : 60);
  const before = await system.head(job);
  const newest = before.retained.at(-1)!;
  const damaged = newest.blobs.find((blob) => blob.role === role)!;
  const bytes = await readFile(fileOf(damaged.key));
  bytes[bytes.length - 3]! ^= 1;
  await writeFile(fileOf(damaged.key), bytes);

  await system.startWorker();
  const head = await system.terminal(job);
  await expectSameBits(system, job, head, isBest ? referenceWithBest : reference);
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

test('rows and events damaged: the newest commit all the same, the same weights, and what is lost is said', async () => {
  const job = await stoppedInTheMiddle();
  const before = await system.head(job);
  const manifest = await system.manifest(job);
  const rows = manifest.rows.update[0]!;
  await rm(fileOf(rows.key));
  await writeFile(fileOf(manifest.events[0]!.key), 'not what was written');
  await system.startWorker();
  const head = await system.terminal(job);
  expect(head.state, head.message ?? '').toBe('succeeded');
  expect([head.result!.weights_sha256, head.result!.state_sha256]).toEqual([reference.weights, reference.state]);
  expect((await system.attempts(job))[1]!.end!.resumed_from).toBe(before.retained.at(-1)!.id);
  expect(head.quarantined).toEqual([]);
  const last = await system.manifest(job);
  const left: UpdateRow[] = [];
  const said: JobEvent[] = [];
  for await (const { lines } of readStretches(system.store, last.rows.update, { onDamaged: () => undefined })) if (lines) left.push(...decodeLines<UpdateRow>(lines));
  for await (const { lines } of readStretches(system.store, last.events, { onDamaged: () => undefined })) if (lines) said.push(...decodeLines<JobEvent>(lines));
  expect(left.map(({ update }) => update)).toEqual(reference.rows.map(({ update }) => update).filter((update) => update < rows.first || update > rows.last));
  expect(said.filter(({ type }) => type === 'history.damaged').map(({ data }) => data['segment'])).toEqual([rows.key, manifest.events[0]!.key]);
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

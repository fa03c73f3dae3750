// Jobs that not every worker can take: a worker without what they ask for puts them back, and says why.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { processMemoryBytes } from '../../../lib/process-memory.js';
import { startTestSystem, type TestSystem, waitFor } from '../../support/system.js';

let system: TestSystem;
beforeAll(async () => {
  // No GPU, wherever this runs.
  system = await startTestSystem({ env: { PAWL_ENGINE: 'wasm' } });
  await system.startController();
  await system.startWorker();
});
afterAll(() => system.stop());

const spec = (resources: NonNullable<JobSpecInput['resources']>): JobSpecInput => ({
  data: { type: 'builtin', name: 'digits' },
  model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] },
  training: { batch_size: 64, max_updates: 3 },
  resources,
});
const machineMib = Math.floor(processMemoryBytes() / 2 ** 20);

it.each([
  ['a GPU', { gpu: 'required' }, /the job needs a GPU \(resources\.gpu\), this worker has /],
  ['more memory', { min_memory_mib: machineMib + 1 }, new RegExp(`the job needs ${machineMib + 1} MiB of memory .*this worker has ${machineMib} MiB`)],
] as const)('a job that needs %s than there is waits for another worker, and begins nothing', async (_, resources, message) => {
  const job = await system.submit(spec(resources));
  await waitFor('it was put back', async () => (await system.attempts(job)).some(({ end }) => end !== null));
  const [{ end } = { end: null }] = await system.attempts(job);
  expect(end).toMatchObject({ end_reason: 'engine_unavailable', executed_micro_batches: 0 });
  const head = await system.head(job);
  expect([head.state, head.message, head.inputs, head.counters.failures, head.counters.preemptions]).toEqual(['open', expect.stringMatching(message), null, 0, 0]);
});

it('is tried once, and then left to others: it costs this worker no further attempt, and keeps it from nothing', async () => {
  const jobs = await Promise.all(Array.from({ length: 3 }, () => system.submit(spec({ gpu: 'required' }))));
  const ended = async (job: string): Promise<number> => (await system.attempts(job)).filter(({ end }) => end !== null).length;
  for (const job of jobs) await waitFor('it was put back', async () => (await ended(job)) > 0);
  // its ticket is due again after ten seconds, and taken
  await sleep(15_000);
  expect(await Promise.all(jobs.map(ended))).toEqual([1, 1, 1]);
  const head = await system.terminal(await system.submit(spec({ gpu: 'none' })));
  expect(head.state, head.message ?? '').toBe('succeeded');
});

it('and one that asks for what there is runs', async () => {
  const head = await system.terminal(await system.submit(spec({ gpu: 'none', min_memory_mib: machineMib })));
  expect(head.state, head.message ?? '').toBe('succeeded');
});

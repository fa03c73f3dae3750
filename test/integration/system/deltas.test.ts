// Inside a window only the gradients are new: what a checkpoint writes there, as the API tells it, against all of its bytes.
import { afterEach, expect, test } from 'vitest';
import { makeClient } from '../../../api/client.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { startTestSystem, type TestSystem } from '../../support/system.js';

let system: TestSystem;
afterEach(() => system.stop());

const spec = (amsgrad: boolean): JobSpecInput => ({
  data: { type: 'builtin', name: 'digits', normalize: 'unit' },
  model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 512, activation: 'relu' }, { type: 'dense', units: 10, activation: 'softmax' }] },
  training: { batch_size: 10, accum_iters: 1_000, max_updates: 5, epochs: 1_000, optimizer: { type: 'adam', amsgrad }, seed: 1 },
  checkpoint: { every_micro_batches: 100, keep_last: 100 },
});

test.each([[false, 0.3], [true, 0.25]])('with amsgrad %s a checkpoint inside a window writes at most %d of itself', async (amsgrad, share) => {
  system = await startTestSystem();
  const client = makeClient({ url: (await system.startApi()).url });
  await system.startController();
  await system.startWorker();
  const job = await system.submit(spec(amsgrad));
  const { retained } = await system.terminal(job);
  const all = (await client.checkpoints(job, { limit: 100 })).data.toSorted((a, b) => a.micro_batches - b.micro_batches);
  const asHeld = retained.map(({ id, bytes, bytes_written }) => ({ id, bytes, bytes_written })).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  expect(all.map(({ id, bytes, bytes_written }) => ({ id, bytes, bytes_written })).toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(asHeld);
  const sameWindow = all.filter(({ micro_batches: done, window_position: position }) => position > 0 && all.some((other) => other.micro_batches < done && other.micro_batches - other.window_position === done - position));
  expect(sameWindow.length, 'checkpoints in a window that has one already').toBeGreaterThan(3);
  for (const { bytes, bytes_written } of sameWindow) expect(bytes_written / bytes).toBeLessThanOrEqual(share);
  // Another window's checkpoints stand alone.
  expect(all.some(({ bytes, bytes_written }) => bytes === bytes_written)).toBe(true);
});

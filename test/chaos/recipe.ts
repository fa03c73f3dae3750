// The job that chaos is made on, and the comparison with its undisturbed result.
import { expect } from 'vitest';
import type { Head } from '../../lib/contract/records.js';
import type { JobSpecInput } from '../../lib/contract/spec.js';
import { type TestSystem, waitFor } from '../support/system.js';
import { type Reference, undisturbed } from '../support/undisturbed.js';

export { type Reference, undisturbed };

export const ACCUM_ITERS = 5;

/** The original recipe with dropout and batch normalization, and convolutions wide enough for a micro-batch of a millisecond or two: there is time to disturb it. */
export function recipe(epochs = 12): JobSpecInput {
  return {
    data: { type: 'builtin', name: 'digits', normalize: 'unit', validation: { split: 0.2 } },
    model: {
      layers: [
        { type: 'conv2d', filters: 32, kernel_size: 3, padding: 'same' },
        { type: 'batch_normalization' },
        { type: 'activation', activation: 'relu' },
        { type: 'conv2d', filters: 48, kernel_size: 3, padding: 'same', activation: 'relu' },
        { type: 'max_pooling2d' },
        { type: 'flatten' },
        { type: 'dropout', rate: 0.25 },
        { type: 'dense', units: 10, activation: 'softmax' },
      ],
    },
    training: { batch_size: 10, accum_iters: ACCUM_ITERS, epochs, optimizer: { type: 'adam', lr: 0.001, decay: 1e-5, amsgrad: true }, seed: 42 },
    checkpoint: { every_micro_batches: 3 },
  };
}

/** Same weights, same slots, same rows; each micro-batch once in the surviving chain. */
export async function expectSameBits(system: TestSystem, job: string, head: Head, reference: Reference): Promise<void> {
  expect(head.state, head.message ?? '').toBe('succeeded');
  expect(head.result!.weights_sha256).toBe(reference.weights);
  expect(head.result!.state_sha256).toBe(reference.state);
  expect(await system.rows(job)).toEqual(reference.rows);
  const manifest = await system.manifest(job);
  expect(manifest.state.cursor.micro_batches).toBe(reference.microBatches);
  expect(head.counters.executed_micro_batches - head.counters.wasted_micro_batches, 'kept').toBe(reference.microBatches);
}

/** Where in its window the job was cut: the state it had resumed from, plus what it executed. */
export async function cutPositions(system: TestSystem, job: string): Promise<(number | null)[]> {
  let start = 0;
  const positions: (number | null)[] = [];
  for (const { end } of await system.attempts(job)) {
    positions.push(end ? (start + end.executed_micro_batches) % ACCUM_ITERS : null);
    if (end) start += end.executed_micro_batches - end.wasted_micro_batches;
  }
  return positions;
}

/** Waits until an attempt trains and has committed past `microBatches`. */
export async function untilTraining(system: TestSystem, job: string, microBatches: number): Promise<Head> {
  return system.until(job, `trains past micro-batch ${microBatches}`, (head) => head.owner !== null && (head.retained.at(-1)?.micro_batches ?? 0) > microBatches);
}

/** Waits until the ended attempts number `count`. */
export async function untilEnded(system: TestSystem, job: string, count: number): Promise<void> {
  await waitFor(`${count} ended attempts`, async () => (await system.attempts(job)).filter(({ end }) => end !== null).length >= count);
}

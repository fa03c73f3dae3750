// Averages, early stopping and the best epochs, as jobs through the running system: what is kept, exported and said.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import type { EpochRow } from '../../../lib/contract/rows.js';
import { readSegments } from '../../../lib/jobs/history.js';
import { weightsOf } from '../../../lib/jobs/weights.js';
import { startTestSystem, type TestSystem } from '../../support/system.js';

let system: TestSystem;
beforeAll(async () => {
  system = await startTestSystem();
  await system.startController();
  await system.startWorker();
});
afterAll(() => system.stop());

/** Learns its few samples by heart, so that the validation loss gets worse again. */
const spec = (training: JobSpecInput['training'], checkpoint: JobSpecInput['checkpoint'] = {}): JobSpecInput => ({
  data: { type: 'builtin', name: 'digits', normalize: 'unit', validation: { split: 0.9 } },
  model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 32, activation: 'relu' }, { type: 'dense', units: 10, activation: 'softmax' }] },
  training: { batch_size: 10, accum_iters: 2, epochs: 40, seed: 3, optimizer: { type: 'adam', lr: 0.05 }, ...training },
  checkpoint,
});

async function finished(input: JobSpecInput) {
  const job = await system.submit(input);
  const head = await system.terminal(job);
  expect(head.state, head.message ?? '').toBe('succeeded');
  return { job, head };
}

describe('a job', () => {
  test('stops early, with the best epoch’s weights, which are those of a training of so many epochs', async () => {
    const { job, head } = await finished(spec({ early_stopping: { patience: 3, restore_best: true } }));
    const manifest = await system.manifest(job);
    const { cursor, monitor } = manifest.state;
    expect(head.result).toMatchObject({ stopped_by: 'early_stopping', unused_micro_batches: cursor.micro_batches - 2 * cursor.updates });
    expect(cursor).toMatchObject({ stopped: true, restored: true, epoch: monitor.best_epoch! + 3 });
    expect(cursor.epoch).toBeLessThan(40);
    const upToBest = await finished(spec({ epochs: monitor.best_epoch! }));
    // the window that was open at the best epoch's end is in none of both
    expect(head.result!.weights_sha256).toBe(upToBest.head.result!.weights_sha256);
    expect(head.result!.state_sha256).not.toBe(upToBest.head.result!.state_sha256);
  });

  test('has a row of the part of an epoch that max_updates left, with the figures of its result', async () => {
    const { job, head } = await finished(spec({ max_updates: 12 }));
    const rows = await readSegments<EpochRow>(system.store, (await system.manifest(job)).rows.epoch);
    expect(rows).toMatchObject([{ epoch: 1, updates: 9 }, { epoch: 2, updates: 12, loss: head.result!.metrics['loss'], val_loss: head.result!.validation!['val_loss'] }]);
  });

  test('keeps the checkpoints of its best epochs, whatever came after them', async () => {
    const { job, head } = await finished(spec({ epochs: 12 }, { keep_best: { metric: 'val_loss', n: 2 }, every_micro_batches: 5 }));
    const { monitor } = (await system.manifest(job)).state;
    const best = head.retained.filter((commit) => commit.best !== null);
    expect(best.map((commit) => commit.best).sort((a, b) => a! - b!)).toEqual(monitor.kept);
    expect(monitor.kept).toHaveLength(2);
    // an epoch has 18 micro-batches
    for (const commit of best) expect(commit.micro_batches % 18).toBe(0);
    // they are there, and restorable
    for (const commit of best) for (const blob of commit.blobs) expect(await system.store.head(blob.key), blob.key).not.toBeNull();
    expect(head.retained.length).toBeLessThanOrEqual(2 + 2);
  });

  test('exports the moving average, and the weights as they were trained', async () => {
    const { job, head } = await finished(spec({ epochs: 2, ema: { momentum: 0.9 } }));
    const read = async (which: 'ema' | 'raw' | null) => decodeSafetensors((await system.store.get(weightsOf(head, null, which).key))!.body);
    const [average, raw] = [await read('ema'), await read('raw')];
    expect([...average.keys()]).toEqual([...raw.keys()]);
    expect(average.get('dense_1/kernel')!.data).not.toEqual(raw.get('dense_1/kernel')!.data);
    expect(weightsOf(head, null).sha256).toBe(head.result!.weights_sha256);
    expect(weightsOf(head, null, 'ema').sha256).toBe(head.result!.weights_sha256);
    // trained alike, whatever is averaged
    const plain = await finished(spec({ epochs: 2 }));
    expect(weightsOf(head, null, 'raw').sha256).toBe(plain.head.result!.weights_sha256);
    expect(head.result!.validation!['val_loss']).not.toBe(plain.head.result!.validation!['val_loss']);
    expect(() => weightsOf(plain.head, null, 'ema')).toThrow(/keeps no moving average/);
    expect((await system.manifest(job)).blobs.map(({ role }) => role)).toEqual(['weights', 'slots', 'ema']);
  });
});

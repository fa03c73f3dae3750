// Files of data and first weights that change while a job is under way: the same bytes written again are the same data, others
// end the job by name, and no attempt ever trains on a mixture.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { type Proc, startTestSystem, type TestSystem, trainerOf, waitFor } from '../../support/system.js';
import { bytesOf, npyOf, zipOf } from '../../unit/data/npz-files.js';

const [SAMPLES, SIDE, CLASSES] = [600, 16, 3];
const npz = (last: number, deflate = false, samples = SAMPLES, side = SIDE) => {
  const pixels = Uint8Array.from({ length: samples * side * side }, (_, index) => (index * 7919) % 251);
  pixels[pixels.length - 1] = last;
  return zipOf([
    { name: 'x.npy', data: npyOf({ descr: '|u1', shape: [samples, side, side], data: pixels }), deflate },
    { name: 'y.npy', data: npyOf({ descr: '<i4', shape: [samples], data: bytesOf(Int32Array.from({ length: samples }, (_, index) => index % CLASSES)) }), deflate },
  ]);
};
const weights = (first: number) => encodeSafetensors(new Map([['dense_1/kernel', { dtype: 'F32', shape: [SIDE * SIDE, CLASSES], data: new Float32Array(SIDE * SIDE * CLASSES).fill(first) }], ['dense_1/bias', { dtype: 'F32', shape: [CLASSES], data: new Float32Array(CLASSES) }]] as const));

describe('a job whose files change', () => {
  let system: TestSystem;
  let roots: TempDir;
  let worker: Proc;
  beforeAll(async () => {
    roots = await makeTempDir('roots');
    system = await startTestSystem({ env: { PAWL_DATA_ROOTS: roots.path } });
    await system.startController();
    worker = await system.startWorker();
  });
  afterAll(async () => {
    await system.stop();
    await roots.remove();
  });

  const put = (name: string, bytes: Uint8Array) => writeFile(join(roots.path, name), bytes);
  const spec = (path: string, more: { init?: string; updates?: number; checkpoint?: JobSpecInput['checkpoint'] } = {}): JobSpecInput => ({
    data: { type: 'npz', path, normalize: 'unit' },
    model: { layers: [{ type: 'flatten' }, { type: 'dense', units: CLASSES, activation: 'softmax' }], init: more.init === undefined ? null : { from: more.init } },
    training: { batch_size: 4, accum_iters: 3, max_updates: more.updates ?? 1_000_000, seed: 5 },
    checkpoint: more.checkpoint ?? { every_micro_batches: 20 },
  });
  const trains = (job: string, number: number) =>
    waitFor(`attempt ${number} trains`, async () => {
      const beat = await system.queue.heartbeats.read(job);
      return beat?.number === number && beat.phase === 'running';
    });
  async function replaceWorker(): Promise<void> {
    worker.kill('SIGTERM');
    await worker.exited;
    worker = await system.startWorker();
  }

  test.each([false, true])('goes on with the same bytes in another file, and ends as data_changed with others (compressed: %s)', async (deflate) => {
    await put('set.npz', npz(1, deflate));
    const job = await system.submit(spec('set.npz'));
    await system.until(job, 'has a checkpoint', (head) => head.seq > 0);
    await put('set.npz', npz(1, deflate));
    await replaceWorker();
    await trains(job, 2);
    await put('set.npz', npz(2, deflate));
    await replaceWorker();
    const head = await system.terminal(job);
    expect(head).toMatchObject({ state: 'failed', reason: 'data_changed', error: { code: 'data_changed', param: 'data' } });
    // it came to no micro-batch of the other data
    expect((await system.attempts(job)).at(-1)!.end).toMatchObject({ end_reason: 'data_changed', executed_micro_batches: 0 });
  });

  test.each([['of another number', npz(1, false, SAMPLES / 2)], ['of another size', npz(1, false, SAMPLES, SIDE / 2)]])('ends as data_changed, not as a damaged checkpoint, where the samples are %s', async (_what, other) => {
    await put('set.npz', npz(1));
    const job = await system.submit(spec('set.npz', { checkpoint: { every_micro_batches: 20 } }));
    await system.until(job, 'has a checkpoint in its second half', (head) => head.retained.some(({ micro_batches: micro }) => (4 * micro) % SAMPLES > SAMPLES / 2));
    worker.kill('SIGTERM');
    await worker.exited;
    await put('set.npz', other);
    worker = await system.startWorker();
    expect(await system.terminal(job)).toMatchObject({ state: 'failed', reason: 'data_changed', error: { code: 'data_changed', param: 'data' } });
  });

  test('ends as data_changed where first weights change before anything is saved', async () => {
    await put('set.npz', npz(1));
    await put('first.safetensors', weights(0.5));
    const job = await system.submit(spec('set.npz', { init: 'first.safetensors', checkpoint: { every_seconds: 3_600 } }));
    await trains(job, 1);
    await put('first.safetensors', weights(0.5));
    process.kill(await trainerOf(worker), 'SIGKILL');
    await trains(job, 2);
    expect(await system.head(job)).toMatchObject({ state: 'open', seq: 0 });
    await put('first.safetensors', weights(0.25));
    process.kill(await trainerOf(worker), 'SIGKILL');
    expect(await system.terminal(job)).toMatchObject({ state: 'failed', reason: 'data_changed', error: { code: 'data_changed', param: 'model.init' } });
  });
});

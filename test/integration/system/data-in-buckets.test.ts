// Jobs on data in a bucket, through the running system on a real S3 server: fetched once, trained on with the bits of local
// files, and told apart by name where it is missing, changed or larger than memory.
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import type { Head } from '../../../lib/contract/records.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import type { HostTensor } from '../../../lib/training/state.js';
import type { Store } from '../../../lib/store/index.js';
import { makeDatasets } from '../../support/datasets.js';
import { s3ServerAvailable } from '../../support/s3-server.js';
import { type Proc, startTestSystem, type TestSystem } from '../../support/system.js';
import { idxOf } from '../../unit/data/idx-files.js';
import { bytesOf, npyOf, zipOf } from '../../unit/data/npz-files.js';

const available = await s3ServerAvailable();
const [SAMPLES, SIDE, CLASSES] = [600, 48, 3];

const pixels = Uint8Array.from({ length: SAMPLES * SIDE * SIDE }, (_, index) => (index * 7919) % 251);
const labels = Uint8Array.from({ length: SAMPLES }, (_, index) => index % CLASSES);
const images = (count = SAMPLES) => idxOf({ shape: [count, SIDE, SIDE], data: pixels.subarray(0, count * SIDE * SIDE) });
const labelsOf = (count = SAMPLES) => idxOf({ shape: [count], data: labels.subarray(0, count) });
const npz = (deflate: boolean) =>
  zipOf([
    { name: 'x.npy', data: npyOf({ descr: '|u1', shape: [SAMPLES, SIDE, SIDE], data: pixels }), deflate },
    { name: 'y.npy', data: npyOf({ descr: '<i4', shape: [SAMPLES], data: bytesOf(Int32Array.from(labels)) }), deflate },
  ]);
const ramp = (...shape: number[]): HostTensor => ({ dtype: 'F32', shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => ((i % 13) - 6) / 100) });
const firstWeights = encodeSafetensors(new Map([['conv2d_1/kernel', ramp(3, 3, 1, 2)], ['conv2d_1/bias', ramp(2)], ['dense_1/kernel', ramp(288, CLASSES)], ['dense_1/bias', ramp(CLASSES)]]));

describe.skipIf(!available)('data in a bucket', () => {
  let system: TestSystem;
  let datasets: Store;
  let worker: Proc;

  beforeAll(async () => {
    const roots = join(import.meta.dirname, '../../fixtures');
    system = await startTestSystem({ store: 's3', env: { PAWL_DATA_BUCKETS: 'datasets', PAWL_DATA_ROOTS: roots } });
    datasets = await makeDatasets(system.s3!);
    await datasets.put('digits/train-images.gz', gzipSync(images()));
    await datasets.put('digits/train-labels.gz', gzipSync(labelsOf()));
    await datasets.put('digits/test-images', images(50));
    await datasets.put('digits/test-labels', labelsOf(50));
    await datasets.put('stored.npz', npz(false));
    await datasets.put('compressed.npz', npz(true));
    await datasets.put('first.safetensors', firstWeights);
    const local = join(system.folder, 'local');
    await mkdir(local);
    await writeFile(join(local, 'images'), images());
    await writeFile(join(local, 'labels'), labelsOf());
    await writeFile(join(local, 'test-images.gz'), gzipSync(images(50)));
    await writeFile(join(local, 'test-labels'), labelsOf(50));
    await writeFile(join(local, 'first.safetensors'), firstWeights);
    system.env['PAWL_DATA_ROOTS'] = local;
    await system.startController();
    worker = await system.startWorker();
  });
  afterAll(async () => {
    await datasets.close();
    await system.stop();
  });

  const inBucket = { type: 'idx', images: 's3://datasets/digits/train-images.gz', labels: 's3://datasets/digits/train-labels.gz', validation: { type: 'idx', images: 's3://datasets/digits/test-images', labels: 's3://datasets/digits/test-labels' } } as const;
  const onDisk = { type: 'idx', images: 'images', labels: 'file:labels', validation: { type: 'idx', images: 'test-images.gz', labels: 'test-labels' } } as const;
  const spec = (data: object, { training = {}, init = null as { from: string } | null, ...more }: Record<string, unknown> & { init?: { from: string } | null } = {}): JobSpecInput =>
    ({
      data: { normalize: 'unit', ...data },
      model: { layers: [{ type: 'conv2d', filters: 2, kernel_size: 3, strides: 4, activation: 'relu' }, { type: 'flatten' }, { type: 'dense', units: CLASSES, activation: 'softmax' }], init },
      training: { batch_size: 16, accum_iters: 3, epochs: 2, seed: 5, ...(training as object) },
      run: { max_failures: 0 },
      ...more,
    }) as JobSpecInput;
  const run = async (input: JobSpecInput): Promise<Head> => system.terminal(await system.submit(input));
  const succeeded = (head: Head): Head => {
    expect(head.state, head.message ?? '').toBe('succeeded');
    return head;
  };
  /** Copies of objects that the worker keeps. */
  async function copies(): Promise<string[]> {
    const spool = join(system.env['PAWL_DATA_DIR']!, 'spool');
    const all = await Promise.all((await readdir(spool)).map(async (name) => readdir(join(spool, name, 'objects'), { recursive: true }).catch(() => [])));
    return all.flat().filter((name) => name.includes('/')).map((name) => name.slice(name.indexOf('/') + 1)).sort();
  }

  test('gives the bits of the same data on disk, first weights and validation too, and is fetched once', async () => {
    const init = { from: 's3://datasets/first.safetensors' };
    const [there, again, here] = [await run(spec(inBucket, { init })), await run(spec(inBucket, { init })), await run(spec(onDisk, { init: { from: 'first.safetensors' } }))].map(succeeded) as [Head, Head, Head];
    expect([there, again].map(({ result }) => result!.state_sha256)).toEqual([here.result!.state_sha256, here.result!.state_sha256]);
    expect(there.result!.validation).toEqual(here.result!.validation);
    expect(there.result!.validation).toMatchObject({ val_loss: expect.any(Number) as number });
    expect(there.inputs!.init_sha256).toBe(here.inputs!.init_sha256);
    expect(there.inputs!.data_sha256).toBe(again.inputs!.data_sha256);
    expect(await copies()).toEqual(['first.safetensors', 'test-images', 'test-labels', 'train-images.gz', 'train-labels.gz']);
  });

  test('larger than memory is read from its copy, unpacked if need be, in the same bits', async () => {
    const before = succeeded(await run(spec({ type: 'npz', path: 's3://datasets/stored.npz' })));
    worker.kill('SIGTERM');
    await worker.exited;
    system.env['PAWL_DATA_MEMORY_MIB'] = '1';
    const spool = join(system.env['PAWL_DATA_DIR']!, 'spool');
    const killed = await system.startWorker();
    const [left] = await readdir(spool);
    killed.kill('SIGKILL');
    await killed.exited;
    // Of those that do not say whose they are, how long they were silent decides.
    for (const name of ['wrk_silent', 'wrk_living']) await mkdir(join(spool, name, 'objects', '1'), { recursive: true });
    const longAgo = new Date(Date.now() - 20 * 60_000);
    await utimes(join(spool, 'wrk_silent'), longAgo, longAgo);
    expect(await readdir(spool)).toContain(left);
    worker = await system.startWorker();
    expect((await readdir(spool)).map((name) => name.slice(0, 10)).sort()).toEqual([expect.stringMatching(/^wrk_[0-9]/), 'wrk_living']);
    expect(await readdir(spool)).not.toContain(left);
    const forms = [{ type: 'npz', path: 's3://datasets/stored.npz' }, { type: 'npz', path: 's3://datasets/compressed.npz' }, { ...inBucket, validation: null }];
    for (const form of forms) expect(succeeded(await run(spec(form))).result!.state_sha256).toBe(before.result!.state_sha256);
    expect(await copies()).toEqual(['compressed.npz', 'stored.npz', 'train-images.gz', 'train-labels.gz']); // the old worker's are gone
  });

  test('takes no more memory when it is many times larger, in the worker or its trainer', async () => {
    const [copies, samples] = [192, 192 * SAMPLES];
    const header = idxOf({ shape: [samples, SIDE, SIDE], data: new Uint8Array(0) });
    await datasets.put('large', Buffer.concat([header, ...Array<Uint8Array>(copies).fill(pixels)]));
    await datasets.put('large.gz', Buffer.concat([gzipSync(header), ...Array<Buffer>(copies).fill(gzipSync(pixels))]));
    await datasets.put('large-labels', idxOf({ shape: [samples], data: Uint8Array.from({ length: samples }, (_, index) => index % CLASSES) }));
    const peak = async (data: object): Promise<{ trainer: number; worker: number }> => {
      const job = await system.submit(spec({ type: 'idx', ...data }, { training: { epochs: null, max_updates: 20 } }));
      succeeded(await system.terminal(job));
      const [attempt] = await system.attempts(job);
      return { trainer: attempt!.end!.peak_memory_mib!, worker: Number(/VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${worker.pid}/status`, 'utf8'))![1]) / 1024 };
    };
    const small = await peak({ images: 's3://datasets/digits/train-images.gz', labels: 's3://datasets/digits/train-labels.gz' });
    const sizeMib = (samples * SIDE * SIDE) / 2 ** 20;
    for (const images of ['s3://datasets/large', 's3://datasets/large.gz']) {
      const large = await peak({ images, labels: 's3://datasets/large-labels' });
      console.log(`${images}, ${sizeMib.toFixed(0)} MiB of images: ${(large.trainer - small.trainer).toFixed(0)} MiB more in the trainer, ${(large.worker - small.worker).toFixed(0)} MiB more in the worker`);
      expect(large.trainer - small.trainer).toBeLessThan(sizeMib / 2);
      expect(large.worker - small.worker).toBeLessThan(sizeMib / 2);
    }
  });

  test('that is put there again is the same data, and changed it ends the job as data_changed', async () => {
    await datasets.put('changing', images());
    await datasets.put('going.safetensors', firstWeights);
    const job = await system.submit(spec({ ...inBucket, images: 's3://datasets/changing', validation: null }, { training: { epochs: 200 }, checkpoint: { every_micro_batches: 20 }, init: { from: 's3://datasets/going.safetensors' } }));
    await system.until(job, 'has a checkpoint', (head) => head.seq > 0);
    worker.kill('SIGTERM');
    await worker.exited;

    await datasets.put('changing', images()); // another version of the same bytes
    await datasets.delete('going.safetensors'); // and what a job with a checkpoint needs no more
    const { seq } = await system.head(job);
    worker = await system.startWorker();
    await system.until(job, 'goes on', (head) => head.owner?.number === 2 && head.seq > seq);
    worker.kill('SIGTERM');
    await worker.exited;

    const other = images();
    other[other.length - 1]! ^= 1;
    await datasets.put('changing', other);
    worker = await system.startWorker();
    expect(await system.terminal(job)).toMatchObject({ state: 'failed', reason: 'data_changed', error: { code: 'data_changed', param: 'data' } });
  });

  test('that is not there, or not for data, fails the job by name and field', async () => {
    const gone = await run(spec({ ...inBucket, labels: 's3://datasets/digits/no-labels' }));
    expect(gone).toMatchObject({ state: 'failed', error: { code: 'data_missing', param: 'data.labels', message: expect.stringContaining('s3://datasets/digits/no-labels: there is no such object') as string } });
    const elsewhere = await run(spec({ type: 'npz', path: 's3://pawl/jobs-of-test/x.npz' }));
    expect(elsewhere).toMatchObject({ state: 'failed', error: { code: 'invalid_location', param: 'data.path', message: expect.stringContaining('PAWL_DATA_BUCKETS names datasets') as string } });
    const damaged = await run(spec({ ...inBucket, images: 's3://datasets/stored.npz' }));
    expect(damaged).toMatchObject({ state: 'failed', error: { code: 'invalid_data', param: 'data.images', message: 'stored.npz: its magic number is 0x504b0304; images have 0x00000803 (uint8 [N, height, width]) or 0x00000804 (uint8 [N, height, width, channels])' } });
    const weights = await run(spec({ ...inBucket, validation: null }, { init: { from: 's3://datasets/none.safetensors' } }));
    expect(weights).toMatchObject({ state: 'failed', error: { code: 'data_missing', param: 'model.init.from' } });
  });
});

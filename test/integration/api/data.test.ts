// What the API says of data at submit: files and objects alike, by the field that is wrong.
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { encodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import { systemClock } from '../../../lib/clock.js';
import type { DataBuckets } from '../../../lib/data/object-locations.js';
import { openLocation } from '../../../lib/data/places.js';
import type { Store } from '../../../lib/store/index.js';
import { openDataPlaces } from '../../../lib/store/open.js';
import { startApi, type TestApi } from '../../support/api.js';
import { makeDatasets } from '../../support/datasets.js';
import { s3ServerAvailable, startS3Server, type S3Server } from '../../support/s3-server.js';
import { makeTempDir } from '../../support/temp.js';
import { smallIdx } from '../../unit/data/idx-files.js';
import { smallNpz } from '../../unit/data/npz-files.js';

const available = await s3ServerAvailable();
const spec = (data: object, init: object | null = null) => ({ data, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 3, activation: 'softmax' }], init }, training: { batch_size: 2, accum_iters: 2, epochs: 5 } });
const { images, labels } = smallIdx();

interface Answer {
  status: number;
  total: number | null | undefined;
  error: { code: string; param: string; details: { param: string; message: string }[] } | undefined;
}
async function ask({ app }: TestApi, body: object): Promise<Answer> {
  const answer = await app.inject({ method: 'POST', url: '/v1/jobs?dry_run=true', payload: body });
  const { total_updates: total, error } = answer.json<{ total_updates?: number | null; error?: Answer['error'] }>();
  return { status: answer.statusCode, total, error };
}
const problemsOf = ({ error }: Answer): string[] => error!.details.map(({ param, message }) => `${param}: ${message}`);

describe('a spec with an IDX set in files', () => {
  test('is resolved with what the files say', async () => {
    const api = await startApi();
    await writeFile(join(api.dataRoot, 'images.gz'), gzipSync(images));
    await writeFile(join(api.dataRoot, 'labels'), labels);
    const data = { type: 'idx', images: 'images.gz', labels: 'file:labels' };
    expect(await ask(api, spec({ ...data, normalize: 'unit', validation: { ...data } }))).toMatchObject({ status: 200, total: 5 });
    expect(await ask(api, spec({ ...data, images: 'not-here' }))).toMatchObject({ status: 200, total: null });
  });

  test('is refused by field, everything at once', async () => {
    const api = await startApi();
    await writeFile(join(api.dataRoot, 'images'), images);
    await writeFile(join(api.dataRoot, 'labels'), labels.subarray(0, -1));
    const answer = await ask(api, spec({ type: 'idx', images: 'images', labels: 'labels', validation: { type: 'idx', images: '../images', labels: 'labels' } }));
    expect(answer).toMatchObject({ status: 400, error: { code: 'invalid_spec', param: 'data.labels' } });
    expect(problemsOf(answer)).toEqual(['data.labels: labels: its header says [4], 4 bytes of values, and there are 3', 'data.validation.images: "../images" goes up with ..']);
    expect((await ask(api, spec({ type: 'idx', images: 'images' }))).error!.param).toBe('data.labels');
    expect(problemsOf(await ask(api, spec({ type: 'idx', images: 's3://datasets/images', labels: 'labels' })))).toEqual(['data.images: "s3://datasets/images" is in a bucket that holds no data for Pawl: PAWL_DATA_BUCKETS names none']);
  });
});

describe('a file that takes long to look at', () => {
  /** A gibibyte of labels and of pictures of one point, without taking room for them. */
  async function large(file: string, dimensions: readonly number[]): Promise<void> {
    const header = Buffer.alloc(4 + 4 * dimensions.length);
    header.set([0, 0, 8, dimensions.length]);
    dimensions.forEach((size, index) => header.writeUInt32BE(size, 4 + 4 * index));
    await writeFile(file, header);
    await truncate(file, header.length + dimensions[0]!);
  }
  const bytesRead = async (): Promise<number> => Number(/^rchar: (\d+)$/m.exec(await readFile('/proc/self/io', 'utf8'))![1]);

  test('is left to a worker, at submit and when the job is shown, and not read on', async () => {
    const api = await startApi({ lookMs: 50 });
    const samples = 2 ** 30;
    await large(join(api.dataRoot, 'images'), [samples, 1, 1]);
    await large(join(api.dataRoot, 'labels'), [samples]);
    const data = { type: 'idx', images: 'images', labels: 'labels' };
    const before = await bytesRead();
    expect(await ask(api, spec(data))).toEqual({ status: 200, total: null, error: undefined });
    const job = await api.submit(spec(data));
    expect((await api.app.inject(`/v1/jobs/${job}`)).json()).toMatchObject({ status: 'queued', progress: { total_updates: null } });
    expect(await bytesRead() - before).toBeLessThan(samples / 2);
  });

  test('is not read after its time', async () => {
    const place = await makeTempDir('look');
    onTestFinished(place.remove);
    await writeFile(join(place.path, 'labels'), labels);
    const file = await openLocation({ roots: [place.path], buckets: null, lookMs: 2_000 }, 'labels', 'data.labels');
    expect(await file.readAt(Buffer.alloc(4), 0)).toBe(4);
    await systemClock.sleep(2_100);
    await expect(file.readAt(Buffer.alloc(4), 0)).rejects.toMatchObject({ code: 'data_missing', param: 'data.labels', message: '"labels" was not read within 2000 ms' });
    await file.close();
  });
});

describe.skipIf(!available)('a spec with data in a bucket', () => {
  let server: S3Server;
  let datasets: Store;
  let buckets: DataBuckets;
  beforeAll(async () => {
    server = await startS3Server();
    datasets = await makeDatasets(server);
    buckets = (await openDataPlaces({ roots: [], closed: [], buckets: ['datasets', 'pawl'], store: 's3://pawl/jobs', s3: { endpoint: server.endpoint, credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey } }, patienceMs: 0 })).buckets!;
    await datasets.put('images.gz', gzipSync(images));
    await datasets.put('labels', labels);
    await datasets.put('short', labels.subarray(0, -1));
    await datasets.put('set.npz', smallNpz({ xMember: { deflate: true } }));
    const zeros = (...shape: number[]) => ({ dtype: 'F32', shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }) as const;
    await datasets.put('first.safetensors', encodeSafetensors(new Map([['dense_1/kernel', zeros(4, 3)], ['dense_1/bias', zeros(3)]])));
    await datasets.put('other.safetensors', encodeSafetensors(new Map([['dense_1/kernel', zeros(5, 3)], ['dense_1/bias', zeros(3)]])));
  });
  afterAll(async () => {
    await buckets.objects.close();
    await datasets.close();
    await server.stop();
  });
  const idx = { type: 'idx', images: 's3://datasets/images.gz', labels: 's3://datasets/labels' };

  test('is resolved with what the objects say, and a job that waits knows how long it will be', async () => {
    const api = await startApi({ buckets });
    const init = { from: 's3://datasets/first.safetensors' };
    expect(await ask(api, spec({ ...idx, validation: { type: 'npz', path: 's3://datasets/set.npz' } }, init))).toMatchObject({ status: 200, total: 5 });
    expect(await ask(api, spec({ type: 'npz', path: 's3://datasets/set.npz', validation: { split: 0.5 } }))).toMatchObject({ status: 200, total: 2 });
    const id = await api.submit(spec(idx, init));
    expect((await api.app.inject(`/v1/jobs/${id}`)).json()).toMatchObject({ status: 'queued', progress: { total_updates: 5 }, spec: { data: idx, model: { init } } });
  });

  test('is refused by field, everything at once', async () => {
    const api = await startApi({ buckets });
    const answer = await ask(api, spec({ ...idx, labels: 's3://datasets/short', validation: { type: 'npz', path: 's3://datasets/images.gz' } }, { from: 's3://elsewhere/x.safetensors' }));
    expect(answer.status).toBe(400);
    expect(problemsOf(answer)).toEqual([
      'data.labels: s3://datasets/short: its header says [4], 4 bytes of values, and there are 3',
      expect.stringMatching(/^data\.validation\.path: s3:\/\/datasets\/images\.gz: /),
      'model.init.from: "s3://elsewhere/x.safetensors" is in a bucket that holds no data for Pawl: PAWL_DATA_BUCKETS names datasets, pawl',
    ]);
    expect(problemsOf(await ask(api, spec({ ...idx, images: 's3://pawl/jobs/job_1/job.json' })))).toEqual(['data.images: "s3://pawl/jobs/job_1/job.json" lies in the store, which holds no data']);
    expect(problemsOf(await ask(api, spec(idx, { from: 's3://datasets/other.safetensors' })))).toEqual([expect.stringMatching(/^model\.init\.from: .*dense_1\/kernel/)]);
    expect(problemsOf(await ask(api, spec(idx, { from: 's3://datasets/labels' })))).toEqual([expect.stringMatching(/^model\.init\.from: s3:\/\/datasets\/labels: /)]);
    expect(problemsOf(await ask(api, spec({ ...idx, images: 'http://example.com/images' })))).toEqual([expect.stringContaining('has the scheme http:')]);
  });

  test('is left to a worker where an object is not there, or its server is away', async () => {
    const api = await startApi({ buckets });
    expect(await ask(api, spec({ ...idx, labels: 's3://datasets/not-yet' }, { from: 's3://datasets/not-yet.safetensors' }))).toMatchObject({ status: 200, total: null });
    const away = await openDataPlaces({ roots: [], closed: [], buckets: ['datasets'], store: 'file:x', s3: { endpoint: 'http://127.0.0.1:9', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } }, patienceMs: 0 });
    expect(await ask(await startApi({ buckets: away.buckets! }), spec(idx))).toMatchObject({ status: 200, total: null });
    await away.buckets!.objects.close();
  });
});

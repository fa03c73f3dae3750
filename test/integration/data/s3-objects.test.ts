// Data objects on a real S3 server: what is read of them, and what each refusal is called.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openObject } from '../../../lib/data/object-source.js';
import type { DataObjects } from '../../../lib/data/objects.js';
import type { Store } from '../../../lib/store/index.js';
import { makeS3Objects } from '../../../lib/store/s3-objects.js';
import { makeDatasets } from '../../support/datasets.js';
import { s3ServerAvailable, startS3Server, type S3Server } from '../../support/s3-server.js';
import { startFaultProxy, type FaultProxy } from '../../support/fault-proxy.js';

const available = await s3ServerAvailable();
const noise = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24));

describe.skipIf(!available)('objects of a data bucket', () => {
  let server: S3Server;
  let proxy: FaultProxy;
  let datasets: Store;
  let objects: DataObjects;
  const closing: DataObjects[] = [];
  const bucket = 'datasets';

  function objectsOn(endpoint: string, { secretKey = server.secretKey, patienceMs = 0, budgetMs = 1_500 } = {}): DataObjects {
    const made = makeS3Objects({ endpoint, credentials: { accessKeyId: server.accessKey, secretAccessKey: secretKey }, timeouts: { connectMs: 500, requestMs: 400, budgetMs, minBytesPerSecond: 64 * 1024 * 1024 }, patienceMs });
    closing.push(made);
    return made;
  }

  beforeAll(async () => {
    server = await startS3Server();
    proxy = await startFaultProxy(server.endpoint);
    datasets = await makeDatasets(server, bucket);
    objects = objectsOn(server.endpoint);
    await datasets.put('noise', noise);
  });
  afterAll(async () => {
    for (const made of closing) await made.close();
    await datasets.close();
    await proxy.stop();
    await server.stop();
  });

  it('are read by range, and say how large they are and which version they are', async () => {
    const { etag } = (await datasets.head('noise'))!;
    const part = await objects.read({ bucket, key: 'noise' }, 1_000, 2_000, { etag: null });
    expect([part.etag, part.sizeBytes, Buffer.compare(part.bytes, noise.subarray(1_000, 2_000))]).toEqual([etag, noise.length, 0]);
    const end = await objects.read({ bucket, key: 'noise' }, noise.length - 5, noise.length + 100, { etag });
    expect(Buffer.compare(end.bytes, noise.subarray(-5))).toBe(0);
  });

  it('are a source of bytes that can be read anywhere', async () => {
    const source = await openObject(objects, { bucket, key: 'noise' }, 'data.path');
    expect([source.name, source.param, source.sizeBytes]).toEqual(['s3://datasets/noise', 'data.path', noise.length]);
    for (const [position, length] of [[0, 10], [262_140, 10], [2_999_990, 20], [100, 2_900_000], [3_000_000, 5], [0, 3_000_000]] as const) {
      const into = Buffer.alloc(length, 7);
      const filled = await source.readAt(into, position);
      expect([filled, Buffer.compare(into.subarray(0, filled), noise.subarray(position, position + length))], `${length} bytes from ${position}`).toEqual([Math.min(length, noise.length - position), 0]);
      expect(into.subarray(filled).every((byte) => byte === 7)).toBe(true);
    }
    await source.close();
  });

  it('that are replaced while they are read are data_changed', async () => {
    await datasets.put('replaced', noise);
    const source = await openObject(objects, { bucket, key: 'replaced' }, 'data.path');
    await datasets.put('replaced', Buffer.from(noise).fill(1, 2_000_000));
    expect(await source.readAt(new Uint8Array(100), 0)).toBe(100); // it was read before
    await expect(source.readAt(new Uint8Array(100), 2_500_000)).rejects.toMatchObject({ code: 'data_changed', message: 's3://datasets/replaced was replaced while it was read' });
    await datasets.delete('replaced');
    await expect(source.readAt(new Uint8Array(100), 1_500_000)).rejects.toMatchObject({ code: 'data_missing' });
  });

  it('that cannot be had are data_missing, with the reason and the field', async () => {
    const refusal = async (key: string, from = objects, of = bucket) => openObject(from, { bucket: of, key }, 'data.images').then(() => null, (error: unknown) => error);
    expect(await refusal('none')).toMatchObject({ code: 'data_missing', param: 'data.images', message: expect.stringContaining('s3://datasets/none: there is no such object') });
    expect(await refusal('noise', objects, 'nowhere')).toMatchObject({ code: 'data_missing', param: 'data.images', message: expect.stringContaining('s3://nowhere/noise: there is no such bucket') });
    expect(await refusal('noise', objectsOn(server.endpoint, { secretKey: 'x'.repeat(32) }))).toMatchObject({ code: 'data_missing', param: 'data.images', message: expect.stringContaining('s3://datasets/noise: access to it is denied (SignatureDoesNotMatch, HTTP 403)') });
    expect(await refusal('noise', objectsOn('http://127.0.0.1:9'))).toMatchObject({ code: 'data_missing', param: 'data.images', message: expect.stringContaining('s3://datasets/noise: it cannot be read') });
    await datasets.put('empty', Buffer.alloc(0));
    expect(await refusal('empty')).toMatchObject({ code: 'invalid_data', param: 'data.images', message: 's3://datasets/empty: it is empty' });
    await writeFile(join(server.dataDir, bucket, 'untagged'), 'put there by nobody');
    expect(await refusal('untagged')).toMatchObject({ code: 'data_missing', message: expect.stringContaining('gives no ETag') });
  });

  it('are read with patience where the server is away or breaks off, and without patience not', async () => {
    const read = (patienceMs: number, budgetMs?: number) => objectsOn(proxy.endpoint, { patienceMs, ...(budgetMs === undefined ? {} : { budgetMs }) }).read({ bucket, key: 'noise' }, 0, 1_000_000, { etag: null });
    for (const fault of [{ kind: 'half-answer', then: 'reset' }, { kind: 'half-answer', then: 'silence' }] as const) {
      const spoiled = proxy.inject('GET', fault, 2);
      expect(Buffer.compare((await read(20_000)).bytes, noise.subarray(0, 1_000_000))).toBe(0);
      expect(spoiled.hits()).toBe(2);
      const once = proxy.inject('GET', fault, 1);
      await expect(read(0)).rejects.toMatchObject({ code: 'data_missing' });
      expect(once.hits()).toBe(1);
    }
    const away = proxy.inject('GET', { kind: 'answer', status: 503, code: 'SlowDown' }, 4);
    expect((await read(20_000)).bytes.length).toBe(1_000_000);
    expect(away.hits()).toBe(4);
    // With time for all tries of one request, the last of which is told of.
    const throttled = proxy.inject('GET', { kind: 'answer', status: 429, code: 'TooManyRequests' }, 4);
    expect((await read(20_000, 20_000)).bytes.length).toBe(1_000_000);
    expect(throttled.hits()).toBe(4);
  });

  it('are given up when they are not wanted any more, and asked for once where they are refused', async () => {
    const abort = new AbortController();
    const hole = proxy.inject('GET', { kind: 'black-hole' }, 1);
    const reading = objectsOn(proxy.endpoint, { patienceMs: 60_000 }).read({ bucket, key: 'noise' }, 0, 100, { etag: null, signal: abort.signal });
    await hole.struck;
    abort.abort();
    await expect(reading).rejects.toMatchObject({ code: 'data_missing' });
    proxy.takeMethods();
    await expect(objectsOn(proxy.endpoint, { patienceMs: 60_000 }).read({ bucket, key: 'none' }, 0, 100, { etag: null })).rejects.toMatchObject({ code: 'data_missing' });
    expect(proxy.takeMethods()).toEqual(['GET']);
  });
});

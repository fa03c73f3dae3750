// The S3 driver on a network that fails: what each fault becomes, and that no call outlasts its budget.

import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Store } from '../../../lib/store/index.js';
import { probeStore } from '../../../lib/store/probe.js';
import { makeS3Store } from '../../../lib/store/s3.js';
import type { S3Timeouts } from '../../../lib/store/s3-client.js';
import { s3ServerAvailable, startS3Server, type S3Server } from '../../support/s3-server.js';
import { codeOf, createdTag, keysOf, text } from './conformance.js';
import { startFaultProxy, type Fault, type FaultProxy, type Injected } from '../../support/fault-proxy.js';

const BUDGET_MS = 1500;
const QUICK: Partial<S3Timeouts> = { connectMs: 500, requestMs: 400, budgetMs: BUDGET_MS, minBytesPerSecond: 64 * 1024 * 1024 };

let server: S3Server;
let proxy: FaultProxy;
let direct: Store;
/** Goes through the proxy. */
let store: Store;
let injected: Injected[] = [];
let folders = 0;
let key: string;
let register: string;

function openStore(endpoint: string, more: Partial<Parameters<typeof makeS3Store>[0]> = {}): Store {
  return makeS3Store({
    bucket: server.bucket,
    prefix: 'faults',
    endpoint,
    credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
    timeouts: QUICK,
    ...more,
  });
}

function inject(method: string, fault: Fault, times?: number): Injected {
  const one = proxy.inject(method, fault, times);
  injected.push(one);
  return one;
}

/** What a swap from `first` says where another one comes while it is looked for. */
async function codeWhereReplaced(first: string): Promise<string | null> {
  let release: () => void = () => undefined;
  const look = inject('HEAD', { kind: 'hold', until: new Promise<void>((resolve) => (release = resolve)) });
  const outcome = codeOf(store.compareAndSwap(register, text('2'), first));
  await look.struck;
  const second = await direct.head(register);
  expect((await direct.compareAndSwap(register, text('3'), second?.etag ?? '')).swapped).toBe(true);
  release();
  return outcome;
}

describe.skipIf(!(await s3ServerAvailable()))('the S3 store on a failing network', () => {
  beforeAll(async () => {
    server = await startS3Server();
    proxy = await startFaultProxy(server.endpoint);
    direct = openStore(server.endpoint, { timeouts: {} });
    store = openStore(proxy.endpoint);
  });
  afterAll(async () => {
    await store.close();
    await direct.close();
    await proxy.stop();
    await server.stop();
  });
  beforeEach(() => {
    folders += 1;
    key = `t${folders}/object`;
    register = `t${folders}/HEAD`;
    proxy.takeMethods();
  });
  afterEach(() => {
    for (const one of injected) {
      expect(one.hits(), 'a fault that was made ready has struck').toBeGreaterThan(0);
      one.remove();
    }
    injected = [];
  });

  describe('when the answer to a conditional write is lost', () => {
    const losses: [string, Fault][] = [
      ['by a reset', { kind: 'lose-answer' }],
      ['behind an error of the server', { kind: 'replace-answer', status: 500, code: 'InternalError' }],
      ['behind a gateway that gave up', { kind: 'replace-answer', status: 503, code: 'SlowDown' }],
      ['behind a gateway that sent it twice', { kind: 'send-twice' }],
    ];

    it.each(losses)('%s, finds by its token that the create had won, without sending it twice', async (_, fault) => {
      inject('PUT', fault);
      const outcome = await store.putIfAbsent(key, text('mine'));
      expect(outcome).toEqual({ created: true, etag: (await direct.head(key))?.etag });
      expect(proxy.takeMethods()).toEqual(['PUT', 'HEAD', 'HEAD']);
    });

    it.each(losses)('%s, finds by its token that the swap had won, without sending it twice', async (_, fault) => {
      const first = await createdTag(direct, register, text('1'));
      inject('PUT', fault);
      const outcome = await store.compareAndSwap(register, text('2'), first);
      expect(outcome).toEqual({ swapped: true, etag: (await direct.head(register))?.etag });
      expect(outcome).not.toEqual({ swapped: true, etag: first });
      expect(proxy.takeMethods()).toEqual(['PUT', 'HEAD', 'HEAD']);
    });

    it('and the look for the token too, it is store_unavailable, though the write took effect', async () => {
      const first = await createdTag(direct, register, text('1'));
      inject('PUT', { kind: 'lose-answer' });
      inject('HEAD', { kind: 'reset' }, 3);
      expect(await codeOf(store.compareAndSwap(register, text('2'), first))).toBe('store_unavailable');
      expect((await direct.get(register))?.body.toString()).toBe('2');
    });

    it.each([
      ['in between, it is store_unavailable and never a false refusal', 0],
      ['while it is looked for, it is store_unavailable and never the tag of that one', 1],
    ])('and another swap comes %s', async (_, looksBefore) => {
      const first = await createdTag(direct, register, text('1'));
      inject('PUT', { kind: 'lose-answer' });
      if (looksBefore > 0) inject('HEAD', { kind: 'delay', ms: 1 }, looksBefore);
      expect(await codeWhereReplaced(first)).toBe('store_unavailable');
    });

    it('and it had been refused, it is store_unavailable, and the next try is refused', async () => {
      await createdTag(direct, key, text('theirs'));
      inject('PUT', { kind: 'lose-answer' });
      expect(await codeOf(store.putIfAbsent(key, text('mine')))).toBe('store_unavailable');
      expect(await store.putIfAbsent(key, text('mine'))).toEqual({ created: false });
    });
  });

  describe('when a conditional write does not get through', () => {
    it.each<[string, Fault]>([
      ['503', { kind: 'answer', status: 503, code: 'ServiceUnavailable' }],
      ['500', { kind: 'answer', status: 500, code: 'InternalError' }],
      ['a reset', { kind: 'reset' }],
    ])('because of %s, it is store_unavailable after one try and one look', async (_, fault) => {
      inject('PUT', fault);
      expect(await codeOf(store.putIfAbsent(key, text('x')))).toBe('store_unavailable');
      expect(proxy.takeMethods()).toEqual(['PUT', 'HEAD']);
      expect(await direct.get(key)).toBeNull();
    });

    it('because of a conflict, it is store_unavailable and not a refusal', async () => {
      const first = await createdTag(direct, register, text('1'));
      inject('PUT', { kind: 'answer', status: 409, code: 'ConditionalRequestConflict' });
      expect(await codeOf(store.compareAndSwap(register, text('2'), first))).toBe('store_unavailable');
      expect(proxy.takeMethods()).toEqual(['PUT']);
      expect((await store.compareAndSwap(register, text('2'), first)).swapped).toBe(true);
    });

    it('in time, it may still land later', async () => {
      const first = await createdTag(direct, register, text('1'));
      let release: () => void = () => undefined;
      inject('PUT', { kind: 'hold', until: new Promise<void>((resolve) => (release = resolve)) });
      expect(await codeOf(store.compareAndSwap(register, text('late'), first))).toBe('store_unavailable');
      expect((await direct.get(register))?.body.toString()).toBe('1');
      release();
      await expect.poll(async () => (await direct.get(register))?.body.toString()).toBe('late');
    });
  });

  describe('when the server has too much to do for a conditional write', () => {
    const throttles: [string, Fault, string[]][] = [
      ['429', { kind: 'answer', status: 429, code: 'TooManyRequests' }, ['PUT', 'PUT', 'PUT']],
      ['SlowDown', { kind: 'answer', status: 503, code: 'SlowDown' }, ['PUT', 'HEAD', 'PUT', 'HEAD', 'PUT']],
    ];

    it.each(throttles)('and says %s, sends it again until it is done', async (_, fault, methods) => {
      inject('PUT', fault, 2);
      const created = await store.putIfAbsent(register, text('1'));
      expect(created).toEqual({ created: true, etag: (await direct.head(register))?.etag });
      expect(proxy.takeMethods()).toEqual(methods);
      inject('PUT', fault, 2);
      const swapped = await store.compareAndSwap(register, text('2'), (await direct.head(register))?.etag ?? '');
      expect(swapped).toEqual({ swapped: true, etag: (await direct.head(register))?.etag });
      expect(proxy.takeMethods()).toEqual(methods);
      expect((await direct.get(register))?.body.toString()).toBe('2');
    });

    it('and says 429, the next answer decides: refused is refused', async () => {
      await createdTag(direct, key, text('theirs'));
      inject('PUT', { kind: 'answer', status: 429, code: 'TooManyRequests' });
      expect(await store.putIfAbsent(key, text('mine'))).toEqual({ created: false });
    });

    it('and says SlowDown of what it has done, it is never called refused because another has replaced it since', async () => {
      const first = await createdTag(direct, register, text('1'));
      inject('PUT', { kind: 'replace-answer', status: 503, code: 'SlowDown' });
      expect(await codeWhereReplaced(first)).toBe('store_unavailable');
      expect(proxy.takeMethods()).toEqual(['PUT', 'HEAD', 'PUT', 'HEAD']);
      expect((await direct.get(register))?.body.toString()).toBe('3');
    });

    it('for long, gives up and says why', async () => {
      const patient = openStore(proxy.endpoint, { timeouts: {} });
      onTestFinished(() => patient.close());
      const throttled = inject('PUT', { kind: 'answer', status: 429, code: 'TooManyRequests' }, Infinity);
      await expect(patient.putIfAbsent(key, text('x'))).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringMatching(/TooManyRequests, HTTP 429/) });
      expect(throttled.hits()).toBe(8);
    });

    it('or within its budget', async () => {
      inject('PUT', { kind: 'answer', status: 503, code: 'SlowDown' }, Infinity);
      const startedAt = performance.now();
      expect(await codeOf(store.putIfAbsent(key, text('x')))).toBe('store_unavailable');
      expect(performance.now() - startedAt).toBeLessThan(BUDGET_MS + 1000);
    });

    it('because it takes only so many writes of a key, passes the probe', async () => {
      const patient = openStore(proxy.endpoint, { timeouts: {} });
      onTestFinished(() => patient.close());
      inject('PUT', { kind: 'throttle', everyMs: 300 }, Infinity);
      await probeStore(patient);
    });
  });

  describe('when something else fails once', () => {
    it.each<[string, Fault]>([
      ['503', { kind: 'answer', status: 503, code: 'ServiceUnavailable' }],
      ['a reset', { kind: 'reset' }],
      ['a lost answer', { kind: 'lose-answer' }],
    ])('by %s, tries again', async (_, fault) => {
      inject('PUT', fault);
      const { etag } = await store.put(key, text('x'));
      inject('GET', fault);
      expect(await store.get(key)).toEqual({ body: text('x'), etag });
      inject('HEAD', fault);
      expect(await store.head(key)).toMatchObject({ etag });
      inject('GET', fault);
      expect(await keysOf(store, key)).toEqual([key]);
      inject('DELETE', fault);
      await store.delete(key);
      expect(await direct.get(key)).toBeNull();
    });

    it.each(['reset', 'close', 'silence'] as const)('in the middle of a body (%s), never gives a part as the whole', async (then) => {
      await direct.put(key, randomBytes(300_000));
      inject('GET', { kind: 'half-answer', then });
      expect(await codeOf(store.get(key))).toBe('store_unavailable');
      expect((await store.get(key))?.body.length).toBe(300_000);
    });
  });

  describe('when a body arrives damaged', () => {
    const damage: Fault = { kind: 'damage', at: 0.4 };

    it.each([1, 2])('%d times, reads it again: HEAD has no other hash', async (times) => {
      await createdTag(direct, register, text('the truth'));
      await direct.put(key, text('a record'));
      inject('GET', damage, times);
      expect((await store.get(register))?.body.toString()).toBe('the truth');
      inject('GET', damage, times);
      expect((await store.get(key))?.body.toString()).toBe('a record');
    });

    it('every time, refuses it', async () => {
      await createdTag(direct, register, text('the truth'));
      await direct.put(key, text('a record'));
      for (const one of [register, key]) {
        inject('GET', damage, 3);
        expect(await codeOf(store.get(one))).toBe('checkpoint_corrupt');
      }
      expect((await store.get(register))?.body.toString()).toBe('the truth');
      expect((await store.get(key))?.body.toString()).toBe('a record');
    });

    it('and is long, is left to its reader, who knows its hash', async () => {
      await direct.put(key, Buffer.alloc(1_100_000));
      inject('GET', damage);
      expect((await store.get(key))?.body.equals(Buffer.alloc(1_100_000))).toBe(false);
    });
  });

  describe('when nothing is ever answered', () => {
    const verbs: Record<string, [string, () => Promise<unknown>]> = {
      put: ['PUT', () => store.put(key, text('x'))],
      putIfAbsent: ['PUT', () => store.putIfAbsent(key, text('x'))],
      compareAndSwap: ['PUT', () => store.compareAndSwap(register, text('x'), 'tag')],
      'putIfAbsent of a long body': ['HEAD', () => store.putIfAbsent(key, randomBytes(2 * 1024 * 1024))],
      get: ['GET', () => store.get(key)],
      head: ['HEAD', () => store.head(key)],
      list: ['GET', () => keysOf(store, 't')],
      delete: ['DELETE', () => store.delete(key)],
    };

    it.each(Object.keys(verbs))('%s ends within its budget as store_unavailable', async (verb) => {
      const [method, call] = verbs[verb] ?? expect.fail();
      inject(method, { kind: 'black-hole' }, Infinity);
      const startedAt = performance.now();
      expect(await codeOf(call())).toBe('store_unavailable');
      expect(performance.now() - startedAt).toBeLessThan(BUDGET_MS + 1000);
    });

    it('ends at once when the caller cancels', async () => {
      const patient = openStore(proxy.endpoint, { timeouts: {} });
      onTestFinished(() => patient.close());
      const controller = new AbortController();
      const hole = inject('GET', { kind: 'black-hole' });
      const call = codeOf(patient.get(key, { signal: controller.signal }));
      await hole.struck;
      controller.abort();
      expect(await call).toBe('store_unavailable');
    });
  });

  it('is store_unavailable while the server is down, and works when it is back', async () => {
    await store.put(key, text('before'));
    await server.kill();
    expect(await codeOf(store.get(key))).toBe('store_unavailable');
    expect(await codeOf(direct.put(key, text('x')))).toBe('store_unavailable');
    await server.restart();
    expect((await store.get(key))?.body.toString()).toBe('before');
  });

  it('has one winner among racing creates of long bodies, and nobody else is told so', async () => {
    const bodies = Array.from({ length: 6 }, () => randomBytes(6 * 1024 * 1024));
    const outcomes = await Promise.allSettled(bodies.map((body) => direct.putIfAbsent(key, body)));
    const winners = bodies.filter((_, i) => {
      const outcome = outcomes[i];
      if (outcome?.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'store_unavailable' });
      return outcome?.status === 'fulfilled' && outcome.value.created;
    });
    expect(winners).toHaveLength(1);
    expect((await direct.get(key))?.body.equals(winners[0] ?? Buffer.alloc(0))).toBe(true);
  });

  describe('when a server does not list as S3 does', () => {
    const page = (...keys: string[]): Fault => ({
      kind: 'answer-xml',
      xml: `<ListBucketResult><IsTruncated>true</IsTruncated>${keys
        .map((name) => `<Contents><Key>faults/${name}</Key><Size>1</Size><ETag>"x"</ETag></Contents>`)
        .join('')}</ListBucketResult>`,
    });

    it('in byte order, says that it cannot be used', async () => {
      inject('GET', page('b', 'a'));
      expect(await codeOf(keysOf(store, ''))).toBe('store_unsafe');
    });

    it('onwards from where it was asked to, says so instead of going round for ever', async () => {
      inject('GET', page('a', 'b'), 2);
      expect(await codeOf(keysOf(store, ''))).toBe('store_unsafe');
    });
  });
});

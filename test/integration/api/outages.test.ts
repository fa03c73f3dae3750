// Redis away: jobs and verbs are taken all the same. Store away: 503 that says when to come again, and nothing of what is inside.
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import type { Store } from '../../../lib/store/index.js';
import { row, SPEC, startApi } from '../../support/api.js';
import { startRedis } from '../../support/redis.js';

const SECRET = 'connect ECONNREFUSED https://minio.internal:9000/bucket';

/** A store that can be taken away; `hit` counts calls made meanwhile. */
function severable(): { wrap: (store: Store) => Store; away: (is: boolean) => void; hits: () => number } {
  let isAway = false;
  let hits = 0;
  const check = (): void => {
    if (!isAway) return;
    hits++;
    throw new AppError('store_unavailable', SECRET);
  };
  const wrap = (store: Store): Store => ({
    ...store,
    put: async (...args) => (check(), store.put(...args)),
    putIfAbsent: async (...args) => (check(), store.putIfAbsent(...args)),
    compareAndSwap: async (...args) => (check(), store.compareAndSwap(...args)),
    get: async (...args) => (check(), store.get(...args)),
    head: async (...args) => (check(), store.head(...args)),
    delete: async (...args) => (check(), store.delete(...args)),
    async *list(...args) {
      check();
      yield* store.list(...args);
    },
    async *keys(...args) {
      check();
      yield* store.keys(...args);
    },
  });
  return { wrap, away: (is) => (isAway = is), hits: () => hits };
}

describe('without Redis', () => {
  it('jobs are taken in, read and told what to do; only what needs a live worker is refused', async () => {
    const api = await startApi();
    const job = await api.submit();
    const say = async (verb: string) => (await api.app.inject({ method: 'POST', url: `/v1/jobs/${job}/${verb}` })).statusCode;
    const get = async (url: string) => (await api.app.inject(url)).json();
    expect((await get('/v1/jobs')).data).toMatchObject([{ id: job, status: 'queued' }]);
    expect([await say('pause'), await say('resume')]).toEqual([202, 202]);
    const owner = await api.own(job);
    await owner.commit({ updates: 3, microBatches: 15, rows: [row(1), row(2), row(3)] });
    expect(await get(`/v1/jobs/${job}`)).toMatchObject({ status: 'running', progress: { updates: 3, percent: 5.2 } });
    expect((await get(`/v1/jobs/${job}/metrics`)).data).toHaveLength(3);
    expect((await get(`/v1/jobs/${job}/events`)).data).toHaveLength(2);
    const preempt = await api.app.inject({ method: 'POST', url: `/v1/jobs/${job}/preempt` });
    expect([preempt.statusCode, preempt.json().error.type, preempt.json().error.code]).toEqual([503, 'unavailable', 'queue_unavailable']);
    expect(Number(preempt.headers['retry-after'])).toBeGreaterThan(0);
    for (const url of ['/v1/workers', '/v1/queue']) expect((await api.app.inject(url)).statusCode).toBe(503);
    expect([await say('cancel'), (await get(`/v1/jobs/${job}`)).status]).toEqual([202, 'cancelling']);
    expect(await get('/readyz')).toEqual({ status: 'ready', store: 'ok', redis: 'away' });
    expect((await api.app.inject('/metrics')).body).toContain('pawl_redis_connected 0');
  });

  it('a Redis that comes back is used again', async () => {
    const redis = await startRedis({ appendonly: false });
    try {
      const api = await startApi({ redisUrl: redis.url });
      await redis.kill();
      const job = await api.submit();
      await redis.restart();
      await expect.poll(async () => (await api.app.inject('/v1/queue')).statusCode, { timeout: 20_000 }).toBe(200);
      // The reconciler issues the ticket that the submit could not; a verb does so too.
      await api.app.inject({ method: 'POST', url: `/v1/jobs/${job}/pause` });
      await api.app.inject({ method: 'POST', url: `/v1/jobs/${job}/resume` });
      expect(await api.queue.tickets.has({ job, gen: 0, fence: 0 })).toBe(true);
    } finally {
      await redis.stop();
    }
  });
});

describe('without the store', () => {
  it('everything is 503 with Retry-After, nothing of the inside is said, and it is over when the store is back', async () => {
    const store = severable();
    const api = await startApi({ wrapStore: store.wrap, timing: { handlerMs: 1_500 } });
    const job = await api.submit();
    store.away(true);
    const requests = [
      { method: 'POST', url: '/v1/jobs', payload: SPEC },
      { method: 'POST', url: '/v1/jobs', payload: SPEC, headers: { 'idempotency-key': 'k' } },
      { method: 'GET', url: '/v1/jobs?name=unseen' },
      { method: 'GET', url: `/v1/jobs/${job}` },
      { method: 'GET', url: `/v1/jobs/${job}/events` },
      { method: 'GET', url: `/v1/jobs/${job}/stream` },
      { method: 'GET', url: `/v1/jobs/${job}/weights` },
      { method: 'GET', url: '/readyz' },
      { method: 'POST', url: `/v1/jobs/${job}/pause` },
    ] as const;
    for (const request of requests) {
      const hits = store.hits();
      const answer = await api.app.inject(request);
      expect([request.url, answer.statusCode, Number(answer.headers['retry-after']) > 0]).toEqual([request.url, 503, true]);
      expect(store.hits()).toBeGreaterThan(hits);
      expect(answer.body).not.toContain('minio');
      if (request.url !== '/readyz') expect(answer.json().error).toMatchObject({ type: 'unavailable', code: 'store_unavailable', details: [] });
    }
    expect((await api.app.inject('/healthz')).statusCode).toBe(200);
    store.away(false);
    // The pause that was not acknowledged may still take effect.
    expect((await api.app.inject(`/v1/jobs/${job}`)).json().status).toMatch(/queued|paused/);
    expect((await api.app.inject('/readyz')).statusCode).toBe(200);
  });

  it('a submit whose acknowledgement was lost is the same job when it is sent again', async () => {
    const store = severable();
    let lose = true;
    const api = await startApi({
      wrapStore: (plain) => {
        const wrapped = store.wrap(plain);
        return {
          ...wrapped,
          putIfAbsent: async (key, ...rest) => {
            const outcome = await wrapped.putIfAbsent(key, ...rest);
            if (lose && key.endsWith('/job.json')) {
              store.away(true);
              throw new AppError('store_unavailable', 'the answer was lost');
            }
            return outcome;
          },
        };
      },
    });
    const send = () => api.app.inject({ method: 'POST', url: '/v1/jobs', payload: SPEC, headers: { 'idempotency-key': 'k' } });
    expect((await send()).statusCode).toBe(503);
    expect(store.hits()).toBeGreaterThan(0);
    [lose] = [false, store.away(false)];
    const again = await send();
    expect([again.statusCode, again.headers['idempotent-replayed']]).toEqual([201, 'true']);
    expect((await api.keys()).filter((key) => key.endsWith('/job.json'))).toEqual([`jobs/${again.json().id}/job.json`]);
  });
});

describe('a bug', () => {
  it('is 500 without a word of what it was', async () => {
    const api = await startApi({ wrapStore: (store) => ({ ...store, get: () => Promise.reject(new TypeError(`boom at ${SECRET}`)) }) });
    const answer = await api.app.inject('/v1/jobs/job_01jzzzzzzzzzzzzzzzzzzzzzzz');
    expect([answer.statusCode, answer.json().error]).toMatchObject([500, { type: 'internal', code: 'internal_error', param: null, details: [] }]);
    expect(answer.body).not.toMatch(/boom|minio|TypeError/);
  });
});

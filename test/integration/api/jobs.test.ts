// Submitting, reading, listing jobs and telling them what to do, over HTTP, with a real store and a real Redis.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { row, resultWith, SPEC, startApi } from '../../support/api.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: false });
});
afterAll(() => redis.stop());

describe('a submitted job', () => {
  it('is the job object with every default in its spec, and waits in the queue', async () => {
    const { app, queue } = await startApi({ redisUrl: redis.url });
    const answer = await app.inject({ method: 'POST', url: '/v1/jobs', payload: SPEC });
    expect(answer.statusCode).toBe(201);
    const job = answer.json();
    expect(answer.headers['location']).toBe(`/v1/jobs/${job.id}`);
    expect(job).toMatchObject({
      object: 'job', name: 'digits', status: 'queued', status_reason: null, started_at: null, finished_at: null, attempts: [], checkpoint: null, result: null, error: null, tags: {}, sweep: null, schedule: null, is_terminal: false,
      waste: { micro_batches: 0, seconds: 0 },
      progress: { epoch: 0, micro_batches: 0, updates: 0, total_updates: 57, percent: 0 },
    });
    expect(job.id).toMatch(/^job_[0-9a-hjkmnp-tv-z]{26}$/);
    expect(job.spec.spec_version).toBe(1);
    expect(job.spec.training.optimizer).toMatchObject({ type: 'adam', lr: 0.001 });
    expect(await queue.tickets.has({ job: job.id, gen: 0, fence: 0 })).toBe(true);
    expect((await app.inject(`/v1/jobs/${job.id}`)).json()).toEqual(job);
  });
});

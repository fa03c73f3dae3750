// Submitting and reading one job, and telling it what to do, over HTTP, with a real store and a real Redis.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Manifest } from '../../../lib/contract/records.js';
import type { JobEvent } from '../../../lib/contract/rows.js';
import { readHead } from '../../../lib/jobs/head.js';
import { event, row, resultWith, SPEC, startApi, type TestApi } from '../../support/api.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: false });
});
afterAll(() => redis.stop());

const start = (): Promise<TestApi> => startApi({ redisUrl: redis.url });
const get = async (api: TestApi, url: string) => (await api.app.inject(url)).json();
const say = (api: TestApi, job: string, verb: string, payload?: object) => api.app.inject({ method: 'POST', url: `/v1/jobs/${job}/${verb}`, ...(payload ? { payload } : {}) });

describe('a submitted job', () => {
  it('is the job object with every default in its spec, and waits in the queue', async () => {
    const api = await start();
    const answer = await api.app.inject({ method: 'POST', url: '/v1/jobs', payload: SPEC });
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
    expect(await api.queue.tickets.has({ job: job.id, gen: 0, fence: 0 })).toBe(true);
    expect(await get(api, `/v1/jobs/${job.id}`)).toEqual(job);
  });

  it('is scheduled until its start_after', async () => {
    const api = await start();
    const job = await api.submit({ ...SPEC, run: { start_after: new Date(Date.now() + 3_600_000).toISOString() } });
    expect((await get(api, `/v1/jobs/${job}`)).status).toBe('scheduled');
    expect(await api.queue.tickets.find({ job, gen: 0, fence: 0 })).toMatchObject({ state: 'delayed' });
  });

  it('takes every priority that the spec allows into the queue', async () => {
    const api = await start();
    for (const priority of [-100, -1, 0, 100]) {
      const job = await api.submit({ ...SPEC, run: { priority } });
      expect(await api.queue.tickets.has({ job, gen: 0, fence: 0 })).toBe(true);
    }
  });

  it('is taken in without its data where this machine has none of it', async () => {
    const api = await start();
    const job = await get(api, `/v1/jobs/${await api.submit({ ...SPEC, data: { type: 'npz', path: 'elsewhere/train.npz' } })}`);
    expect(job).toMatchObject({ status: 'queued', progress: { total_updates: null } });
  });
});

describe('a dry run', () => {
  const dry = async (api: TestApi, spec: object) => api.app.inject({ method: 'POST', url: '/v1/jobs?dry_run=true', payload: spec });

  it('says what the job would be, and stores nothing', async () => {
    const api = await start();
    const before = await api.keys();
    const answer = await dry(api, SPEC);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ object: 'dry_run', parameters: { trainable: 650, non_trainable: 0 }, total_updates: 57, spec: { spec_version: 1, training: { batch_size: 10 } } });
    // weights, two slots and the accumulator, four bytes a number
    expect(answer.json().checkpoint_bytes).toBe(650 * 4 * 4);
    expect(answer.json().memory_bytes).toBeGreaterThan(650 * 4 * 4);
    expect(await api.keys()).toEqual(before);
    expect(await api.queue.tickets.depth()).toMatchObject({ waiting: 0 });
  });

  it('leaves out what only the data could tell, where the data is not here', async () => {
    const api = await start();
    const answer = await dry(api, { ...SPEC, data: { type: 'npz', path: 'elsewhere/train.npz' } });
    expect(answer.json()).toMatchObject({ total_updates: null, parameters: null, checkpoint_bytes: null, memory_bytes: null });
  });

  it('refuses what a submit refuses', async () => {
    const api = await start();
    await writeFile(join(api.dataRoot, 'broken.npz'), 'this is no zip');
    expect((await dry(api, { ...SPEC, data: { type: 'npz', path: 'broken.npz' } })).json().error).toMatchObject({ code: 'invalid_data' });
    expect((await dry(api, { ...SPEC, training: { batch_size: 0 } })).json().error).toMatchObject({ code: 'invalid_spec', param: 'training.batch_size' });
  });
});

describe('a job that a worker has', () => {
  it('shows the living owner’s progress, and the committed one when it is silent', async () => {
    const api = await start();
    const job = await api.submit();
    const owner = await api.own(job);
    expect((await get(api, `/v1/jobs/${job}`)).status).toMatch(/running|starting/);
    await owner.beat('starting');
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({ status: 'starting', attempts: [{ number: 1, worker: 'wrk_test', ended_at: null, engine: 'tensorflow' }] });
    await owner.commit({ updates: 4, microBatches: 22, windowPosition: 2 });
    await owner.beat('running', { updates: 9, micro_batches: 45, loss: 0.25, metrics: { accuracy: 0.75 }, samples_per_second: 1000, eta_seconds: 3, percent: 15.6 });
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({
      status: 'running',
      progress: { updates: 9, micro_batches: 45, loss: 0.25, metrics: { accuracy: 0.75 }, samples_per_second: 1000, eta_seconds: 3, percent: 15.6 },
      checkpoint: { object: 'checkpoint', updates: 4, micro_batches: 22, window_position: 2 },
    });
    await owner.end({ kind: 'stopped', reason: 'preempted_notice', message: 'preempted' });
    const after = await get(api, `/v1/jobs/${job}`);
    expect(after).toMatchObject({
      status: 'queued', status_reason: 'preempted_notice',
      progress: { updates: 4, micro_batches: 22, window_position: 2, position: 220, samples: 220, total_updates: 57, percent: 7.63, loss: null },
      attempts: [{ number: 1, end_reason: 'preempted_notice', executed_micro_batches: 10 }],
    });
    expect(await api.queue.tickets.has({ job, gen: 0, fence: 1 })).toBe(true);
  });

  it('is not what an attempt before this one last said', async () => {
    const api = await start();
    const job = await api.submit();
    const first = await api.own(job);
    await first.beat('preempting', { updates: 9, percent: 15 });
    await api.own(job);
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({ status: 'running', progress: { updates: 0, percent: 0 } });
    expect((await get(api, '/v1/jobs')).data).toMatchObject([{ status: 'running', progress: { updates: 0 } }]);
  });

  it('recovers once its owner has been silent for long enough', async () => {
    const api = await start();
    const job = await api.submit();
    const owner = await api.own(job);
    await owner.beat('running');
    expect((await get(api, `/v1/jobs/${job}`)).status).toBe('running');
    await expect.poll(async () => (await get(api, `/v1/jobs/${job}`)).status, { timeout: 10_000, interval: 200 }).toBe('recovering');
  });

  it('has its result when it succeeded', async () => {
    const api = await start();
    const job = await api.submit();
    const owner = await api.own(job);
    const weights = Buffer.from('final');
    await owner.commit({ updates: 57, microBatches: 288, weights, end: { kind: 'completed', result: resultWith(weights, 57) } });
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({
      status: 'succeeded', is_terminal: true, status_reason: null,
      result: { weights_sha256: resultWith(weights, 57).weights_sha256, updates: 57 },
      progress: { percent: 100, updates: 57, total_updates: 57, loss: 0.1, metrics: { accuracy: 0.9 } },
    });
    // The closed summary is what the list then shows.
    expect((await get(api, '/v1/jobs?status=succeeded')).data).toMatchObject([{ id: job, status: 'succeeded' }]);
  });
});

describe('the verbs', () => {
  it('change what is wanted before they are acknowledged, and repeating one changes nothing', async () => {
    const api = await start();
    const job = await api.submit();
    for (const [verb, status] of [['pause', 'paused'], ['pause', 'paused'], ['resume', 'queued'], ['resume', 'queued'], ['cancel', 'cancelled'], ['cancel', 'cancelled'], ['kill', 'cancelled']] as const) {
      const answer = await say(api, job, verb);
      expect([verb, answer.statusCode, answer.json().status]).toEqual([verb, 202, status]);
    }
    const refused = await say(api, job, 'resume');
    expect(refused.statusCode).toBe(409);
    expect(refused.json().error).toMatchObject({ type: 'invalid_state', code: 'invalid_state' });
  });

  it('ask a live owner to finish first', async () => {
    const api = await start();
    const job = await api.submit();
    const owner = await api.own(job);
    await owner.beat('running');
    expect((await say(api, job, 'pause')).json().status).toBe('pausing');
    expect((await say(api, job, 'cancel')).json().status).toBe('cancelling');
    await owner.commit({ updates: 1, microBatches: 5, end: { kind: 'stopped', reason: 'user', message: 'cancelled' } });
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({ status: 'cancelled', checkpoint: { updates: 1 } });
  });

  it('start a job that failed again under the same id, with its attempts going on', async () => {
    const api = await start();
    const job = await api.submit();
    const owner = await api.own(job);
    await owner.end({ kind: 'failed', reason: 'nonfinite_loss', error: { code: 'nonfinite_loss', message: 'the loss is NaN', param: null }, retryable: false });
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({ status: 'failed', status_reason: 'nonfinite_loss', error: { code: 'nonfinite_loss', message: 'the loss is NaN' } });
    expect((await get(api, '/v1/jobs?status=failed')).data).toHaveLength(1);
    const answer = await say(api, job, 'retry');
    expect([answer.statusCode, answer.json().status, answer.json().error]).toEqual([202, 'queued', null]);
    expect(await api.queue.tickets.has({ job, gen: 1, fence: 1 })).toBe(true);
    expect((await get(api, '/v1/jobs?status=failed')).data).toHaveLength(0);
    expect((await get(api, '/v1/jobs?status=queued')).data).toMatchObject([{ id: job }]);
    expect((await api.own(job)).claim.number).toBe(2);
    expect((await say(api, job, 'retry')).statusCode).toBe(409);
  });

  it('start a job that expired, however late it is by now', async () => {
    const api = await start();
    const job = await api.submit({ ...SPEC, run: { start_before: '2020-01-01T00:00:00Z' } });
    await expect(api.own(job)).rejects.toThrow(/not claimed/);
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({ status: 'expired', error: { code: 'start_expired', param: 'run.start_before' } });
    expect((await say(api, job, 'retry')).json().status).toBe('queued');
    await (await api.own(job)).beat('running');
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({ status: 'running', status_reason: null, error: null });
  });

  it('leave nothing of a pause on a job that goes on', async () => {
    const api = await start();
    const job = await api.submit();
    const first = await api.own(job);
    await first.beat('running');
    await say(api, job, 'pause');
    await first.commit({ updates: 1, microBatches: 5, end: { kind: 'stopped', reason: 'user', message: 'pausing' } });
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({ status: 'paused', status_reason: 'user', status_message: 'paused' });
    expect((await say(api, job, 'resume')).json()).toMatchObject({ status: 'queued', status_reason: null, status_message: null });
    const second = await api.own(job);
    await second.beat('running');
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({ status: 'running', status_reason: null, status_message: null });
    // resumed before the pause was there
    await say(api, job, 'pause');
    await say(api, job, 'resume');
    await second.commit({ updates: 2, microBatches: 10, end: { kind: 'stopped', reason: 'user', message: 'pausing' } });
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({ status: 'queued', status_reason: null, status_message: null });
    const third = await api.own(job);
    await third.beat('running');
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({ status: 'running', status_reason: null, status_message: null });
    // what was not asked for stays to be seen
    await third.end({ kind: 'stopped', reason: 'preempted_notice', message: 'a notice' });
    expect(await get(api, `/v1/jobs/${job}`)).toMatchObject({ status: 'queued', status_reason: 'preempted_notice', status_message: 'a notice' });
  });

  it('hand a preemption to the worker that has the job, and to no other', async () => {
    const api = await start();
    const job = await api.submit();
    expect((await say(api, job, 'preempt')).json().error).toMatchObject({ code: 'invalid_state', message: 'cannot preempt a job that is queued' });
    const owner = await api.own(job);
    await owner.beat('running');
    const nobody = await say(api, job, 'preempt');
    expect([nobody.statusCode, nobody.json().error.code]).toEqual([409, 'invalid_state']);

    const heard: object[] = [];
    let listening = (): void => undefined;
    const ready = new Promise<void>((resolve) => (listening = resolve));
    const stop = api.queue.control.listen('wrk_test', {
      preempt: (request) => heard.push(request) > 0 && request.attempt === owner.claim.attempt,
      drain: () => undefined,
      nudge: () => undefined,
      resync: listening,
    });
    await ready;
    const answer = await say(api, job, 'preempt', { grace_seconds: 7 });
    expect([answer.statusCode, answer.json().id]).toEqual([202, job]);
    expect(heard).toMatchObject([{ job, attempt: owner.claim.attempt, graceSeconds: 7 }]);
    await owner.beat('preempting');
    // Less time is news to who trains on until the deadline.
    expect((await say(api, job, 'preempt', { grace_seconds: 1 })).json().status).toBe('preempting');
    expect(heard).toMatchObject([{ graceSeconds: 7 }, { job, attempt: owner.claim.attempt, graceSeconds: 1 }]);
    await say(api, job, 'pause');
    await owner.beat('running');
    expect((await say(api, job, 'preempt')).json().error.message).toBe('cannot preempt a job that is pausing');
    expect(heard).toHaveLength(2);
    stop();
  });
});

describe('what a job has', () => {
  it('events are one line of numbers, from HEAD, commits and the live journal', async () => {
    const api = await start();
    const job = await api.submit();
    const owner = await api.own(job);
    const started = owner.claim.head().counters.events;
    await owner.commit({ updates: 1, microBatches: 5, events: [event(started + 1), event(started + 2)] });
    await owner.say(event(started + 3));
    const all = await get(api, `/v1/jobs/${job}/events?limit=100`);
    expect(all.data.map(({ id, type }: { id: number; type: string }) => [id, type])).toEqual([
      [0, 'job.submitted'], [started, 'attempt.started'], [started + 1, 'epoch.completed'], [started + 2, 'epoch.completed'], [started + 3, 'epoch.completed'],
    ]);
    expect(all).toMatchObject({ object: 'list', has_more: false, last_id: started + 3 });
    const first = await get(api, `/v1/jobs/${job}/events?limit=2`);
    expect(first).toMatchObject({ has_more: true, last_id: started });
    expect((await get(api, `/v1/jobs/${job}/events?limit=2&after=${first.last_id}`)).data.map(({ id }: { id: number }) => id)).toEqual([started + 1, started + 2]);
  });

  it('rows are those of commits, then the owner’s, without a hole, and a curve in few points keeps its ends', async () => {
    const api = await start();
    const job = await api.submit();
    const owner = await api.own(job);
    await owner.commit({ updates: 30, microBatches: 150, rows: Array.from({ length: 30 }, (_, index) => row(index + 1)), epochs: [{ epoch: 1, updates: 28, loss: 0.5, lr: 0.001 }] });
    await owner.commit({ updates: 40, microBatches: 200, rows: Array.from({ length: 10 }, (_, index) => row(index + 31)) });
    await owner.report([row(40, 9), row(41), row(42), row(44)]);
    const updates = (page: { data: { update: number }[] }) => page.data.map(({ update }) => update);
    const all = await get(api, `/v1/jobs/${job}/metrics?limit=1000`);
    expect(updates(all)).toEqual(Array.from({ length: 42 }, (_, index) => index + 1));
    expect(all.data[39].loss).toBe(row(40).loss);
    expect(all).toMatchObject({ has_more: false, last_id: 42 });
    const page = await get(api, `/v1/jobs/${job}/metrics?after_update=25&limit=10`);
    expect(updates(page)).toEqual([26, 27, 28, 29, 30, 31, 32, 33, 34, 35]);
    expect(page).toMatchObject({ has_more: true, last_id: 35 });
    expect(updates(await get(api, `/v1/jobs/${job}/metrics?after_update=38&limit=3`))).toEqual([39, 40, 41]);
    expect((await get(api, `/v1/jobs/${job}/metrics`)).data).toHaveLength(20);
    const few = updates(await get(api, `/v1/jobs/${job}/metrics?max_points=5`));
    expect(few.length).toBeLessThanOrEqual(5);
    expect([few[0], few.at(-1)]).toEqual([1, 42]);
    expect(await get(api, `/v1/jobs/${job}/metrics?series=epoch`)).toMatchObject({ data: [{ epoch: 1, updates: 28 }], last_id: 1 });
    expect((await get(api, `/v1/jobs/${job}/metrics?series=epoch&after_update=28`)).data).toEqual([]);
  });

  it('what is damaged of rows and events is left out, and the rest is there', async () => {
    const api = await start();
    const job = await api.submit();
    const owner = await api.own(job);
    const said = (id: number): JobEvent => ({ id, type: 'checkpoint.committed', at: new Date(0).toISOString(), attempt: 1, message: `event ${id}`, data: {} });
    for (let n = 1; n <= 3; n++) await owner.commit({ updates: 2 * n, microBatches: 10 * n, rows: [row(2 * n - 1), row(2 * n)], events: [said(owner.claim.head().counters.events + 1)] });
    await owner.end({ kind: 'stopped', reason: 'preempted_notice', message: 'notice' });
    const before = await get(api, `/v1/jobs/${job}/events?limit=100`);
    const { head } = await readHead({ store: api.store }, job);
    const manifest = JSON.parse((await api.store.get(head.manifest!))!.body.toString()) as Manifest;
    await api.store.delete(manifest.rows.update[1]!.key);
    await api.store.put(manifest.events[1]!.key, Buffer.from('damaged'));
    expect((await get(api, `/v1/jobs/${job}/metrics`)).data.map(({ update }: { update: number }) => update)).toEqual([1, 2, 5, 6]);
    expect((await get(api, `/v1/jobs/${job}/metrics?max_points=3`)).data.map(({ update }: { update: number }) => update)).toContain(6);
    const left = await get(api, `/v1/jobs/${job}/events?limit=100`);
    const lost = before.data.filter(({ id }: { id: number }) => !left.data.some((event: { id: number }) => event.id === id));
    expect(lost.map(({ id }: { id: number }) => id)).toEqual(before.data.map(({ id }: { id: number }) => id).filter((id: number) => id >= manifest.events[1]!.first && id <= manifest.events[1]!.last));
    expect(lost).not.toEqual([]);
  });

  it('events, logs and rows are read on from any number, also where nothing is yet', async () => {
    const api = await start();
    const job = await api.submit();
    for (const [url, later] of [[`events?after=`, 999_999_999], ['logs?after=', 999_999_999], ['metrics?after=', 3], ['metrics?series=epoch&after=', 3]] as const) {
      const answer = await api.app.inject(`/v1/jobs/${job}/${url}${later}`);
      expect([url, answer.statusCode, answer.json()]).toMatchObject([url, 200, { object: 'list', data: [], has_more: false }]);
    }
    const owner = await api.own(job);
    await owner.commit({ updates: 5, microBatches: 25, rows: [1, 2, 3, 4, 5].map((update) => row(update)) });
    expect((await get(api, `/v1/jobs/${job}/metrics?after=3`)).data.map(({ update }: { update: number }) => update)).toEqual([4, 5]);
  });

  it('rows of an attempt that ended without a commit are not the job’s', async () => {
    const api = await start();
    const job = await api.submit();
    const owner = await api.own(job);
    await owner.commit({ updates: 2, microBatches: 10, rows: [row(1), row(2)] });
    await owner.report([row(3), row(4)]);
    await owner.end({ kind: 'killed', reason: 'preempted_kill', message: 'killed' });
    expect((await get(api, `/v1/jobs/${job}/metrics`)).data).toHaveLength(2);
  });

  it('checkpoints come newest first, and one by its id', async () => {
    const api = await start();
    const job = await api.submit();
    const owner = await api.own(job);
    for (const updates of [1, 2, 3]) await owner.commit({ updates, microBatches: updates * 5 });
    const list = await get(api, `/v1/jobs/${job}/checkpoints`);
    expect(list.data.map(({ updates }: { updates: number }) => updates)).toEqual([3, 2]);
    expect(await get(api, `/v1/jobs/${job}/checkpoints/${list.data[1].id}`)).toEqual(list.data[1]);
    expect(await get(api, `/v1/jobs/${job}/checkpoints?limit=1`)).toMatchObject({ has_more: true, last_id: list.data[0].id });
    expect((await get(api, `/v1/jobs/${job}/checkpoints?after=${list.data[0].id}`)).data).toEqual([list.data[1]]);
    const unknown = await api.app.inject(`/v1/jobs/${job}/checkpoints/ckpt_01jzzzzzzzzzzzzzzzzzzzzzzz`);
    expect([unknown.statusCode, unknown.json().error.param]).toEqual([404, 'checkpoint']);
  });

  it('attempts come oldest first, with pages', async () => {
    const api = await start();
    const job = await api.submit();
    for (let number = 1; number <= 3; number++) await (await api.own(job, `wrk_${number}`)).end({ kind: 'stopped', reason: 'preempted_notice', message: 'notice' });
    const list = await get(api, `/v1/jobs/${job}/attempts`);
    expect(list.data.map(({ number, worker, fence }: { number: number; worker: string; fence: number }) => [number, worker, fence])).toEqual([[1, 'wrk_1', 1], [2, 'wrk_2', 2], [3, 'wrk_3', 3]]);
    expect((await get(api, `/v1/jobs/${job}/attempts?after=1&limit=1`)).data).toMatchObject([{ number: 2 }]);
  });
});

describe('the rest of the house', () => {
  it('workers, the queue and draining are as Redis knows them', async () => {
    const api = await start();
    await api.submit();
    await api.queue.workers.beat({ id: 'wrk_one', engine: 'tensorflow', device: 'cpu', slots: 1, jobs: [], draining: false, uncommitted_seconds: 0, youngest_seconds: null, started_at: new Date().toISOString(), host: 'here', machine: 'here', pid: 1, version: 'test' });
    expect(await get(api, '/v1/workers')).toMatchObject({ object: 'list', data: [{ id: 'wrk_one', object: 'worker', engine: 'tensorflow', draining: false }] });
    expect(await get(api, '/v1/queue')).toMatchObject({ object: 'queue', depth: 1, active: 0, desired_workers: 1 });
    expect((await api.app.inject({ method: 'POST', url: '/v1/workers/wrk_none/drain' })).statusCode).toBe(404);
    let drained = false;
    await new Promise<void>((resolve) => {
      api.queue.control.listen('wrk_one', { preempt: () => false, drain: () => void (drained = true), nudge: () => undefined, resync: resolve });
    });
    expect((await api.app.inject({ method: 'POST', url: '/v1/workers/wrk_one/drain' })).statusCode).toBe(202);
    expect(drained).toBe(true);
  });

  it('workers that train are wanted, whether their tickets are known or Redis has forgotten them', async () => {
    const api = await start();
    const running = [await api.submit(), await api.submit()];
    await api.submit();
    const beat = (): Promise<unknown> => Promise.all(running.map((job) => api.queue.workers.beat({ id: `wrk_${job}`, engine: 'tensorflow', device: 'cpu', slots: 1, jobs: [job], draining: false, uncommitted_seconds: 0, youngest_seconds: null, started_at: new Date().toISOString(), host: 'here', machine: 'here', pid: 1, version: 'test' })));
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const taken = new Set<string>();
    const consumer = api.queue.makeConsumer({
      slots: 2,
      handler: async ({ job }) => {
        taken.add(job);
        await ended;
      },
    });
    onTestFinished(async () => {
      end();
      await consumer.close({ waitMs: 5_000 });
    });
    consumer.start();
    await vi.waitFor(() => expect(taken.size).toBe(2), 10_000);
    await beat();
    expect(await get(api, '/v1/queue'), 'each counts once').toMatchObject({ depth: 1, active: 2, desired_workers: 3 });
    await redis.flush();
    await beat();
    expect(await get(api, '/v1/queue')).toMatchObject({ depth: 0, active: 0, desired_workers: 2 });
  });

  it('health says what is there, and the figures name no job', async () => {
    const api = await start();
    const job = await api.submit();
    await get(api, `/v1/jobs/${job}`);
    expect(await get(api, '/healthz')).toEqual({ status: 'ok', version: 'test' });
    expect(await get(api, '/readyz')).toEqual({ status: 'ready', store: 'ok', redis: 'connected' });
    const { body } = await api.app.inject('/metrics');
    expect(body).toContain('pawl_jobs_submitted_total 1');
    expect(body).toContain('pawl_http_requests_total{method="GET",route="/v1/jobs/:id",status="200"} 1');
    expect(body).toContain('pawl_queue_tickets{state="waiting"} 1');
    expect(body).not.toContain(job);
  });

  it('answers 404 and 405 in the one form of errors', async () => {
    const api = await start();
    const missing = await api.app.inject('/v1/nothing');
    expect([missing.statusCode, missing.json().error]).toMatchObject([404, { type: 'not_found', code: 'not_found', param: null, details: [] }]);
    expect(missing.json().error.request_id).toBe(missing.headers['x-request-id']);
    // QUERY and PATCH have bodies, whose rules do not come first.
    for (const given of [{ method: 'DELETE' }, { method: 'QUERY' }, { method: 'PATCH', payload: 'no JSON', headers: { 'content-type': 'text/plain' } }]) {
      const wrong = await api.app.inject({ ...given, method: given.method as 'DELETE', url: '/v1/jobs' });
      expect([wrong.statusCode, wrong.headers['allow'], wrong.json().error.code]).toEqual([405, 'GET, HEAD, POST', 'method_not_allowed']);
    }
  });
});

// Sweeps over HTTP: what is taken and what is refused, lists, trials, verbs and idempotency. What trials do is written into the log here
// as a controller would; test/integration/system/sweep.test.ts has real ones.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../lib/clock.js';
import type { SweepEvent } from '../../../lib/sweeps/events.js';
import { loadSweep, openLog } from '../../../lib/sweeps/log.js';
import type { SweepState } from '../../../lib/sweeps/state.js';
import type { Store } from '../../../lib/store/index.js';
import { SPEC as JOB, startApi, type TestApi } from '../../support/api.js';

const SWEEP = {
  name: 'nightly',
  method: 'random',
  metric: { name: 'val_loss' },
  parameters: { lr: { distribution: 'log_uniform_values', min: 1e-4, max: 1e-1 }, 'training.batch_size': { values: [5, 10, 20] } },
  run_cap: 4,
  budget: { max_concurrent: 2 },
  early_terminate: { type: 'asha', min_iter: 3, eta: 3 },
  job: { ...JOB, training: { ...JOB.training, optimizer: { type: 'adam', lr: 0.001 } } },
};

const MAIN = join(import.meta.dirname, '../../../dist/api/cli/main.js');
const pawl = (url: string, ...args: string[]) =>
  new Promise<{ code: unknown; out: string; err: string }>((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'] ?? '', PAWL_URL: url } }, (error, out, err) => resolve({ code: error === null ? 0 : error.code, out, err }));
  });

const post = (api: TestApi, payload: unknown = SWEEP, headers: Record<string, string> = {}) => api.app.inject({ method: 'POST', url: '/v1/sweeps', payload: payload as object, headers });
const get = (api: TestApi, path: string) => api.app.inject(`/v1/sweeps${path}`);
const say = (api: TestApi, id: string, verb: string) => api.app.inject({ method: 'POST', url: `/v1/sweeps/${id}/${verb}` });
const start = async (api: TestApi, payload: unknown = SWEEP): Promise<string> => {
  const answer = await post(api, payload);
  if (answer.statusCode !== 201) throw new Error(answer.body);
  return answer.json<{ id: string }>().id;
};
/** As a controller that saw this. */
async function see(api: TestApi, id: string, ...events: SweepEvent[]): Promise<SweepState> {
  const log = await openLog({ store: api.store, clock: systemClock }, (await loadSweep(api.store, id))!);
  for (const event of events) expect(await log.append(event)).toBe(true);
  return log.state();
}
async function problemsOf(api: TestApi, change: object): Promise<string[]> {
  const answer = await post(api, { ...SWEEP, ...change });
  expect(answer.statusCode).toBe(400);
  return answer.json<{ error: { details: { param: string; message: string }[] } }>().error.details.map(({ param, message }) => `${param}: ${message}`);
}

describe('POST /v1/sweeps', () => {
  it('takes a sweep in: 201, where it is, every default, and the end of the training as the last rung', async () => {
    const api = await startApi();
    const answer = await post(api);
    expect([answer.statusCode, answer.headers['location']]).toEqual([201, `/v1/sweeps/${answer.json().id}`]);
    expect(answer.json()).toMatchObject({
      id: expect.stringMatching(/^swp_[0-9a-z]{26}$/), object: 'sweep', name: 'nightly', status: 'running', is_terminal: false, best: null, finished_at: null, why: null, rungs: [], schedule: null, warnings: [],
      counts: { waiting: 0, running: 2, paused: 0, succeeded: 0, pruned: 0, failed: 0, cancelled: 0 },
      budget: { spent: { compute_seconds: 0, failed: 0 }, limits: { compute_seconds: null, wall_clock: null, max_failed: null, max_concurrent: 2 } },
      // 1,347 samples in windows of 50, two epochs
      spec: { early_terminate: { type: 'asha', variant: 'promotion', min_iter: 3, max_iter: expect.any(Number) }, sampler: { seed: 0 }, execution: 'jobs' },
    });
    expect((await get(api, `/${answer.json().id}`)).json().spec).toEqual(answer.json().spec);
  });

  it('counts the end of the training in samples where rungs are', async () => {
    const api = await startApi();
    const updates = (await post(api)).json().spec.early_terminate.max_iter as number;
    const samples = (await post(api, { ...SWEEP, early_terminate: { ...SWEEP.early_terminate, resource: 'samples' } })).json().spec.early_terminate.max_iter as number;
    // the template is looked at with the first of the batch sizes
    expect(samples).toBe(updates * 5 * 5);
  });

  it('says what is allowed and perhaps not meant', async () => {
    const api = await startApi();
    const { early_terminate: _, ...rest } = SWEEP;
    const { warnings } = (await post(api, { ...rest, method: 'bayes' })).json();
    expect(warnings).toEqual([{ param: 'method', message: 'bayes is served by tpe' }]);
  });

  it('refuses what is wrong, all of it at once, and what is not possible yet by its name', async () => {
    const api = await startApi();
    expect(await problemsOf(api, { method: 'simulated_annealing', run_cap: 0 })).toEqual([expect.stringMatching(/^method: must be one of grid, random/), expect.stringMatching(/^run_cap: must be/)]);
    expect(await problemsOf(api, { parameters: { 'optimizer.lrr': { values: [1] } } })).toEqual([expect.stringMatching(/^parameters\."optimizer\.lrr": names nothing in the job/)]);
    expect(await problemsOf(api, { program: 'train.py' })).toEqual([expect.stringMatching(/^program: is not possible: trials are jobs/)]);
    expect(await problemsOf(api, { early_terminate: { type: 'asha', min_iter: 5_000 } })).toEqual([expect.stringMatching(/^early_terminate\.min_iter: must be at most \d+, the updates of the whole training, got 5000$/)]);
    expect(await problemsOf(api, { early_terminate: { type: 'asha', min_iter: 3, eta: 2.5 } })).toEqual(['early_terminate.eta: must be an integer for asha, got 2.5']);
    expect((await problemsOf(api, { early_terminate: { type: 'asha', min_iter: 3, eta: 3, brackets: 9 } }))[0]).toMatch(/^early_terminate\.brackets: must be at most the number of rungs/);
    for (const body of [null, [], 'sweep', 5]) expect((await api.app.inject({ method: 'POST', url: '/v1/sweeps', payload: JSON.stringify(body), headers: { 'content-type': 'application/json' } })).statusCode).toBe(400);
    expect(await api.keys()).toEqual([]);
  });

  it('takes a population whose forks can go on with the state of another one, and no other', async () => {
    const api = await startApi();
    const pbt = { method: 'pbt', pbt: { interval: 5, population: 4 }, budget: {}, early_terminate: { type: 'none' }, run_cap: null };
    const parameters = { 'training.optimizer.lr': { min: 0.001, max: 0.1 }, 'training.batch_size': { values: [5, 10] }, 'training.seed': { values: [1, 2] }, 'training.optimizer.type': { values: ['adam', 'sgd'] } };
    expect(await problemsOf(api, { ...pbt, parameters })).toEqual([
      'parameters."training.batch_size": as 10 changes the place in the training, with which a fork goes on: with method pbt only what leaves it as it is, such as training.optimizer.lr',
      expect.stringMatching(/^parameters\."training\.seed": as 2 changes the random numbers/),
      expect.stringMatching(/^parameters\."training\.optimizer\.type": as "sgd" changes the state/),
    ]);
    expect(await problemsOf(api, { ...pbt, budget: { max_concurrent: 2 } })).toEqual([expect.stringMatching(/^budget\.max_concurrent: must be null or at least pbt\.population, 4, got 2/)]);
    const answer = await post(api, { ...SWEEP, ...pbt, parameters: { 'training.optimizer.lr': { min: 0.001, max: 0.1 } } });
    expect([answer.statusCode, answer.json().spec?.pbt]).toEqual([201, { interval: 5, population: 4, resource: 'updates', quantile: 0.25, resample_probability: 0.25, factors: [0.8, 1.2] }]);
    expect((await get(api, `/${answer.json().id}/trials`)).json().data.map(({ fork }: { fork: unknown }) => fork)).toEqual([null, null, null, null]);
  });

  it('looks at the data of the job, and asks for the end where the data is not here', async () => {
    const api = await startApi();
    const elsewhere = { ...SWEEP.job, data: { type: 'npz', path: 'not-here.npz', validation: { split: 0.2 } } };
    expect(await problemsOf(api, { job: elsewhere })).toEqual(['early_terminate.max_iter: is required: the data is not on this machine, so how long the training is cannot be known here']);
    expect((await post(api, { ...SWEEP, job: elsewhere, early_terminate: { ...SWEEP.early_terminate, max_iter: 27 } })).statusCode).toBe(201);
    expect(await problemsOf(api, { job: { ...SWEEP.job, data: { type: 'npz', path: '/etc/passwd', validation: { split: 0.2 } } } })).toEqual([expect.stringMatching(/^job\.data\.path: /)]);
    expect(await problemsOf(api, { job: { ...SWEEP.job, model: { layers: [{ type: 'dense', units: 10 }] } } })).toEqual([expect.stringMatching(/^job\.model\.layers/)]);
  });

  it('with dry_run=true answers the spec and the first trials, and stores nothing', async () => {
    const api = await startApi();
    const answer = await api.app.inject({ method: 'POST', url: '/v1/sweeps?dry_run=true', payload: { ...SWEEP, run_cap: 25, early_terminate: { type: 'none' } } });
    expect(answer.statusCode).toBe(200);
    const { object, spec, trials, warnings } = answer.json();
    expect([object, spec.run_cap, warnings]).toEqual(['dry_run', 25, []]);
    expect(trials.map(({ number }: { number: number }) => number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const { params } of trials) expect([params['lr'] > 1e-4 && params['lr'] < 1e-1, [5, 10, 20].includes(params['training.batch_size'])]).toEqual([true, true]);
    expect(await api.keys()).toEqual([]);
    // the trials that it will have
    const id = await start(api);
    expect((await get(api, `/${id}/trials/0`)).json().params).toEqual(trials[0].params);
  });
});

describe('an idempotency key', () => {
  it('makes one sweep of many requests, and refuses another body', async () => {
    const api = await startApi();
    const send = (body: unknown = SWEEP) => post(api, body, { 'idempotency-key': 'k' });
    const answers = await Promise.all(Array.from({ length: 6 }, () => send()));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(6).fill(201));
    const ids = new Set(answers.map((answer) => answer.json<{ id: string }>().id));
    expect(ids.size).toBe(1);
    const [id] = [...ids];
    await say(api, id!, 'pause');
    const again = await send();
    expect([again.statusCode, again.headers['idempotent-replayed'], again.json().id, again.json().status]).toEqual([201, 'true', id, 'pausing']);
    const other = await send({ ...SWEEP, name: 'another' });
    expect([other.statusCode, other.json().error]).toMatchObject([409, { code: 'idempotency_key_reused', param: 'Idempotency-Key' }]);
    expect((await get(api, '')).json().data).toHaveLength(1);
    // a job may have the same key
    expect((await api.app.inject({ method: 'POST', url: '/v1/jobs', payload: JOB, headers: { 'idempotency-key': 'k' } })).statusCode).toBe(201);
  });

  it('finishes what an interrupted request left, under the id that was stored first', async () => {
    const api = await startApi();
    const { id } = (await post(api, SWEEP, { 'idempotency-key': 'k' })).json();
    for (const key of await api.keys()) if (!key.startsWith('keys/')) await api.store.delete(key);
    const again = await post(api, SWEEP, { 'idempotency-key': 'k' });
    expect([again.statusCode, again.json().id]).toEqual([201, id]);
    expect(await api.keys()).toEqual(expect.arrayContaining([`open-sweeps/${id}`, `sweeps/${id}/log/0000000000.json`]));
  });
});

describe('the list of sweeps', () => {
  it('is newest first, without specs, in pages that meet', async () => {
    const api = await startApi();
    const sweeps: string[] = [];
    for (let n = 0; n < 5; n++) sweeps.unshift(await start(api, { ...SWEEP, name: `sweep ${n}` }));
    const ids = (page: { data: { id: string }[] }) => page.data.map(({ id }) => id);
    const all = (await get(api, '')).json();
    expect(ids(all)).toEqual(sweeps);
    expect(all).toMatchObject({ object: 'list', has_more: false, last_id: sweeps[4] });
    expect(all.data[0]).not.toHaveProperty('spec');
    const first = (await get(api, '?limit=2')).json();
    expect([ids(first), first.has_more, first.last_id]).toEqual([sweeps.slice(0, 2), true, sweeps[1]]);
    const second = (await get(api, `?limit=3&after=${first.last_id}`)).json();
    expect([ids(second), second.has_more]).toEqual([sweeps.slice(2), false]);
    expect(ids((await get(api, '?name=sweep%201')).json())).toEqual([sweeps[3]]);
    await say(api, sweeps[2]!, 'cancel');
    expect(ids((await get(api, '?status=cancelled,failed')).json())).toEqual([sweeps[2]]);
    expect(ids((await get(api, '?status=running&limit=1')).json())).toEqual([sweeps[0]]);
    expect((await get(api, '?status=lost')).json().error).toMatchObject({ code: 'invalid_request', param: 'status' });
    for (const after of ['nope', 'swp_01jzzzzzzzzzzzzzzzzzzzzzzz']) expect((await get(api, `?after=${after}`)).json().error.code).toBe('invalid_cursor');
  });

  it('leaves out what was never acknowledged', async () => {
    const api = await startApi();
    const id = await start(api);
    await api.store.delete(`sweeps/${id}/sweep.json`);
    const other = await startApi();
    for (const key of await api.keys()) await other.store.put(key, (await api.store.get(key))!.body);
    expect((await get(other, '')).json()).toEqual({ object: 'list', data: [], has_more: false, last_id: null });
  });
});

describe('a sweep', () => {
  it('is not found by any other id', async () => {
    const api = await startApi();
    for (const id of ['nope', 'swp_01jzzzzzzzzzzzzzzzzzzzzzzz', encodeURIComponent('../jobs')]) {
      for (const path of ['', '/trials', '/trials/0', '/importance', '/export', '/report']) expect([id, path, (await get(api, `/${id}${path}`)).json().error]).toMatchObject([id, path, { code: 'not_found', param: 'id' }]);
      expect((await say(api, id, 'pause')).statusCode).toBe(404);
    }
    expect((await api.app.inject('/v1/jobs?sweep=swp_01jzzzzzzzzzzzzzzzzzzzzzzz')).statusCode).toBe(404);
    expect((await api.app.inject('/v1/jobs?sweep=nope')).json().error).toMatchObject({ code: 'invalid_request', param: 'sweep' });
  });

  it('has trials with their values, and why each decision was made', async () => {
    const api = await startApi();
    const id = await start(api);
    await see(api, id, { type: 'reached', trial: 0, step: 3, value: 0.5 }, { type: 'reached', trial: 1, step: 3, value: 0.4 });
    const page = (await get(api, `/${id}/trials?limit=3`)).json();
    expect([page.data.map((trial: { id: string }) => trial.id), page.has_more, page.last_id]).toEqual([[`${id}.0`, `${id}.1`, `${id}.2`], true, `${id}.2`]);
    expect(page.data[0]).toMatchObject({ object: 'trial', number: 0, status: 'paused', value: 0.5, values: [{ step: 3, value: 0.5 }], job_id: null, bracket: 0, why: [{ event: 0, decision: 'start', sampler: 'random' }] });
    expect((await get(api, `/${id}/trials?after=${id}.2`)).json().data.map((trial: { number: number }) => trial.number)).toEqual([3]);
    expect((await get(api, `/${id}/trials/1`)).json()).toEqual(page.data[1]);
    for (const number of ['4', '-1', '01', 'x']) expect((await get(api, `/${id}/trials/${number}`)).json().error).toMatchObject({ code: 'not_found', param: 'number' });
    expect((await get(api, `/${id}/trials?after=${id}.9`)).json().error.code).toBe('invalid_cursor');
    expect((await get(api, `/${id}`)).json()).toMatchObject({ best: { trial_id: `${id}.1`, value: 0.4 }, counts: { running: 2, paused: 2 }, rungs: [{ bracket: 0, resource: 3, trials: 2, waiting: 2, best: 0.4 }] });
  });

  it('ends with its best, how it came to that, and what its parameters had to do with it', async () => {
    const api = await startApi();
    const id = await start(api, { ...SWEEP, early_terminate: { type: 'none' } });
    const ended = (trial: number, value: number): SweepEvent => ({ type: 'ended', trial, outcome: 'succeeded', value, message: null });
    await see(api, id, ended(0, 0.5), ended(1, 0.3), { type: 'ended', trial: 2, outcome: 'failed', value: null, message: 'no' }, ended(3, 0.4));
    const sweep = (await get(api, `/${id}`)).json();
    expect(sweep).toMatchObject({ status: 'succeeded', is_terminal: true, why: { trials: 4 }, best: { trial_id: `${id}.1`, value: 0.3 }, counts: { succeeded: 3, failed: 1 }, budget: { spent: { failed: 1 } }, finished_at: expect.stringMatching(/Z$/) });
    const importance = (await get(api, `/${id}/importance`)).json();
    expect([importance.object, importance.trials, importance.parameters.map(({ name }: { name: string }) => name).sort()]).toEqual(['importance', 3, ['lr', 'training.batch_size']]);
    expect(importance.parameters.reduce((sum: number, { share }: { share: number }) => sum + share, 0)).toBeCloseTo(1);

    const whole = (await get(api, `/${id}/export`)).json();
    expect(whole).toMatchObject({ object: 'sweep_export', sweep: { id }, trials: [{ number: 0 }, { number: 1 }, { number: 2 }, { number: 3 }] });
    const csv = await get(api, `/${id}/export?format=csv`);
    expect([csv.headers['content-type'], csv.headers['content-disposition']]).toEqual(['text/csv; charset=utf-8', `attachment; filename="${id}.csv"`]);
    const lines = csv.body.trimEnd().split('\r\n');
    expect(lines[0]).toBe('number,id,status,value,lr,training.batch_size,job_id,started_at,ended_at');
    expect(lines.slice(1).map((line) => line.split(',').slice(0, 4).join())).toEqual([`0,${id}.0,succeeded,0.5`, `1,${id}.1,succeeded,0.3`, `2,${id}.2,failed,`, `3,${id}.3,succeeded,0.4`]);
    expect((await get(api, `/${id}/export?format=xml`)).json().error).toMatchObject({ code: 'invalid_request', param: 'format' });
  });

  it('is read again for each answer at the cost of one entry, and not at all once it is over', async () => {
    let reads: string[] = [];
    const counted = (store: Store): Store => ({ ...store, get: (key, options) => (reads.push(key), store.get(key, options)) });
    const api = await startApi({ wrapStore: counted });
    const id = await start(api, { ...SWEEP, run_cap: 1, early_terminate: { type: 'none' } });
    const readsOf = async (): Promise<string[]> => {
      reads = [];
      await get(api, `/${id}/importance`);
      return reads;
    };
    expect(await readsOf()).toEqual([`sweeps/${id}/log/0000000001.json`]);
    await see(api, id, { type: 'ended', trial: 0, outcome: 'succeeded', value: 0.5, message: null });
    expect(await readsOf()).toEqual([`sweeps/${id}/log/0000000001.json`, `sweeps/${id}/log/0000000002.json`]);
    expect(await readsOf()).toEqual([]);
  });
});

describe('a verb', () => {
  it('is in the log when it is acknowledged; repeating it changes nothing', async () => {
    const api = await startApi();
    const id = await start(api);
    const entries = async (): Promise<number> => (await api.keys()).filter((key) => key.startsWith(`sweeps/${id}/log/`)).length;
    const paused = await say(api, id, 'pause');
    expect([paused.statusCode, paused.json().status, await entries()]).toEqual([202, 'pausing', 2]);
    expect([(await say(api, id, 'pause')).json().status, await entries()]).toEqual(['pausing', 2]);
    expect((await say(api, id, 'resume')).json().status).toBe('running');
    expect([(await say(api, id, 'resume')).json().status, await entries()]).toEqual(['running', 3]);
    const suspended = (await say(api, id, 'suspend')).json();
    expect([suspended.status, suspended.counts]).toMatchObject(['suspended', { waiting: 2, running: 0 }]);
    expect((await get(api, `/${id}/trials/0`)).json().status).toBe('waiting');
    expect((await say(api, id, 'stop')).json().status).toBe('stopping');
    for (const verb of ['pause', 'resume', 'suspend']) expect([verb, (await say(api, id, verb)).json().error]).toMatchObject([verb, { code: 'invalid_state', message: `cannot ${verb} a sweep that is stopping` }]);
    expect((await say(api, id, 'cancel')).json()).toMatchObject({ status: 'cancelled', is_terminal: true, why: { said: 'cancel' }, counts: { cancelled: 2 } });
    expect((await say(api, id, 'cancel')).statusCode).toBe(202);
    const late = await say(api, id, 'pause');
    expect([late.statusCode, late.json().error.code]).toEqual([409, 'invalid_state']);
    expect((await api.app.inject({ method: 'POST', url: `/v1/sweeps/${id}/pause`, payload: { now: true } })).statusCode).toBe(400);
  });

  it('is said once by many at once, also where a controller writes meanwhile', async () => {
    const api = await startApi();
    const id = await start(api);
    await see(api, id, { type: 'reached', trial: 0, step: 3, value: 0.5 });
    const answers = await Promise.all([...Array.from({ length: 8 }, () => say(api, id, 'pause')), ...Array.from({ length: 4 }, () => get(api, `/${id}`))]);
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([...Array(4).fill(200), ...Array(8).fill(202)]);
    expect((await api.keys()).filter((key) => key.startsWith(`sweeps/${id}/log/`))).toHaveLength(3);
  });
});

describe('GET /v1/jobs?sweep=', () => {
  it('lists the jobs of the trials only, with the other filters', async () => {
    const api = await startApi();
    await api.submit();
    const id = await start(api);
    expect((await api.app.inject(`/v1/jobs?sweep=${id}`)).json()).toMatchObject({ data: [], has_more: false });
    expect((await api.app.inject(`/v1/jobs?sweep=${id}&status=running`)).statusCode).toBe(200);
  });
});

describe('pawl sweep', () => {
  it('starts what a file says, shows it, and tells it what to do', async () => {
    const api = await startApi();
    const url = await api.listen();
    const file = join(api.dataRoot, 'sweep.yaml');
    const warned = { ...SWEEP, method: 'bayes' };
    await writeFile(file, JSON.stringify(warned));
    const started = await pawl(url, 'sweep', 'start', file, '--idempotency-key', 'k');
    expect(started).toMatchObject({ code: 0, err: 'warning: method: bayes is served by tpe\n', out: expect.stringMatching(/^started: swp_\w{26} {3}\(pawl sweep show swp_\w{26}\)\n$/) });
    const id = /swp_\w{26}/.exec(started.out)![0];
    expect((await pawl(url, 'sweep', 'start', file, '--idempotency-key', 'k', '--json')).out).toContain(`"id":"${id}"`);
    await see(api, id, { type: 'reached', trial: 0, step: 3, value: 0.5 });
    const shown = (await pawl(url, 'sweep', 'show', id)).out;
    expect(shown).toMatch(/^status {5}running$/m);
    expect(shown).toMatch(/^trials {5}2 running, 1 paused \(at most 4\)$/m);
    expect(shown).toMatch(new RegExp(`^best {7}val_loss 0\\.500 · lr=.* · ${id}\\.0$`, 'm'));
    expect(shown).toMatch(/^BRACKET {2}UPDATES {2}TRIALS {2}PROMOTED {2}PRUNED {2}WAITING {2}ENDED {2}BEST\n0 {8}3 {8}1 {7}0 {9}0 {7}1 {8}0 {6}0\.500$/m);
    const trials = await pawl(url, 'sweep', 'trials', id, '--limit', '2');
    expect([trials.out.split('\n').length, trials.err]).toEqual([4, `there are more: --after ${id}.1\n`]);
    expect((await pawl(url, 'sweep', 'best', id)).out).toMatch(new RegExp(`${id}\\.0\n$`));
    expect((await pawl(url, 'sweep', 'pause', id)).out).toBe(`${id} pausing\n`);
    expect((await pawl(url, 'sweep', 'ls', '--status', 'pausing', '--name', 'nightly')).out).toMatch(new RegExp(`^${id} +nightly +pausing +3 trials`, 'm'));
    expect(await pawl(url, 'sweep', 'cancel', id)).toMatchObject({ code: 0, out: `${id} cancelled\n` });
    expect(await pawl(url, 'sweep', 'resume', id)).toMatchObject({ code: 2, err: 'error: cannot resume a sweep that is cancelled\n' });
  });

  it('says what is wrong, and exits 2', async () => {
    const api = await startApi();
    const url = await api.listen();
    const file = join(api.dataRoot, 'sweep.yaml');
    await writeFile(file, 'method: [');
    expect(await pawl(url, 'sweep', 'start', file)).toMatchObject({ code: 2, err: expect.stringMatching(/sweep\.yaml: is neither YAML nor JSON/) });
    await writeFile(file, JSON.stringify({ ...SWEEP, run_cap: 0, methods: 'grid' }));
    const { code, err } = await pawl(url, 'sweep', 'start', file);
    expect([code, err.trim().split('\n').sort()]).toEqual([2, [expect.stringMatching(/^error: methods: is not a known key \(did you mean method\?\)/), expect.stringMatching(/^error: run_cap: must be/)]]);
    for (const args of [['sweep'], ['sweep', 'begin'], ['sweep', 'show'], ['sweep', 'show', 'nope'], ['sweep', 'ls', '--limit', 'many']]) expect([args, (await pawl(url, ...args)).code]).toEqual([args, 2]);
    expect(await api.keys()).toEqual([]);
  });
});

// Schedules over HTTP: what each route takes and answers, what it refuses and why, and that a schedule once created fires what it holds.
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { ulid } from 'ulid';
import { makeClient } from '../../../api/client.js';
import { openApiDocument } from '../../../api/openapi.js';
import { SCHEDULE_OPERATIONS } from '../../../api/openapi-schedules.js';
import { systemClock } from '../../../lib/clock.js';
import type { Fire, Schedule } from '../../../lib/contract/schedule.js';
import type { Sweep, Trial } from '../../../lib/contract/sweep-views.js';
import { admitSpec } from '../../../lib/jobs/admission.js';
import { makeJobRoom } from '../../../lib/jobs/room.js';
import { silentLog } from '../../../lib/log.js';
import { tickSchedule } from '../../../lib/schedules/fires.js';
import { admitSweep } from '../../../lib/sweeps/admission.js';
import { openLog, requireSweep } from '../../../lib/sweeps/log.js';
import { makeRunCalls } from '../../../worker/controller/schedules.js';
import { SPEC, startApi, type TestApi } from '../../support/api.js';
import { ROOM_FOR_ALL } from '../../support/room.js';

const NIGHTLY = { name: 'nightly', cron: '30 2 * * *', timezone: 'Europe/Berlin', job: SPEC };
const SWEEP = { method: 'random', metric: { name: 'val_loss' }, parameters: { lr: { distribution: 'log_uniform_values', min: 1e-4, max: 1e-1 } }, run_cap: 3, job: SPEC };
const UNKNOWN = 'sch_01jzzzzzzzzzzzzzzzzzzzzzzz';

const ajv = new Ajv2020({ strict: false, discriminator: true, formats: { 'date-time': true } });
ajv.addSchema(openApiDocument('test'), 'api');
function wrong(component: string, value: unknown): unknown {
  const validate = ajv.getSchema(`api#/components/schemas/${component}`)!;
  return validate(value) ? null : validate.errors;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
const call = (api: TestApi, method: Method, path = '', payload?: unknown, headers: Record<string, string> = {}) => api.app.inject({ method, url: `/v1/schedules${path}`, headers, ...(payload === undefined ? {} : { payload: payload as object }) });

async function created(api: TestApi, changes: object = {}): Promise<Schedule> {
  const answer = await call(api, 'POST', '', { ...NIGHTLY, ...changes });
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json<Schedule>();
}

/** One look at a schedule, as a controller takes it. */
function tick(api: TestApi, id: string, room = ROOM_FOR_ALL) {
  const deps = { store: api.store, clock: systemClock, tickets: api.queue.tickets, log: silentLog };
  const places = { roots: [api.dataRoot], buckets: null };
  const calls = makeRunCalls({ ...deps, room, nudge: () => undefined, isSound: () => Promise.resolve(true), admit: (spec) => admitSpec(spec, places, api.store), admitSweep: (spec, series) => admitSweep(spec, places, api.store, series) });
  return tickSchedule({ ...deps, ...calls }, id, new Date());
}
const firesOf = async (api: TestApi, id: string): Promise<Fire[]> => (await call(api, 'GET', `/${id}/fires?limit=100`)).json<{ data: Fire[] }>().data;

describe('creating a schedule', () => {
  it('answers 201 with the schedule, its defaults and its next fires, and where it is', async () => {
    const api = await startApi();
    const answer = await call(api, 'POST', '', NIGHTLY);
    const schedule = answer.json<Schedule>();
    expect([answer.statusCode, answer.headers['location'], answer.headers['idempotent-replayed']]).toEqual([201, `/v1/schedules/${schedule.id}`, undefined]);
    expect(wrong('Schedule', schedule)).toBeNull();
    expect(schedule).toMatchObject({ object: 'schedule', name: 'nightly', status: 'active', cron: '30 2 * * *', timezone: 'Europe/Berlin', running: [], spec: { dst: { gap: 'shift', overlap: 'first' }, overlap_policy: 'skip', catchup_window: 600, jitter: 0, job: SPEC, sweep: null } });
    expect(schedule.next_fires).toHaveLength(10);
    expect(schedule.next_fires[0]!.local).toMatch(/T02:30:00\+0[12]:00$/);
    expect((await call(api, 'GET', `/${schedule.id}`)).json()).toEqual({ ...schedule, next_fires: expect.any(Array) as unknown });
  });

  it('takes a sweep as well, and begins paused where it is to', async () => {
    const api = await startApi();
    const { job: _job, ...rest } = NIGHTLY;
    const answer = await call(api, 'POST', '', { ...rest, sweep: SWEEP, paused: true });
    expect([answer.statusCode, answer.json<Schedule>().status, answer.json<Schedule>().next_fires]).toEqual([201, 'paused', []]);
    expect(answer.json<Schedule>().spec).toMatchObject({ job: null, sweep: SWEEP });
  });

  it.each<[string, unknown, [string, RegExp][]]>([
    ['nothing', undefined, [['', /must be an object/]]],
    ['a list', [NIGHTLY], [['', /must be an object/]]],
    ['neither job nor sweep', { cron: '* * * * *' }, [['job', /either job or sweep is required/]]],
    ['both', { ...NIGHTLY, sweep: SWEEP }, [['job', /both job and sweep/]]],
    ['an unknown key', { ...NIGHTLY, corn: 1 }, [['corn', /not a known key \(did you mean cron\?\)/]]],
    ['a bad policy', { ...NIGHTLY, overlap_policy: 'never' }, [['overlap_policy', /must be one of skip, buffer_one, .*, got "never"/]]],
    ['fields of cron', { ...NIGHTLY, cron: '99 2 * * *' }, [['cron', /99.*allowed are five fields/]]],
    ['four fields', { ...NIGHTLY, cron: '30 12 * *' }, [['cron', /has 4 fields; allowed are five fields/]]],
    ['a date that never comes', { ...NIGHTLY, cron: '0 0 31 2 *' }, [['cron', /never fires/]]],
    ['no time zone', { ...NIGHTLY, timezone: 'Berlin' }, [['timezone', /"Berlin" is no time zone; allowed are IANA names/]]],
    ['a window out of range', { ...NIGHTLY, catchup_window: '31d', jitter: '2d' }, [['catchup_window', /"31d" is out of range; allowed is from 10s to 30d/], ['jitter', /from 0s to 1d/]]],
    ['a job that is wrong', { ...NIGHTLY, job: { ...SPEC, training: { batch_size: 0, epochz: 1 } } }, [['job.training.epochz', /did you mean epochs/], ['job.training.batch_size', /must be an integer from 1 to 65536, got 0/]]],
    ['a job that does not fit its data', { ...NIGHTLY, job: { ...SPEC, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 7, activation: 'softmax' }] } } }, [['job.model.layers.1.units', /10/]]],
    ['a job whose data lies outside', { ...NIGHTLY, job: { ...SPEC, data: { type: 'npz', path: '../x.npz' } } }, [['job.data.path', /goes up with \.\./]]],
    ['a sweep that is wrong', { cron: '0 * * * *', sweep: { ...SWEEP, method: 'magic' } }, [['sweep.method', /got "magic"/]]],
    ['both the rule and the job', { ...NIGHTLY, timezone: 'Mars', job: {} }, [['timezone', /Mars/], ['job.data', /is required/], ['job.model', /is required/]]],
  ])('refuses %s, with the field, what was given and what is allowed, and stores nothing', async (_name, body, problems) => {
    const api = await startApi();
    const answer = await call(api, 'POST', '', body);
    const { error } = answer.json<{ error: { type: string; details: { param: string; message: string }[] } }>();
    expect([answer.statusCode, error.type]).toEqual([400, 'invalid_request']);
    expect(error.details).toEqual(problems.map(([param, message]) => ({ param, message: expect.stringMatching(message) as string })));
    expect(await api.keys()).toEqual([]);
    if (body === undefined) return;
    const { id } = await created(api);
    const before = await call(api, 'GET', `/${id}`);
    expect((await call(api, 'PUT', `/${id}`, body)).json()).toMatchObject({ error: { details: error.details } });
    expect((await call(api, 'GET', `/${id}`)).json<Schedule>().updated_at).toBe(before.json<Schedule>().updated_at);
  });

  it('happens once under an Idempotency-Key, however often and at once it is sent, and refuses another body', async () => {
    const api = await startApi();
    const send = (body: object, key = 'k') => call(api, 'POST', '', body, { 'idempotency-key': key });
    const answers = await Promise.all(Array.from({ length: 6 }, () => send(NIGHTLY)));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(6).fill(201));
    const { id } = answers[0]!.json<Schedule>();
    expect(new Set(answers.map((answer) => answer.json<Schedule>().id))).toEqual(new Set([id]));
    await call(api, 'POST', `/${id}/pause`);
    const again = await send(Object.fromEntries(Object.entries(NIGHTLY).reverse()));
    expect([again.statusCode, again.headers['idempotent-replayed'], again.json<Schedule>().id, again.json<Schedule>().status]).toEqual([201, 'true', id, 'paused']);
    expect((await send({ ...NIGHTLY, name: 'other' })).json()).toMatchObject({ error: { code: 'idempotency_key_reused', param: 'Idempotency-Key' } });
    expect((await send(NIGHTLY, 'another')).json<Schedule>().id).not.toBe(id);
    expect((await call(api, 'GET')).json<{ data: unknown[] }>().data).toHaveLength(2);
    // a job's key is another key
    expect((await api.app.inject({ method: 'POST', url: '/v1/jobs', payload: SPEC, headers: { 'idempotency-key': 'k' } })).statusCode).toBe(201);
  });

  it('is finished by a repeat where it was cut short', async () => {
    const api = await startApi();
    const send = () => call(api, 'POST', '', NIGHTLY, { 'idempotency-key': 'k' });
    const { id } = (await send()).json<Schedule>();
    await api.store.delete(`schedules/${id}/HEAD`);
    const again = await send();
    expect([again.statusCode, again.json<Schedule>().id]).toEqual([201, id]);
  });
});

describe('the list of schedules', () => {
  it('is in pages, newest first, and by name', async () => {
    const api = await startApi();
    const ids: string[] = [];
    for (let number = 0; number < 5; number++) ids.unshift((await created(api, { name: number % 2 === 0 ? 'even' : 'odd' })).id);
    const page = async (query: string) => {
      const { object, data, has_more, last_id } = (await call(api, 'GET', query)).json<{ object: string; data: Schedule[]; has_more: boolean; last_id: string }>();
      for (const each of data) expect(wrong('ScheduleListItem', each)).toBeNull();
      return [object, data.map(({ id }) => id), has_more, last_id];
    };
    expect(await page('')).toEqual(['list', ids, false, ids[4]]);
    expect(await page('?limit=2')).toEqual(['list', ids.slice(0, 2), true, ids[1]]);
    expect(await page(`?limit=2&after=${ids[1]}`)).toEqual(['list', ids.slice(2, 4), true, ids[3]]);
    expect(await page(`?limit=2&after=${ids[3]}`)).toEqual(['list', ids.slice(4), false, ids[4]]);
    expect(await page('?name=odd')).toEqual(['list', [ids[1], ids[3]], false, ids[3]]);
    expect(await page('?name=even&limit=2')).toEqual(['list', [ids[0], ids[2]], true, ids[2]]);
    expect(await page('?name=none')).toEqual(['list', [], false, null]);
    for (const [query, code, param] of [[`?after=${UNKNOWN}`, 'invalid_cursor', 'after'], ['?limit=0', 'invalid_request', 'limit'], ['?limit=101', 'invalid_request', 'limit'], ['?names=x', 'invalid_request', 'names']]) {
      const answer = await call(api, 'GET', query);
      expect([answer.statusCode, answer.json()]).toMatchObject([400, { error: { code, param } }]);
    }
  });
});

describe('what is not there', () => {
  it('is 404 for every route, whatever the id looks like', async () => {
    const api = await startApi();
    for (const id of [UNKNOWN, 'nope', 'sch_..%2F..', 'job_01jzzzzzzzzzzzzzzzzzzzzzzz']) {
      const answers = await Promise.all([
        call(api, 'GET', `/${id}`), call(api, 'PUT', `/${id}`, NIGHTLY), call(api, 'DELETE', `/${id}`), call(api, 'POST', `/${id}/pause`), call(api, 'POST', `/${id}/resume`), call(api, 'POST', `/${id}/trigger`),
        call(api, 'POST', `/${id}/backfill`, { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' }), call(api, 'GET', `/${id}/preview`), call(api, 'GET', `/${id}/fires`),
      ]);
      for (const answer of answers) expect([answer.statusCode, answer.json()]).toMatchObject([404, { error: { code: 'not_found' } }]);
    }
    expect((await call(api, 'GET', '/preview')).statusCode).toBe(405);
    const patch = await api.app.inject({ method: 'PATCH', url: `/v1/schedules/${UNKNOWN}` });
    expect([patch.statusCode, patch.headers['allow']]).toEqual([405, 'DELETE, GET, HEAD, PUT']);
  });
});

describe('replacing and deleting', () => {
  it('keeps id and history, and pauses or resumes only where that is said', async () => {
    const api = await startApi();
    const { id, created_at } = await created(api);
    await call(api, 'POST', `/${id}/pause`, { note: 'holidays' });
    const replaced = (await call(api, 'PUT', `/${id}`, { ...NIGHTLY, name: 'weekly', cron: '0 4 * * 1' })).json<Schedule>();
    expect(wrong('Schedule', replaced)).toBeNull();
    expect(replaced).toMatchObject({ id, created_at, name: 'weekly', cron: '0 4 * * 1', status: 'paused', note: 'holidays' });
    const resumed = (await call(api, 'PUT', `/${id}`, { ...NIGHTLY, paused: false })).json<Schedule>();
    expect(resumed).toMatchObject({ name: 'nightly', status: 'active', note: null });
    expect((await call(api, 'PUT', `/${id}`, { ...NIGHTLY, paused: true })).json()).toMatchObject({ status: 'paused' });
  });

  it('deletes the schedule and its fires, and leaves what runs alone', async () => {
    const api = await startApi();
    const { id } = await created(api);
    await call(api, 'POST', `/${id}/trigger`);
    await tick(api, id);
    const [fire] = await firesOf(api, id);
    const answer = await call(api, 'DELETE', `/${id}`);
    expect([answer.statusCode, answer.json()]).toEqual([200, { id, object: 'schedule', deleted: true }]);
    expect(wrong('DeletedSchedule', answer.json())).toBeNull();
    expect((await call(api, 'DELETE', `/${id}`)).statusCode).toBe(404);
    // but for the mark by which the job is listed
    expect((await api.keys()).filter((key) => key.includes(id))).toEqual([`scheduled/${id}/${fire!.run!.id}`]);
    expect((await api.app.inject(`/v1/jobs/${fire!.run!.id}`)).json()).toMatchObject({ status: 'queued', schedule: { id } });
  });
});

describe('pausing and resuming', () => {
  it('says it with a note, is repeated without effect, and shows no next fires meanwhile', async () => {
    const api = await startApi();
    const { id } = await created(api);
    const paused = await call(api, 'POST', `/${id}/pause`, { note: 'holidays' });
    expect([paused.statusCode, paused.json()]).toMatchObject([200, { status: 'paused', note: 'holidays', next_fires: [] }]);
    expect((await call(api, 'POST', `/${id}/pause`)).json()).toMatchObject({ note: 'holidays' });
    const preview = (await call(api, 'GET', `/${id}/preview?count=2`)).json<{ fires: unknown[] }>();
    expect([wrong('Preview', preview), preview.fires.length]).toEqual([null, 2]);
    expect((await call(api, 'POST', `/${id}/resume`)).json()).toMatchObject({ status: 'active', note: null });
    expect((await call(api, 'POST', `/${id}/resume`)).statusCode).toBe(200);
    expect((await call(api, 'POST', `/${id}/pause`, { note: 7 })).json()).toMatchObject({ error: { code: 'invalid_request', param: 'note', details: [{ param: 'note', message: expect.stringMatching(/got 7$/) as string }] } });
    expect((await call(api, 'POST', `/${id}/pause`, { reason: 'x' })).json()).toMatchObject({ error: { param: 'reason' } });
  });
});

describe('triggering', () => {
  it('fires once, with a job of its own that says where it comes from, and its overlap policy holds', async () => {
    const api = await startApi();
    const { id } = await created(api, { paused: true });
    const asked = await call(api, 'POST', `/${id}/trigger`);
    expect([asked.statusCode, wrong('FireRequests', asked.json())]).toEqual([202, null]);
    const { fires } = asked.json<{ fires: { id: string; nominal_time: string }[] }>();
    await tick(api, id);
    const [fire] = await firesOf(api, id);
    expect(wrong('Fire', fire)).toBeNull();
    expect(fire).toMatchObject({ id: fires[0]!.id, cause: 'trigger', outcome: 'started', run: { kind: 'job' } });
    expect((await api.app.inject(`/v1/jobs/${fire!.run!.id}`)).json()).toMatchObject({ status: 'queued', name: 'digits', schedule: { id, nominal_time: fires[0]!.nominal_time }, sweep: null });
    await call(api, 'POST', `/${id}/trigger`);
    await tick(api, id);
    expect((await firesOf(api, id)).map(({ outcome, reason }) => [outcome, reason])).toEqual([['started', null], ['skipped', 'running']]);
    await call(api, 'POST', `/${id}/trigger`, { overlap_policy: 'allow_all' });
    await tick(api, id);
    expect((await call(api, 'GET', `/${id}`)).json()).toMatchObject({ counts: { started: 2, skipped: 1 }, last_fires: [{ outcome: 'started' }, { outcome: 'skipped' }, { outcome: 'started' }], running: [{ kind: 'job' }, { kind: 'job' }] });
    expect((await call(api, 'POST', `/${id}/trigger`, { overlap_policy: 'now' })).json()).toMatchObject({ error: { param: 'overlap_policy' } });
  });

  it('cancel_other pauses the earlier job for good reason, and terminate_other cancels it', async () => {
    const api = await startApi();
    const { id } = await created(api);
    const next = async (policy: string): Promise<string> => {
      await call(api, 'POST', `/${id}/trigger`, { overlap_policy: policy });
      await tick(api, id);
      await tick(api, id);
      return (await firesOf(api, id)).at(-1)!.run!.id;
    };
    const first = await next('skip');
    const second = await next('cancel_other');
    const third = await next('terminate_other');
    const status = async (job: string) => (await api.app.inject(`/v1/jobs/${job}`)).json<{ status: string }>().status;
    expect([await status(first), await status(second), await status(third)]).toEqual(['paused', 'cancelled', 'queued']);
    expect((await call(api, 'GET', `/${id}`)).json<Schedule>().last_fires.map(({ run_ended }) => run_ended)).toEqual([null, 'cancelled', 'paused']);
  });

  it('starts no more jobs than may be open, and those that wait once one of them is over', async () => {
    const api = await startApi();
    const { id } = await created(api, { paused: true, overlap_policy: 'allow_all', catchup_window: '1h' });
    let elapsedMs = 0;
    const room = makeJobRoom({ store: api.store, clock: { monotonicMs: () => elapsedMs }, openJobs: 2, log: silentLog });
    const open = async (): Promise<number> => (await api.keys()).filter((key) => key.startsWith('open/')).length;
    await api.submit();
    for (let n = 0; n < 2; n++) {
      await call(api, 'POST', `/${id}/trigger`, undefined, { 'idempotency-key': `${n}` });
      await tick(api, id, room);
    }
    const full = (await call(api, 'GET', `/${id}`)).json<Schedule>();
    expect([await open(), full.running.length, full.buffered.length, full.counts]).toEqual([2, 1, 1, { started: 1, skipped: 0, missed: 0, failed: 0 }]);
    await (await api.own(full.running[0]!.id)).end({ kind: 'failed', reason: 'invalid_data', error: { code: 'invalid_data', message: 'no labels', param: null }, retryable: false });
    elapsedMs += 5_000;
    await tick(api, id, room);
    expect([await open(), (await call(api, 'GET', `/${id}`)).json<Schedule>()]).toMatchObject([2, { buffered: [], counts: { started: 2, skipped: 0 } }]);
  });

  it('starts a sweep, once', async () => {
    const api = await startApi();
    const { job: _job, ...rest } = NIGHTLY;
    const { id } = (await call(api, 'POST', '', { ...rest, sweep: SWEEP })).json<Schedule>();
    await call(api, 'POST', `/${id}/trigger`);
    await tick(api, id);
    const [fire] = await firesOf(api, id);
    expect(fire).toMatchObject({ outcome: 'started', run: { kind: 'sweep' } });
    const record = JSON.parse((await api.store.get(`sweeps/${fire!.run!.id}/sweep.json`))!.body.toString()) as object;
    expect(record).toMatchObject({ id: fire!.run!.id, schedule: { id, nominal_time: fire!.nominal_time }, spec: { method: 'random' } });
    await call(api, 'POST', `/${id}/trigger`, { overlap_policy: 'terminate_other' });
    await tick(api, id);
    await tick(api, id);
    expect((await firesOf(api, id)).map(({ outcome }) => outcome)).toEqual(['started']);
    expect((await call(api, 'GET', `/${id}`)).json<Schedule>()).toMatchObject({ running: [{ id: fire!.run!.id }], buffered: [expect.any(String)] });
  });

  it('takes a sweep in as if it were sent by itself: what is not possible is refused, and its last rung is the end of the training', async () => {
    const api = await startApi();
    const { job: _job, ...rest } = NIGHTLY;
    const late = await call(api, 'POST', '', { ...rest, sweep: { ...SWEEP, metric: { name: 'loss' }, early_terminate: { type: 'asha', min_iter: 100_000 } } });
    expect([late.statusCode, late.json<{ error: { details: { param: string }[] } }>().error.details.map(({ param }) => param)]).toEqual([400, ['sweep.early_terminate.min_iter']]);
    const { id } = (await call(api, 'POST', '', { ...rest, sweep: { ...SWEEP, metric: { name: 'loss' }, early_terminate: { type: 'asha', min_iter: 1 } } })).json<Schedule>();
    await call(api, 'POST', `/${id}/trigger`);
    await tick(api, id);
    const [fire] = await firesOf(api, id);
    const { spec } = JSON.parse((await api.store.get(`sweeps/${fire!.run!.id}/sweep.json`))!.body.toString()) as { spec: { early_terminate: { max_iter: number | null } } };
    expect(spec.early_terminate.max_iter).toBeGreaterThan(1);
  });

  it('starts a sweep with the best of the sweep before it', async () => {
    const api = await startApi();
    const { job: _job, ...rest } = NIGHTLY;
    const sweep = { ...SWEEP, method: 'tpe', warm_start: { from: 'previous', import_trials: true } };
    const answer = await call(api, 'POST', '', { ...rest, sweep });
    expect(answer.statusCode, answer.body).toBe(201);
    const { id } = answer.json<Schedule>();
    const next = async (): Promise<Sweep> => {
      await call(api, 'POST', `/${id}/trigger`);
      await tick(api, id);
      return (await api.app.inject(`/v1/sweeps/${(await firesOf(api, id)).at(-1)!.run!.id}`)).json<Sweep>();
    };
    const first = await next();
    expect(first).toMatchObject({ warm_start: { from: null, best: null, imported: 0 }, warnings: [{ param: 'warm_start.from', message: 'the schedule has started no sweep before this one: nothing is taken over' }] });
    const log = await openLog({ store: api.store, clock: systemClock }, await requireSweep(api.store, first.id));
    for (const [trial, value] of [0.4, 0.2, 0.3].entries()) await log.append({ type: 'ended', trial, outcome: 'succeeded', value, message: null });
    await api.store.delete(`open-sweeps/${first.id}`);
    await tick(api, id);

    // another metric is no reason to start none
    const other = await call(api, 'PUT', `/${id}`, { ...rest, sweep: { ...sweep, metric: { name: 'loss' } } });
    expect(other.statusCode, other.body).toBe(200);
    const second = await next();
    expect(second).toMatchObject({ warm_start: { from: first.id, best: `${first.id}.1`, imported: 0 }, warnings: [{ param: 'warm_start.import_trials', message: `needs a sweep with the same metric, loss (minimize); ${first.id} has val_loss (minimize)` }] });
    const trial = (await api.app.inject(`/v1/sweeps/${second.id}/trials/0`)).json<Trial>();
    expect([trial.params, trial.why]).toEqual([log.state().trials[1]!.params, [{ event: 0, decision: 'start', sampler: 'warm_start', from: first.id, trial: 1 }]]);
  });

  it('records why it was refused, if the job cannot be taken in any more', async () => {
    const api = await startApi();
    const data = join(api.dataRoot, 'data.npz');
    await copyFile('test/fixtures/cnn/seed/data.npz', data);
    const { id } = await created(api, { job: { ...SPEC, data: { type: 'npz', path: 'data.npz' } } });
    await writeFile(data, 'no archive');
    await call(api, 'POST', `/${id}/trigger`);
    await tick(api, id);
    expect(await firesOf(api, id)).toMatchObject([{ outcome: 'failed', message: expect.stringMatching(/data/) as string, run: null }]);
  });
});

describe('backfilling', () => {
  it('asks for the nominal times of the past, once each, and refuses stretches that make no sense', async () => {
    const api = await startApi();
    const { id } = await created(api);
    const week = { from: '2025-03-01T00:00:00Z', to: '2025-03-03T23:00:00Z', overlap_policy: 'allow_all' };
    const asked = await call(api, 'POST', `/${id}/backfill`, week);
    expect([asked.statusCode, wrong('FireRequests', asked.json())]).toEqual([202, null]);
    expect(asked.json<{ fires: { nominal_time: string }[] }>().fires.map(({ nominal_time }) => nominal_time)).toEqual(['2025-03-01T01:30:00.000Z', '2025-03-02T01:30:00.000Z', '2025-03-03T01:30:00.000Z']);
    await tick(api, id);
    expect((await firesOf(api, id)).map(({ outcome, cause }) => `${cause} ${outcome}`)).toEqual(Array(3).fill('backfill started'));
    expect((await call(api, 'POST', `/${id}/backfill`, week)).json()).toMatchObject({ fires: [] });
    for (const [body, param, message] of [
      [undefined, 'from', /from and to/],
      [{ to: week.to }, 'from', /is required: an ISO 8601 time/],
      [{ ...week, from: 'yesterday' }, 'from', /must be an ISO 8601 time in UTC.*got "yesterday"/],
      [{ ...week, to: '2999-01-01T00:00:00Z' }, 'to', /future/],
      [{ from: week.to, to: week.from }, 'from', /after `to`/],
      [{ ...week, from: '2020-01-01T00:00:00Z' }, 'from', /more than 1000 nominal times/],
    ] as const) {
      const answer = await call(api, 'POST', `/${id}/backfill`, body);
      expect([answer.statusCode, answer.json()], param).toMatchObject([400, { error: { param, message: expect.stringMatching(message) as string } }]);
    }
  });
});

describe('an Idempotency-Key', () => {
  interface Requests {
    fires: { id: string; nominal_time: string }[];
  }
  const WEEK = { from: '2025-03-01T00:00:00Z', to: '2025-03-05T23:00:00Z', overlap_policy: 'skip' };
  const send = (api: TestApi, id: string, verb: 'trigger' | 'backfill', key: string, body?: object) => call(api, 'POST', `/${id}/${verb}`, body, { 'idempotency-key': key });
  /** As after a request that ended before its answer was written down. */
  async function forgetAnswers(api: TestApi): Promise<void> {
    for (const key of (await api.keys()).filter((each) => each.startsWith('keys/'))) {
      const { fires, ...rest } = JSON.parse((await api.store.get(key))!.body.toString()) as { fires?: unknown };
      expect(fires).toBeDefined();
      await api.store.put(key, Buffer.from(JSON.stringify(rest)));
    }
  }

  it('triggers once, however often and at once it is sent, and whatever became of the fire', async () => {
    const api = await startApi();
    const { id } = await created(api, { overlap_policy: 'allow_all' });
    const answers = await Promise.all([undefined, {}, undefined, {}].map((body) => send(api, id, 'trigger', 'k', body)));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(4).fill(202));
    const { fires } = answers[0]!.json<Requests>();
    for (const answer of answers) expect(answer.json<Requests>().fires).toEqual(fires);
    await tick(api, id);
    expect(await firesOf(api, id)).toMatchObject([{ id: fires[0]!.id, nominal_time: fires[0]!.nominal_time, cause: 'trigger', outcome: 'started' }]);
    // so many that HEAD has forgotten the first
    for (let n = 0; n < 11; n++) {
      await send(api, id, 'trigger', `other ${n}`);
      await tick(api, id);
    }
    const repeated = async (): Promise<void> => {
      const again = await send(api, id, 'trigger', 'k');
      expect([again.statusCode, again.json<Requests>().fires]).toEqual([202, fires]);
      await tick(api, id);
      expect((await call(api, 'GET', `/${id}`)).json<Schedule>()).toMatchObject({ counts: { started: 12 }, buffered: [] });
    };
    await repeated();
    expect((await send(api, id, 'trigger', 'k')).headers['idempotent-replayed']).toBe('true');
    await forgetAnswers(api);
    await api.app.inject({ method: 'POST', url: `/v1/jobs/${(await firesOf(api, id)).find((each) => each.id === fires[0]!.id)!.run!.id}/cancel` });
    await tick(api, id);
    expect((await call(api, 'GET', `/${id}`)).json<Schedule>().running).toHaveLength(11);
    await repeated();
  });

  it('backfills once, also what started nothing', async () => {
    const api = await startApi();
    const { id } = await created(api);
    const first = await send(api, id, 'backfill', 'k', WEEK);
    const { fires } = first.json<Requests>();
    expect([first.statusCode, first.headers['idempotent-replayed'], fires.length]).toEqual([202, undefined, 5]);
    await tick(api, id);
    expect((await firesOf(api, id)).map(({ outcome }) => outcome)).toEqual(['started', 'skipped', 'skipped', 'skipped', 'skipped']);
    const again = await send(api, id, 'backfill', 'k', WEEK);
    expect([again.headers['idempotent-replayed'], again.json<Requests>().fires]).toEqual(['true', fires]);
    await forgetAnswers(api);
    expect((await send(api, id, 'backfill', 'k', WEEK)).json<Requests>().fires).toEqual(fires);
    await tick(api, id);
    expect(await firesOf(api, id)).toHaveLength(5);
    // under another one, and without one, it is another request
    expect((await send(api, id, 'backfill', 'other', WEEK)).json<Requests>().fires).toHaveLength(4);
  });

  it('answers nothing with nothing, even if there would be something by now', async () => {
    const api = await startApi();
    const { id } = await created(api);
    await call(api, 'POST', `/${id}/backfill`, WEEK);
    expect((await send(api, id, 'backfill', 'k', WEEK)).json<Requests>().fires).toEqual([]);
    await tick(api, id);
    expect((await send(api, id, 'backfill', 'k', WEEK)).json<Requests>().fires).toEqual([]);
  });

  it('is of one verb on one schedule, refuses another body, and is not used up by what is refused', async () => {
    const api = await startApi();
    const [{ id }, { id: other }] = [await created(api), await created(api)];
    const fire = (await send(api, id, 'trigger', 'k')).json<Requests>().fires[0]!.id;
    const reused = await send(api, id, 'trigger', 'k', { overlap_policy: 'allow_all' });
    expect([reused.statusCode, reused.json()]).toMatchObject([409, { error: { code: 'idempotency_key_reused', param: 'Idempotency-Key' } }]);
    for (const [schedule, key] of [[id, 'K'], [other, 'k']] as const) expect((await send(api, schedule, 'trigger', key)).json<Requests>().fires[0]!.id).not.toBe(fire);
    const before = await api.keys();
    expect((await send(api, id, 'backfill', 'k', { ...WEEK, to: '2999-01-01T00:00:00Z' })).json()).toMatchObject({ error: { param: 'to' } });
    expect((await send(api, UNKNOWN, 'trigger', 'k')).statusCode).toBe(404);
    for (const key of ['', 'x'.repeat(256), 'ü']) expect((await send(api, id, 'trigger', key)).json()).toMatchObject({ error: { code: 'invalid_request', param: 'Idempotency-Key' } });
    expect(await api.keys()).toEqual(before);
    expect((await send(api, id, 'backfill', 'k', WEEK)).json<Requests>().fires).toHaveLength(5);
  });
});

describe('a preview', () => {
  it('shows what changes of the clocks do, by the rules that are chosen', async () => {
    const api = await startApi();
    const times = async (body: object): Promise<string[]> => {
      const answer = await call(api, 'POST', '/preview', { timezone: 'Europe/Berlin', ...body });
      expect([answer.statusCode, wrong('Preview', answer.json())], answer.body).toEqual([200, null]);
      return answer.json<{ fires: { utc: string; local: string }[] }>().fires.map(({ utc, local }) => `${utc} ${local}`);
    };
    const spring = { cron: '30 2 * * *', from: '2027-03-27T12:00:00Z', count: 2 };
    expect(await times(spring)).toEqual(['2027-03-28T01:00:00Z 2027-03-28T03:00:00+02:00', '2027-03-29T00:30:00Z 2027-03-29T02:30:00+02:00']);
    expect(await times({ ...spring, dst: { gap: 'skip' } })).toEqual(['2027-03-29T00:30:00Z 2027-03-29T02:30:00+02:00', '2027-03-30T00:30:00Z 2027-03-30T02:30:00+02:00']);
    const autumn = { cron: '30 2 * * *', from: '2027-10-30T12:00:00Z', count: 2 };
    expect(await times(autumn)).toEqual(['2027-10-31T00:30:00Z 2027-10-31T02:30:00+02:00', '2027-11-01T01:30:00Z 2027-11-01T02:30:00+01:00']);
    expect(await times({ ...autumn, dst: { overlap: 'both' } })).toEqual(['2027-10-31T00:30:00Z 2027-10-31T02:30:00+02:00', '2027-10-31T01:30:00Z 2027-10-31T02:30:00+01:00']);
    expect(await api.keys()).toEqual([]);
  });

  it('warns of what may not be meant, and refuses what cannot be', async () => {
    const api = await startApi();
    expect((await call(api, 'POST', '/preview', { cron: '0 0 13 * 5', count: 1 })).json()).toMatchObject({ warnings: [expect.stringMatching(/either/) as string] });
    for (const [body, param] of [[undefined, ''], [{}, 'cron'], [{ cron: '* * * * *', count: 0 }, 'count'], [{ cron: '* * * * *', count: 1_001 }, 'count'], [{ cron: '* * * * *', from: 'now' }, 'from'], [{ cron: '* * * * *', timezone: 'X' }, 'timezone']] as const) {
      const answer = await call(api, 'POST', '/preview', body);
      expect([answer.statusCode, answer.json<{ error: { details: { param: string }[] } }>().error.details.map((each) => each.param)]).toEqual([400, [param]]);
    }
    const { id } = await created(api);
    for (const count of ['0', '1001', 'ten', '1.5']) expect((await call(api, 'GET', `/${id}/preview?count=${count}`)).json()).toMatchObject({ error: { code: 'invalid_request', param: 'count' } });
    expect((await call(api, 'GET', `/${id}/preview`)).json<{ fires: unknown[] }>().fires).toHaveLength(10);
  });
});

describe('fires', () => {
  it('are in pages, oldest first', async () => {
    const api = await startApi();
    const { id } = await created(api);
    await call(api, 'POST', `/${id}/backfill`, { from: '2025-03-01T00:00:00Z', to: '2025-03-05T23:00:00Z', overlap_policy: 'skip' });
    await tick(api, id);
    const all = await firesOf(api, id);
    expect(all.map(({ outcome }) => outcome)).toEqual(['started', 'skipped', 'skipped', 'skipped', 'skipped']);
    const page = async (query: string) => (await call(api, 'GET', `/${id}/fires${query}`)).json<{ data: Fire[]; has_more: boolean; last_id: string | null }>();
    expect(await page('?limit=2')).toEqual({ object: 'list', data: all.slice(0, 2), has_more: true, last_id: all[1]!.id });
    expect(await page(`?limit=3&after=${all[1]!.id}`)).toEqual({ object: 'list', data: all.slice(2), has_more: false, last_id: all[4]!.id });
    for (const after of ['nope', 'fire_01jzzzzzzzzzzzzzzzzzzzzzzz']) expect(await page(`?after=${after}`)).toMatchObject({ error: { code: 'invalid_cursor', param: 'after' } });
  });
});

it('the examples of the document are what it says they are', () => {
  for (const { id, answer, example } of SCHEDULE_OPERATIONS) {
    if (typeof answer === 'string') expect([id, wrong(answer, example)]).toEqual([id, null]);
    else for (const item of (example as { data: unknown[] }).data) expect([id, wrong(answer.list, item)]).toEqual([id, null]);
  }
});

it('the client says all of it', async () => {
  const api = await startApi();
  const { schedules } = makeClient({ url: await api.listen(), retryBudgetMs: 0 });
  const { id } = await schedules.create(NIGHTLY, { idempotencyKey: ulid() });
  expect((await schedules.list({ name: 'nightly', limit: 1 })).data.map((each) => each.id)).toEqual([id]);
  expect((await schedules.get(id)).status).toBe('active');
  expect((await schedules.replace(id, { ...NIGHTLY, name: 'other' })).name).toBe('other');
  expect((await schedules.pause(id, 'why')).note).toBe('why');
  expect((await schedules.resume(id)).status).toBe('active');
  expect((await schedules.trigger(id, 'allow_all')).fires).toHaveLength(1);
  expect((await schedules.backfill(id, { from: '2025-03-01T00:00:00Z', to: '2025-03-01T23:00:00Z' })).fires).toHaveLength(1);
  expect((await schedules.preview(id, 3)).fires).toHaveLength(3);
  expect((await schedules.previewRule({ cron: '* * * * *', count: 2 })).fires).toHaveLength(2);
  expect((await schedules.fires(id, { limit: 5 })).data).toEqual([]);
  expect(await schedules.remove(id)).toEqual({ id, object: 'schedule', deleted: true });
  await expect(schedules.get(id)).rejects.toMatchObject({ status: 404, code: 'not_found' });
});

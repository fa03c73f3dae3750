// Trials of external sweeps over HTTP: asking, telling, what is refused, and that nothing of a refusal is in the log. What is decided is
// in test/unit/sweeps/external.test.ts; many clients at once in test/integration/system/external.test.ts.
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { packageRoot } from '../../../api/cli/package-root.js';
import { makeClient } from '../../../api/client.js';
import { openApiDocument } from '../../../api/openapi.js';
import { systemClock } from '../../../lib/clock.js';
import type { Asked } from '../../../lib/contract/external.js';
import { AppError } from '../../../lib/errors.js';
import { type Decider, makeDecider } from '../../../lib/sweeps/decider.js';
import type { LogEntry } from '../../../lib/sweeps/events.js';
import { decide } from '../../../lib/sweeps/decide.js';
import { driveSweep } from '../../../lib/sweeps/drive.js';
import { loadSweep, openLog, readLog } from '../../../lib/sweeps/log.js';
import { logKey } from '../../../lib/sweeps/names.js';
import { SPEC as JOB, startApi, type TestApi } from '../../support/api.js';
import { ENDLESS_TPE, fillSweep } from '../../support/filled-sweep.js';
import { ROOM_FOR_ALL } from '../../support/room.js';
import { longestWait } from '../../support/watched-loop.js';

const fileOf = (compiled: string): string => join(packageRoot(), 'dist', compiled);

const SWEEP = { name: 'mine', method: 'random', metric: { name: 'loss' }, parameters: { lr: { min: 0.001, max: 0.1 }, act: { values: ['relu', 'tanh'] } }, run_cap: 4 };
const asha = { type: 'asha', min_iter: 1, max_iter: 9, eta: 3 };

async function start(api: TestApi, change: object = {}): Promise<string> {
  const answer = await api.app.inject({ method: 'POST', url: '/v1/sweeps', payload: { ...SWEEP, ...change } });
  if (answer.statusCode !== 201) throw new Error(answer.body);
  return answer.json<{ id: string }>().id;
}
const send = (api: TestApi, id: string, what: string, payload?: unknown) => api.app.inject({ method: 'POST', url: `/v1/sweeps/${id}/trials/${what}`, ...(payload === undefined ? {} : { payload: JSON.stringify(payload), headers: { 'content-type': 'application/json' } }) });
const ask = async (api: TestApi, id: string, wanted?: object) => (await send(api, id, 'ask', wanted)).json<Asked>();
const tell = async (api: TestApi, id: string, trial: number, told: object) => (await send(api, id, 'tell', { id: `${id}.${trial}`, ...told })).json<Record<string, unknown>>();
const entries = (api: TestApi, id: string): Promise<LogEntry[]> => readLog(api.store, id);
const say = (api: TestApi, id: string, verb: string) => api.app.inject({ method: 'POST', url: `/v1/sweeps/${id}/${verb}` });

describe('a sweep without a job', () => {
  it('is taken in, with its first trials in a dry run, and begins none of them', async () => {
    const api = await startApi();
    const dry = (await api.app.inject({ method: 'POST', url: '/v1/sweeps?dry_run=true', payload: SWEEP })).json();
    expect(dry).toMatchObject({ object: 'dry_run', spec: { execution: 'external', job: null }, trials: [{ number: 0 }, { number: 1 }, { number: 2 }, { number: 3 }] });
    const id = await start(api);
    expect((await api.app.inject(`/v1/sweeps/${id}`)).json()).toMatchObject({ status: 'running', counts: { running: 0 }, spec: { execution: 'external' } });
    expect((await ask(api, id)).trials[0]!.params).toEqual(dry.trials[0].params);
  });

  it('has no budget of what nobody measures', async () => {
    const api = await startApi();
    const answer = await api.app.inject({ method: 'POST', url: '/v1/sweeps', payload: { ...SWEEP, budget: { compute_seconds: 5 } } });
    expect([answer.statusCode, answer.json().error.details]).toEqual([400, [{ param: 'budget.compute_seconds', message: expect.stringMatching(/^is not possible for external execution.*, got 5$/) as string }]]);
    const rung = await api.app.inject({ method: 'POST', url: '/v1/sweeps', payload: { ...SWEEP, early_terminate: { type: 'asha', min_iter: 1 } } });
    expect(rung.json().error.details).toEqual([{ param: 'early_terminate.max_iter', message: 'is required for external execution' }]);
    expect(await api.keys()).toEqual([]);
  });
});

describe('asking and telling', () => {
  it('are paths of their own, and no trials', async () => {
    const api = await startApi();
    const id = await start(api, {});
    for (const [method, url] of [['OPTIONS', `${id}/trials/ask`], ['GET', `${id}/trials/tell`]] as const) {
      const { statusCode, headers } = await api.app.inject({ method, url: `/v1/sweeps/${url}` });
      expect([statusCode, headers['allow']]).toEqual([405, 'POST']);
    }
    const put = await api.app.inject({ method: 'PUT', url: '/v1/schedules/preview', payload: {} });
    expect([put.statusCode, put.headers['allow']]).toEqual([405, 'POST']);
    expect((await api.app.inject({ method: 'GET', url: `/v1/sweeps/${id}/trials/0` })).statusCode).toBe(404);
  });

  it('go from the first trial to the end, as the schemas say, and every view shows it', async () => {
    const api = await startApi();
    const id = await start(api, { early_terminate: { ...asha, variant: 'stopping' }, run_cap: 2 });
    const asked = await ask(api, id, { client: 'gpu-1', count: 2 });
    expect(asked).toMatchObject({ object: 'ask', reason: null, ask_again: true, status: 'running', trials: [{ id: `${id}.0`, object: 'trial', status: 'running', client: 'gpu-1', step: null, up_to: 1, job_id: null }, { number: 1 }] });
    expect(await tell(api, id, 0, { values: [{ step: 1, value: 0.5 }] })).toMatchObject({ id: `${id}.0`, object: 'trial', status: 'running', goes_on: true, step: 1, up_to: 3, value: 0.5 });
    expect(await tell(api, id, 1, { values: [{ step: 1, value: 0.75 }] })).toMatchObject({ status: 'pruned', goes_on: false });
    expect(await ask(api, id, { client: 'gpu-1' })).toMatchObject({ trials: [{ number: 0, step: 1, up_to: 3 }] });
    expect(await ask(api, id, { client: 'gpu-2' })).toMatchObject({ trials: [], reason: 'exhausted', ask_again: false });
    expect(await tell(api, id, 0, { value: 0.25 })).toMatchObject({ status: 'succeeded', value: 0.25, goes_on: false });
    expect(await ask(api, id, { client: 'gpu-1' })).toEqual({ object: 'ask', trials: [], reason: 'over', ask_again: false, status: 'succeeded' });

    const sweep = (await api.app.inject(`/v1/sweeps/${id}`)).json();
    expect(sweep).toMatchObject({ status: 'succeeded', best: { trial_id: `${id}.0`, value: 0.25 }, counts: { succeeded: 1, pruned: 1 }, budget: { spent: { compute_seconds: 0 } }, rungs: [{ resource: 1, trials: 2 }] });
    const csv = (await api.app.inject(`/v1/sweeps/${id}/export?format=csv`)).body.split('\r\n');
    expect(csv[0]).toBe('number,id,status,value,lr,act,job_id,started_at,ended_at');
    expect(csv[1]).toMatch(new RegExp(`^0,${id}\\.0,succeeded,0\\.25,0\\.\\d+,(relu|tanh),,20`));
    expect((await api.app.inject(`/v1/sweeps/${id}/export`)).json()).toMatchObject({ trials: [{ client: 'gpu-1' }, { client: 'gpu-1' }] });
    expect((await api.app.inject('/v1/sweeps?status=succeeded')).json().data).toMatchObject([{ id, counts: { succeeded: 1 } }]);
    expect((await api.app.inject(`/v1/jobs?sweep=${id}`)).json()).toMatchObject({ data: [] });
    expect((await api.app.inject(`/v1/sweeps/${id}/importance`)).json()).toMatchObject({ trials: 1 });
  });

  it('are answered as the document says', async () => {
    const { Ajv2020 } = await import('ajv/dist/2020.js');
    const ajv = new Ajv2020({ strict: false, discriminator: true, formats: { 'date-time': true } });
    ajv.addSchema(openApiDocument('test'), 'api');
    const isA = (name: string, value: unknown) => [name, ajv.validate({ $ref: `api#/components/schemas/${name}` }, value), ajv.errors];
    const api = await startApi();
    const id = await start(api);
    for (const body of [{}, { client: 'a' }, { client: 'a', count: 100 }]) expect(isA('AskInput', body)).toEqual(['AskInput', true, null]);
    const asked = await ask(api, id, { count: 2 });
    expect(isA('Asked', asked)).toEqual(['Asked', true, null]);
    expect(isA('Asked', await ask(api, id, { count: 100 }))).toEqual(['Asked', true, null]);
    expect(isA('ToldTrial', await tell(api, id, 0, { values: [{ step: 1, value: null }] }))).toEqual(['ToldTrial', true, null]);
    expect(isA('ToldTrial', await tell(api, id, 1, { value: null }))).toEqual(['ToldTrial', true, null]);
  });

  it('give a client that was not answered its trials again, and are in the log when they are answered', async () => {
    const api = await startApi();
    const id = await start(api);
    const first = await ask(api, id, { client: 'a', count: 2 });
    // as if that answer had been lost, and by another process
    const other = await openLog({ store: api.store, clock: systemClock }, (await loadSweep(api.store, id))!);
    expect(other.state().trials.map(({ number, client }) => [number, client])).toEqual([[0, 'a'], [1, 'a']]);
    expect(await ask(api, id, { client: 'a', count: 2 })).toEqual(first);
    expect(await entries(api, id)).toHaveLength(2);
    const told = await Promise.all(Array.from({ length: 8 }, () => tell(api, id, 0, { value: 0.5 })));
    expect(new Set(told.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(await entries(api, id)).toHaveLength(3);
  });

  it('follow what is said to the sweep', async () => {
    const api = await startApi();
    const id = await start(api, { run_cap: 9 });
    await ask(api, id, { client: 'a' });
    expect((await say(api, id, 'pause')).json().status).toBe('pausing');
    expect(await ask(api, id, { client: 'b' })).toEqual({ object: 'ask', trials: [], reason: 'paused', ask_again: true, status: 'pausing' });
    expect(await ask(api, id, { client: 'a' })).toMatchObject({ trials: [{ number: 0 }], reason: null });
    expect(await tell(api, id, 0, { values: [{ step: 1, value: 1 }] })).toMatchObject({ status: 'running', goes_on: true });
    expect((await say(api, id, 'suspend')).json()).toMatchObject({ status: 'suspended', counts: { waiting: 1 } });
    expect(await ask(api, id, { client: 'a' })).toMatchObject({ trials: [], reason: 'paused', ask_again: true });
    expect(await tell(api, id, 0, { values: [{ step: 2, value: 1 }] })).toMatchObject({ status: 'waiting', goes_on: false, step: 2 });
    await say(api, id, 'resume');
    expect(await ask(api, id, { client: 'a' })).toMatchObject({ trials: [{ number: 0, step: 2, status: 'running' }] });
    expect((await say(api, id, 'stop')).json().status).toBe('stopping');
    expect(await ask(api, id, { client: 'b' })).toMatchObject({ trials: [], reason: 'stopping', ask_again: false });
    expect(await tell(api, id, 0, { state: 'failed' })).toMatchObject({ status: 'failed' });
    expect((await api.app.inject(`/v1/sweeps/${id}`)).json()).toMatchObject({ status: 'stopped', budget: { spent: { failed: 1 } } });
    const cancelled = await start(api);
    await ask(api, cancelled);
    expect((await say(api, cancelled, 'cancel')).json()).toMatchObject({ status: 'cancelled', counts: { cancelled: 1 } });
    expect(await tell(api, cancelled, 0, { values: [{ step: 1, value: 1 }] })).toMatchObject({ status: 'cancelled', goes_on: false });
  });
});

describe('what is refused', () => {
  it('names the field, and changes nothing', async () => {
    const api = await startApi();
    const id = await start(api);
    await ask(api, id, { count: 2 });
    await tell(api, id, 1, { value: 0.5 });
    const before = await entries(api, id);
    const problems = async (what: string, payload: unknown) => {
      const { statusCode, body } = await send(api, id, what, payload);
      const { error } = JSON.parse(body) as { error: { code: string; details: { param: string; message: string }[]; param: string | null; message: string } };
      return [statusCode, error.code, ...(error.details.length > 0 ? error.details.map(({ param, message }) => `${param}: ${message}`) : [`${error.param}: ${error.message}`])];
    };
    const bad = (...messages: RegExp[]) => [400, 'invalid_request', ...messages.map((message) => expect.stringMatching(message) as string)];
    expect(await problems('ask', { count: 0 })).toEqual(bad(/^count: must be .*, got 0$/));
    expect(await problems('ask', { count: 101, client: '' })).toEqual(bad(/^count: must be .*100.*, got 101$/, /^client: must be .*got ""$/));
    expect(await problems('ask', { count: '2' })).toEqual(bad(/^count: must be an integer.*got "2"$/));
    expect(await problems('ask', { client: 'a\nb' })).toEqual(bad(/^client: must be 1 to 128 characters, none of them a control character, got/));
    expect(await problems('ask', { worker: 'a' })).toEqual(bad(/^worker: is not a known key/));
    expect(await problems('ask', null)).toEqual(bad(/must be an object, got null/));
    const first = { id: `${id}.0` };
    expect(await problems('tell', undefined)).toEqual(bad(/must be an object/));
    expect(await problems('tell', null)).toEqual(bad(/must be an object/));
    expect(await problems('tell', { value: 1 })).toEqual(bad(/^id: is required/));
    expect(await problems('tell', first)).toEqual(bad(/^value: is required \(a number, or null for NaN\), or values by step, or state$/));
    expect(await problems('tell', { ...first, value: 'NaN' })).toEqual(bad(/^value: must be a number, or null for NaN, got "NaN"$/));
    expect(await problems('tell', { ...first, value: 1, state: 'failed' })).toEqual(bad(/^value: is of a trial that succeeded, got 1 with "state": "failed"/));
    expect(await problems('tell', { ...first, state: 'running' })).toEqual(bad(/^values: are required with "state": "running"/));
    expect(await problems('tell', { ...first, state: 'done' })).toEqual(bad(/^state: must be one of running, succeeded, failed, pruned, got "done"$/));
    expect(await problems('tell', { ...first, state: 'succeeded' })).toEqual(bad(/^value: value: is required: the loss of a trial that succeeded, or null for NaN$/));
    expect(await problems('tell', { ...first, values: [] })).toEqual(bad(/^values: must be an array of 1 to 1000 items, got \[\]$/));
    expect(await problems('tell', { ...first, values: [{ step: 1.5, value: 1 }, { value: 2 }, { step: -1, value: '3' }] })).toEqual(bad(/^values\.0\.step: must be an integer/, /^values\.1\.step: is required/, /^values\.2\.step: must be/, /^values\.2\.value: must be a number, or null/));
    expect(await problems('tell', { ...first, values: [{ step: 2, value: 1 }, { step: 2, value: 1 }] })).toEqual(bad(/^values\.1\.step: must be greater than the one before it, 2, got 2$/));
    expect((await api.app.inject({ method: 'POST', url: `/v1/sweeps/${id}/trials/tell`, payload: `{"id": "${id}.0", "value": NaN}`, headers: { 'content-type': 'application/json' } })).json().error.message).toMatch(/^the body is not JSON/);
    for (const other of [`${id}.2`, `${id}.01`, id, `swp_${'0'.repeat(26)}.0`, '../jobs']) expect([other, ...(await problems('tell', { id: other, value: 1 }))]).toEqual([other, 404, 'not_found', expect.stringMatching(/^id: swp_\w+ has no trial "/) as string]);
    expect(await problems('tell', { id: `${id}.1`, value: 0.25 })).toEqual([409, 'invalid_state', expect.stringMatching(/^state: cannot tell that a trial succeeded with value 0\.25 which is over: it is succeeded with value 0\.5$/) as string]);
    expect(await entries(api, id)).toEqual(before);
    for (const what of ['ask', 'tell']) {
      for (const unknown of ['nope', `swp_${'0'.repeat(26)}`]) expect([what, (await send(api, unknown, what, { ...(what === 'tell' ? { ...first, value: 1 } : {}) })).statusCode]).toEqual([what, 404]);
      expect((await api.app.inject({ method: 'POST', url: `/v1/sweeps/${id}/trials/${what}?now=1`, payload: { ...first, value: 1 } })).statusCode).toBe(400);
    }
  });

  it('of a sweep whose trials are jobs: both', async () => {
    const api = await startApi();
    const answer = await api.app.inject({ method: 'POST', url: '/v1/sweeps', payload: { method: 'random', parameters: { 'training.optimizer.lr': { min: 0.001, max: 0.1 } }, run_cap: 2, job: { ...JOB, training: { ...JOB.training, optimizer: { type: 'adam' } } } } });
    const { id } = answer.json<{ id: string }>();
    const before = await entries(api, id);
    expect((await send(api, id, 'ask', {})).json().error).toMatchObject({ code: 'invalid_state', message: 'cannot ask for trials of a sweep whose trials are jobs (execution: jobs)' });
    expect((await send(api, id, 'tell', { id: `${id}.0`, value: 1 })).json().error).toMatchObject({ code: 'invalid_state' });
    expect(await entries(api, id)).toEqual(before);
  });
});

it('while the store is away one failure is told to all who wait, and afterwards nothing is missing', async () => {
  let away = false;
  let tries = 0;
  const fail = async (): Promise<never> => {
    tries++;
    await systemClock.sleep(300);
    throw new AppError('store_unavailable', 'the store is away');
  };
  const api = await startApi({ wrapStore: (store) => ({ ...store, putIfAbsent: (key, ...rest) => (away && key.includes('/log/') ? fail() : store.putIfAbsent(key, ...rest)) }) });
  const id = await start(api);
  away = true;
  const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => send(api, id, 'ask', { client: `${n}` })));
  expect([answers.map(({ statusCode }) => statusCode), tries, await entries(api, id)]).toMatchObject([Array(8).fill(503), 1, { length: 1 }]);
  away = false;
  expect((await ask(api, id, { client: '3' })).trials).toMatchObject([{ number: 0, client: '3' }]);
});

it('a controller sees to the time of an external sweep, and to its end, and begins nothing', async () => {
  const api = await startApi();
  const id = await start(api, { budget: { wall_clock: 60 } });
  await ask(api, id, { client: 'a' });
  const log = await openLog({ store: api.store, clock: systemClock }, (await loadSweep(api.store, id))!);
  let minutes = 0;
  const deps = {
    store: api.store, clock: { now: () => new Date(Date.now() + minutes * 60_000), sleep: () => Promise.resolve() }, tickets: { issue: () => Promise.reject(new Error('no tickets')), withdraw: () => Promise.resolve() },
    log: { warn: () => undefined }, room: ROOM_FOR_ALL, nudge: () => undefined, isSound: () => Promise.resolve(true), admit: () => Promise.reject(new Error('no jobs')),
  };
  expect(await driveSweep(deps, log, new Map())).toBe(false);
  expect([await entries(api, id), await api.keys()]).toMatchObject([{ length: 2 }, expect.arrayContaining([`open-sweeps/${id}`])]);
  minutes = 2;
  expect(await driveSweep(deps, log, new Map())).toBe(true);
  expect(await api.keys()).not.toContain(`open-sweeps/${id}`);
  expect(await ask(api, id, { client: 'a' })).toMatchObject({ trials: [], reason: 'over', status: 'succeeded' });
  expect((await api.app.inject(`/v1/sweeps/${id}`)).json().why).toEqual({ budget: 'wall_clock' });
});

describe('a sweep of many trials', () => {
  async function filled(api: TestApi, trials: number): Promise<string> {
    const id = await start(api, { ...ENDLESS_TPE, run_cap: null });
    await fillSweep(api.store, id, trials);
    return id;
  }
  function deciderOf(): Decider {
    const decider = makeDecider(fileOf('api/sweep-thread.js'));
    onTestFinished(() => decider.close());
    return decider;
  }

  it('is decided on in a thread, with the same decisions, and the event loop goes on meanwhile', async () => {
    const decider = deciderOf();
    let apart = 0;
    const counted: Decider = {
      ...decider,
      follow: (spec) => {
        const log = decider.follow(spec);
        return { ...log, decide: async (...of) => { const before = performance.now(); const made = await log.decide(...of); if (of[2].type === 'asked' && performance.now() > before) apart++; return made; } };
      },
    };
    const api = await startApi({ decider: counted });
    const id = await filled(api, 1_000);
    await ask(api, id, { client: 'first' });
    for (let n = 0; n < 20; n++) {
      const { trials } = await ask(api, id, { client: `${n}` });
      await tell(api, id, trials[0]!.number, { value: n });
    }
    const many = ask(api, id, { client: 'many', count: 100 });
    const longestMs = await longestWait(api, many);
    expect((await many).trials).toHaveLength(100);
    expect(apart).toBe(22);
    const log = await readLog(api.store, id);
    const drawn = log.flatMap(({ decisions }) => decisions).filter((decision) => decision.type === 'start' && decision.why['kind'] === 'tpe');
    expect(drawn).toHaveLength(121);
    // The same, computed here.
    const record = (await loadSweep(api.store, id))!;
    const { rules, state } = await openLog({ store: { ...api.store, get: async (key, options) => (key >= logKey(id, log.length - 1) && key.startsWith(`sweeps/${id}/log/`) ? null : api.store.get(key, options)), list: async function* () { /* no states */ } }, clock: systemClock }, record);
    const before = performance.now();
    const here = decide(rules, state(), log.at(-1)!.event);
    const tookMs = performance.now() - before;
    expect(JSON.stringify(here)).toBe(JSON.stringify(log.at(-1)!.decisions));
    expect(longestMs).toBeLessThan(tookMs / 2);
  });

  it('goes on where the thread has ended', async () => {
    const decider = deciderOf();
    const api = await startApi({ decider });
    const id = await filled(api, 300);
    expect((await ask(api, id, { client: 'a' })).trials).toHaveLength(1);
    await decider.close();
    expect((await ask(api, id, { client: 'b' })).trials).toHaveLength(1);
    expect((await ask(api, id, { client: 'b', count: 2 })).trials).toHaveLength(2);
  });
});

describe('pawl sweep', () => {
  const MAIN = fileOf('api/cli/main.js');
  const pawl = (url: string, ...args: string[]) =>
    new Promise<{ code: unknown; out: string; err: string }>((resolve) => {
      execFile(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'] ?? '', PAWL_URL: url } }, (error, out, err) => resolve({ code: error === null ? 0 : error.code, out, err }));
    });

  it('asks and tells', async () => {
    const api = await startApi();
    const url = await api.listen();
    const id = await start(api, { early_terminate: asha });
    const asked = await pawl(url, 'sweep', 'ask', id, '--client', 'a', '--count', '3', '--json');
    expect([asked.code, asked.err, (JSON.parse(asked.out) as Asked).trials.map(({ number }) => number)]).toEqual([0, '', [0, 1, 2]]);
    expect((await pawl(url, 'sweep', 'ask', id, '--client', 'a')).out).toMatch(/^TRIAL {2}AT {2}UP TO {2}PARAMETERS\n0 {6}– {3}1 {6}lr=\S+ act=\w+\n$/);
    expect(await pawl(url, 'sweep', 'tell', id, '0', '--value', '0.5', '--step', '1')).toEqual({ code: 0, out: `${id}.0 paused\n`, err: '' });
    expect(await pawl(url, 'sweep', 'tell', id, `${id}.1`, '--value', 'nan', '--step', '1')).toEqual({ code: 0, out: `${id}.1 pruned\n`, err: '' });
    expect(JSON.parse((await pawl(url, 'sweep', 'tell', id, '2', '--value', '2', '--json')).out)).toMatchObject({ status: 'succeeded', goes_on: false });
    expect(await pawl(url, 'sweep', 'tell', id, '2', '--state', 'failed')).toMatchObject({ code: 2, err: expect.stringMatching(/^error: cannot tell that a trial failed which is over/) as string });
    await pawl(url, 'sweep', 'pause', id);
    expect(await pawl(url, 'sweep', 'ask', id)).toEqual({ code: 0, out: '', err: '0 trials, no more: paused; asking later may give one\n' });
    expect((await pawl(url, 'sweep', 'show', id)).out).toMatch(/^spent {6}\S+ since it began$/m);
    const wrong: [string[], RegExp][] = [
      [['ask', id, '--count', 'many'], /--count: takes a whole number, got "many"/],
      [['tell', id, '0', '--value', 'good'], /--value: takes a number or nan, got "good"/],
      [['tell', id, '0', '--step', '3'], /--step: needs a --value/],
      [['tell', id, '0', '--state', 'done'], /--state: takes one of running, succeeded, failed, pruned, got "done"/],
      [['tell', id, '9', '--value', '1'], /has no trial/],
      [['tell', id], /missing required argument/],
    ];
    for (const [args, message] of wrong) expect(await pawl(url, 'sweep', ...args)).toMatchObject({ code: 2, err: expect.stringMatching(message) as string });
  });
});

it('the client asks again only where that gives the same', async () => {
  const api = await startApi();
  const url = await api.listen();
  const id = await start(api);
  const { sweeps } = makeClient({ url });
  expect(await sweeps.ask(id)).toMatchObject({ trials: [{ number: 0, client: null }] });
  expect(await sweeps.ask(id, { client: 'a' })).toMatchObject({ trials: [{ number: 1, client: 'a' }] });
  expect(await sweeps.tell(id, { id: `${id}.0`, value: 1 })).toMatchObject({ status: 'succeeded', goes_on: false });
  await expect(sweeps.tell(id, { id: `${id}.0`, value: 2 })).rejects.toMatchObject({ status: 409, code: 'invalid_state', param: 'state' });

  // hears everything, and answers nothing
  let heard = 0;
  const mute = createServer((request) => {
    heard++;
    request.socket.destroy();
  });
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void mute.close());
  const lost = makeClient({ url: `http://127.0.0.1:${(mute.address() as AddressInfo).port}`, retryBudgetMs: 500 }).sweeps;
  const heardOf = async (call: Promise<unknown>): Promise<number> => {
    heard = 0;
    await expect(call).rejects.toMatchObject({ code: 'unreachable' });
    return heard;
  };
  expect(await heardOf(lost.ask(id))).toBe(1);
  expect(await heardOf(lost.ask(id, { client: 'b' }))).toBeGreaterThan(1);
  expect(await heardOf(lost.tell(id, { id: `${id}.1`, value: 1 }))).toBeGreaterThan(1);
});

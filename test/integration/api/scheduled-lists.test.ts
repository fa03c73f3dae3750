// The lists of jobs and sweeps by the schedule that started them: with trials, with other filters, in pages, after the schedule was
// deleted, and without reading what others started.
import { expect, it } from 'vitest';
import { type CliContext, explain } from '../../../api/cli/context.js';
import { makeProgram } from '../../../api/cli/program.js';
import { makeClient } from '../../../api/client.js';
import { systemClock } from '../../../lib/clock.js';
import type { Fire, Schedule } from '../../../lib/contract/schedule.js';
import { admitSpec } from '../../../lib/jobs/admission.js';
import { silentLog } from '../../../lib/log.js';
import { tickSchedule } from '../../../lib/schedules/fires.js';
import { admitSweep } from '../../../lib/sweeps/admission.js';
import { driveSweep } from '../../../lib/sweeps/drive.js';
import { openLog, requireSweep } from '../../../lib/sweeps/log.js';
import { makeRunCalls } from '../../../worker/controller/schedules.js';
import { SPEC, startApi, type TestApi, until } from '../../support/api.js';
import { ROOM_FOR_ALL } from '../../support/room.js';

const RULE = { cron: '30 2 * * *', overlap_policy: 'allow_all' };
const SWEEP = { method: 'random', metric: { name: 'loss' }, parameters: { lr: { min: 1e-4, max: 1e-1 } }, run_cap: 2, job: SPEC };
const UNKNOWN = 'sch_01jzzzzzzzzzzzzzzzzzzzzzzz';

interface Page {
  data: { id: string }[];
  has_more: boolean;
  last_id: string | null;
}

const post = (api: TestApi, path: string, payload: object = {}) => api.app.inject({ method: 'POST', url: `/v1/${path}`, payload });
const list = async (api: TestApi, path: string) => (await api.app.inject(`/v1/${path}`)).json<Page>();
/** Once it has so many: what other processes start shows a little later. */
const shown = (api: TestApi, path: string, many: number) => until(`${path} has ${many}`, async () => {
  const page = await list(api, path);
  return page.data.length === many && page;
});
const ids = ({ data }: Pick<Page, 'data'>): string[] => data.map(({ id }) => id);

async function created(api: TestApi, body: object): Promise<string> {
  const answer = await post(api, 'schedules', { ...RULE, ...body });
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json<Schedule>().id;
}

const depsOf = (api: TestApi) => ({
  store: api.store, clock: systemClock, tickets: api.queue.tickets, log: silentLog, room: ROOM_FOR_ALL, nudge: () => undefined, isSound: () => Promise.resolve(true), admit: (spec: unknown) => admitSpec(spec, { roots: [], buckets: null }, api.store),
  admitSweep: (spec: unknown) => admitSweep(spec, { roots: [], buckets: null }, api.store, { previous: null }),
});

/** What one fire of it starts. */
async function fired(api: TestApi, schedule: string): Promise<string> {
  const { fires } = (await post(api, `schedules/${schedule}/trigger`)).json<{ fires: { id: string }[] }>();
  const deps = depsOf(api);
  await tickSchedule({ ...deps, ...makeRunCalls(deps) }, schedule, new Date());
  const fire = (await list(api, `schedules/${schedule}/fires?limit=100`)).data.find(({ id }) => id === fires[0]!.id) as Fire | undefined;
  return fire!.run!.id;
}

it('has what the schedule started, and nothing else, with the other filters and in pages', async () => {
  const api = await startApi();
  const [mine, other, idle] = [await created(api, { job: { ...SPEC, name: 'mine' } }), await created(api, { job: SPEC }), await created(api, { job: SPEC })];
  const jobs: string[] = [];
  for (let n = 0; n < 4; n++) {
    await api.submit();
    await fired(api, other);
    jobs.unshift(await fired(api, mine));
  }
  const of = async (query: string) => list(api, `jobs?schedule=${mine}${query}`);
  expect(await shown(api, `jobs?schedule=${mine}`, 4)).toMatchObject({ has_more: false, last_id: jobs[3] });
  expect(ids(await of(''))).toEqual(jobs);
  const first = await of('&limit=2');
  expect([ids(first), first.has_more, first.last_id]).toEqual([jobs.slice(0, 2), true, jobs[1]]);
  expect(ids(await of(`&limit=2&after=${first.last_id}`))).toEqual(jobs.slice(2));
  // a cursor may be of another list
  const foreign = ids(await list(api, `jobs?schedule=${other}`))[1]!;
  expect(ids(await of(`&after=${foreign}`))).toEqual(jobs.slice(2));
  await post(api, `jobs/${jobs[1]}/cancel`);
  expect([ids(await of('&status=cancelled')), ids(await of('&status=queued&name=mine')), ids(await of('&name=digits')), ids(await of('&tag.team=none'))]).toEqual([[jobs[1]], [jobs[0], jobs[2], jobs[3]], [], []]);
  expect(await list(api, `jobs?schedule=${idle}`)).toEqual({ object: 'list', data: [], has_more: false, last_id: null });

  // they stay when it goes
  await api.app.inject({ method: 'DELETE', url: `/v1/schedules/${mine}` });
  expect(ids(await of(''))).toEqual(jobs);
  const { error } = (await api.app.inject(`/v1/jobs?schedule=${UNKNOWN}`)).json<{ error: object }>();
  expect(error).toMatchObject({ code: 'not_found', param: 'schedule' });
  for (const path of ['jobs', 'sweeps']) {
    expect((await api.app.inject(`/v1/${path}?schedule=${UNKNOWN}`)).statusCode).toBe(404);
    for (const wrong of ['nope', '..%2F', mine.toUpperCase(), `${mine}&schedule=${mine}`]) expect((await api.app.inject(`/v1/${path}?schedule=${wrong}`)).json()).toMatchObject({ error: { code: 'invalid_request', param: 'schedule' } });
  }
});

it('has its sweeps, and of jobs their trials, also of one of them', async () => {
  const api = await startApi();
  const [mine, other] = [await created(api, { sweep: { ...SWEEP, name: 'mine' } }), await created(api, { sweep: SWEEP })];
  const sweeps: string[] = [];
  for (let n = 0; n < 3; n++) {
    await fired(api, other);
    sweeps.unshift(await fired(api, mine));
  }
  const trials: string[][] = [];
  for (const sweep of sweeps) {
    await driveSweep(depsOf(api), await openLog(depsOf(api), await requireSweep(api.store, sweep)), new Map());
    trials.push(ids(await shown(api, `jobs?sweep=${sweep}`, 2)).sort());
  }
  expect(ids(await list(api, `jobs?schedule=${mine}`)).sort()).toEqual(trials.flat().sort());
  expect(ids(await list(api, `jobs?schedule=${mine}&sweep=${sweeps[1]}`)).sort()).toEqual(trials[1]);
  expect(ids(await list(api, `jobs?schedule=${other}&sweep=${sweeps[1]}`))).toEqual([]);

  const of = async (query: string) => list(api, `sweeps?schedule=${mine}${query}`);
  expect([ids(await of('')), (await of('')).has_more]).toEqual([sweeps, false]);
  const first = await of('&limit=2');
  expect([ids(first), first.has_more, first.last_id]).toEqual([sweeps.slice(0, 2), true, sweeps[1]]);
  expect(await of(`&limit=2&after=${first.last_id}`)).toMatchObject({ data: [{ id: sweeps[2] }], has_more: false });
  expect(ids(await of('&name=other'))).toEqual([]);
  expect(ids(await of('&name=mine&status=running&limit=1'))).toEqual([sweeps[0]]);
  expect(await of('&status=failed')).toMatchObject({ data: [], has_more: false });
});

it('reads no job that others started, however many there are', async () => {
  let reads = 0;
  const api = await startApi({ wrapStore: (store) => ({ ...store, get: (...args) => (reads++, store.get(...args)) }) });
  const schedule = await created(api, { job: SPEC });
  const job = await fired(api, schedule);
  // Newer ones, as their summaries say.
  const summary = (id: string): Buffer => Buffer.from(JSON.stringify({ id, object: 'job', name: null, status: 'succeeded', created_at: '2026-01-01T00:00:00.000Z', tags: {}, is_terminal: true }));
  const others = Array.from({ length: 2_000 }, (_, n) => `job_7${String(n).padStart(25, '0')}`);
  await Promise.all(others.map((id) => api.store.put(`closed/2026-01-01/${id}.0`, summary(id))));
  reads = 0;
  const page = await list(api, `jobs?schedule=${schedule}`);
  expect([ids(page), page.has_more]).toEqual([[job], false]);
  expect(reads).toBeGreaterThan(0);
  expect(reads).toBeLessThan(10);
});

it('is there for the client and the command line, which takes a name too', async () => {
  const api = await startApi();
  const url = await api.listen();
  const [jobs, sweeps] = [await created(api, { name: 'nightly', job: SPEC }), await created(api, { name: 'weekly', sweep: SWEEP })];
  await api.submit();
  const [job, sweep] = [await fired(api, jobs), await fired(api, sweeps)];
  await shown(api, `jobs?schedule=${jobs}`, 1);
  const client = makeClient({ url });
  expect([ids(await client.jobs({ schedule: jobs })), ids(await client.sweeps.list({ schedule: sweeps }))]).toEqual([[job], [sweep]]);
  const run = async (...args: string[]): Promise<string> => {
    let said = '';
    const unused = (): never => {
      throw new Error('nothing here needs that');
    };
    const context: CliContext = { env: {}, json: args.includes('--json'), config: unused, client: () => client, out: (line) => (said += `${line}\n`), err: (line) => (said += `${line}\n`), terminal: null, readInput: unused, onInterrupt: unused, exit: unused };
    await makeProgram(context).parseAsync(['node', 'pawl', ...args]).catch((error: unknown) => (said += explain(error).lines.join('\n')));
    return said;
  };
  for (const given of [jobs, 'nightly']) expect(ids(JSON.parse(await run('jobs', '--schedule', given, '--json')) as Page)).toEqual([job]);
  for (const given of [sweeps, 'weekly']) expect(ids(JSON.parse(await run('sweep', 'ls', '--schedule', given, '--json')) as Page)).toEqual([sweep]);
  for (const args of [['jobs'], ['sweep', 'ls']]) expect(await run(...args, '--schedule', 'nobody')).toMatch(/nobody: is neither the id nor the name of a schedule/);
});

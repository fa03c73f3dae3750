// Sweeps that begin with an earlier one, and parameters that make no valid job, over HTTP. What trials do is written into the log here as
// a controller would.
import { expect, it } from 'vitest';
import { sweepDetails } from '../../../api/cli/sweep-text.js';
import { systemClock } from '../../../lib/clock.js';
import type { Sweep, SweepDryRun, Trial } from '../../../lib/contract/sweep-views.js';
import type { SweepEvent } from '../../../lib/sweeps/events.js';
import { openLog, requireSweep } from '../../../lib/sweeps/log.js';
import { SPEC as JOB, startApi, type TestApi } from '../../support/api.js';

const SWEEP = {
  method: 'random', metric: { name: 'val_loss' }, parameters: { lr: { distribution: 'log_uniform_values', min: 1e-4, max: 1e-1 }, 'training.batch_size': { values: [5, 10, 20] } }, run_cap: 12,
  budget: { max_concurrent: 12 }, job: { ...JOB, training: { ...JOB.training, optimizer: { type: 'adam', lr: 0.001 } } },
};
const UNKNOWN = 'swp_01jzzzzzzzzzzzzzzzzzzzzzzz';

const post = (api: TestApi, payload: object, query = '') => api.app.inject({ method: 'POST', url: `/v1/sweeps${query}`, payload });
async function start(api: TestApi, payload: object): Promise<Sweep> {
  const answer = await post(api, payload);
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json<Sweep>();
}
const sweepOf = async (api: TestApi, id: string): Promise<Sweep> => (await api.app.inject(`/v1/sweeps/${id}`)).json<Sweep>();
const trialsOf = async (api: TestApi, id: string): Promise<Trial[]> => (await api.app.inject(`/v1/sweeps/${id}/trials?limit=100`)).json<{ data: Trial[] }>().data;
async function problemsOf(api: TestApi, payload: object): Promise<string[]> {
  const answer = await post(api, payload);
  expect(answer.statusCode).toBe(400);
  return answer.json<{ error: { details: { param: string; message: string }[] } }>().error.details.map(({ param, message }) => `${param}: ${message}`);
}
async function see(api: TestApi, id: string, ...events: SweepEvent[]): Promise<void> {
  const log = await openLog({ store: api.store, clock: systemClock }, await requireSweep(api.store, id));
  for (const event of events) expect(await log.append(event)).toBe(true);
}
const ended = (trial: number, value: number): SweepEvent => ({ type: 'ended', trial, outcome: 'succeeded', value, message: null });
/** One whose trial 7 is the best of twelve. */
async function earlier(api: TestApi): Promise<Sweep> {
  const { id } = await start(api, SWEEP);
  await see(api, id, ...Array.from({ length: 12 }, (_, trial) => ended(trial, 0.1 + Math.abs(trial - 7))));
  return sweepOf(api, id);
}

it('begins with the best parameters of another sweep, and with its trials', async () => {
  const api = await startApi();
  const from = await earlier(api);
  const spec = { ...SWEEP, method: 'tpe', run_cap: 3, warm_start: { points: [{ lr: 0.01 }], from: from.id, import_trials: true } };
  const seen = (await post(api, spec, '?dry_run=true')).json<SweepDryRun>();
  const sweep = await start(api, spec);
  expect(sweep).toMatchObject({ warm_start: { from: from.id, best: `${from.id}.7`, imported: 12 }, warnings: [], counts: { running: 3 }, best: null });
  const trials = await trialsOf(api, sweep.id);
  expect(trials.map(({ params }) => params)).toEqual(seen.trials.map(({ params }) => params));
  expect(trials.map(({ why }) => why[0])).toMatchObject([{ sampler: 'warm_start', point: 0 }, { sampler: 'warm_start', from: from.id, trial: 7 }, { sampler: 'tpe', kind: 'tpe', imported: 12, cutoff: 1.1 }]);
  expect([trials[0]!.params['lr'], trials[1]!.params]).toEqual([0.01, from.best!.params]);
  expect(sweepDetails(sweep)).toContain(`\nbegan with ${from.id} · its best (${from.id}.7) · 12 trials of it\n`);
  // a sweep that begins with none says so
  expect(from.warm_start).toBeNull();
});

it('takes it as it was when it began, whatever becomes of it', async () => {
  const api = await startApi();
  const { id } = await start(api, SWEEP);
  const spec = { ...SWEEP, method: 'tpe', run_cap: 12, budget: { max_concurrent: 1 }, warm_start: { from: id, import_trials: true } };
  const none = await start(api, spec);
  expect(sweepDetails(none)).toContain(`\nbegan with ${id}\n`);
  expect(none).toMatchObject({ warm_start: { from: id, best: null, imported: 0 }, warnings: [{ param: 'warm_start.from', message: `no trial of ${id} has a value yet: its best is no first trial` }, { param: 'warm_start.import_trials', message: `no trial of ${id} has a value that counts here: none is taken over` }] });
  await see(api, id, ended(0, 0.5), ended(1, 0.4));
  const two = await start(api, spec);
  await see(api, id, ended(2, 0.1), ended(3, 0.2));
  const before = await trialsOf(api, two.id);
  for (const key of await api.keys()) if (key.startsWith(`sweeps/${id}/`)) await api.store.delete(key);
  await see(api, two.id, ended(0, 0.7));
  expect([(await sweepOf(api, two.id)).warm_start, (await trialsOf(api, two.id)).length]).toEqual([{ from: id, best: `${id}.1`, imported: 2 }, 2]);
  expect((await trialsOf(api, two.id))[1]!.why[0]).toMatchObject({ imported: 2, kind: 'startup', finished: 3 });
  expect((await trialsOf(api, two.id))[0]!.params).toEqual(before[0]!.params);
});

it('says what of it cannot be had here', async () => {
  const api = await startApi();
  const from = await earlier(api);
  const sweep = await start(api, { ...SWEEP, method: 'tpe', parameters: { lr: { min: 0.5, max: 0.9 }, 'training.batch_size': { values: [5, 10, 20] } }, warm_start: { from: from.id, import_trials: true } });
  expect(sweep.warnings).toEqual([
    { param: 'warm_start.from', message: `lr of ${from.id}.7 is left out: it must be a number from 0.5 to 0.9, got ${String(from.best!.params['lr'])}` },
    { param: 'warm_start.import_trials', message: `12 of the 12 trials of ${from.id} with a value are left out: their parameters are none of this sweep's` },
  ]);
  const [first] = await trialsOf(api, sweep.id);
  expect(first).toMatchObject({ params: { 'training.batch_size': from.best!.params['training.batch_size'] }, why: [{ left_out: ['lr'] }] });
  expect(first!.params['lr']).toBeGreaterThanOrEqual(0.5);
});

it('refuses a sweep that there is not, the previous one where there is none, and values of something else', async () => {
  const api = await startApi();
  const from = await earlier(api);
  const begin = (warm_start: object, changes: object = {}) => problemsOf(api, { ...SWEEP, method: 'tpe', ...changes, warm_start });
  expect(await begin({ from: UNKNOWN })).toEqual([`warm_start.from: must be the id of a sweep, "previous" in a schedule, or null: there is no sweep ${UNKNOWN}`]);
  expect(await begin({ from: 'previous' })).toEqual(['warm_start.from: must be the id of a sweep, or null, got "previous", which is the sweep that a schedule started last: no schedule starts this one']);
  expect(await begin({ from: 'yesterday' })).toEqual([expect.stringMatching(/^warm_start\.from: must be an id such as swp_01j…, "previous" \(in a schedule: the sweep that it started last\), or null, got "yesterday"/)]);
  expect(await begin({ import_trials: true })).toEqual(['warm_start.import_trials: needs a sweep in warm_start.from']);
  expect(await begin({ from: from.id, import_trials: true }, { metric: { name: 'loss' } })).toEqual([`warm_start.import_trials: needs a sweep with the same metric, loss (minimize); ${from.id} has val_loss (minimize)`]);
  // its best is a beginning like any other
  expect((await start(api, { ...SWEEP, metric: { name: 'loss' }, warm_start: { from: from.id } })).warm_start!.best).toBe(`${from.id}.7`);
});

it('has failed trials of parameters that make no valid job, if it is to, and no jobs of them', async () => {
  const api = await startApi();
  const parameters = { nesterov: { values: [false, true] }, momentum: { values: [0.9, 0, 0.5] } };
  const spec = { ...SWEEP, method: 'grid', run_cap: null, parameters, failure: { on_invalid_params: 'fail' }, job: { ...JOB, training: { ...JOB.training, optimizer: { type: 'sgd' } } } };
  const sweep = await start(api, spec);
  const trials = await trialsOf(api, sweep.id);
  expect(trials.map(({ params, status }) => [...Object.values(params), status])).toEqual([[false, 0.9, 'running'], [false, 0, 'running'], [false, 0.5, 'running'], [true, 0.9, 'running'], [true, 0, 'failed'], [true, 0.5, 'running']]);
  expect(trials[4]).toMatchObject({ job_id: null, value: null, why: [{ event: 0, decision: 'fail', sampler: 'grid', index: 4, refused: 'training.optimizer.nesterov needs a momentum above 0' }] });
  expect([sweep.counts.failed, sweep.budget.spent.failed]).toEqual([1, 1]);
  const replaced = await start(api, { ...spec, failure: {} });
  expect((await trialsOf(api, replaced.id)).map(({ params }) => Object.values(params))).toEqual([[false, 0.9], [false, 0], [false, 0.5], [true, 0.9], [true, 0.5]]);
  const few = await start(api, { ...spec, budget: { max_concurrent: 1_000, max_failed: 0 } });
  expect([few.status, few.why, few.counts]).toMatchObject(['failed', { budget: 'max_failed', failed: 1 }, { failed: 1, cancelled: 4 }]);
});

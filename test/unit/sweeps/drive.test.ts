// A sweep driven over a real file store, with the HEADs of its trials' jobs as workers would have left them.
import { expect, onTestFinished, test } from 'vitest';
import type { Head } from '../../../lib/contract/records.js';
import { readHead } from '../../../lib/jobs/head.js';
import { AppError } from '../../../lib/errors.js';
import { emptyHead } from '../../../lib/jobs/lifecycle.js';
import { headKey, jobKey } from '../../../lib/jobs/names.js';
import { loadRecord, toJson } from '../../../lib/jobs/record.js';
import { pauseAtOf } from '../../../lib/jobs/verbs.js';
import { admitSpec } from '../../../lib/jobs/admission.js';
import { makeSweepAccess } from '../../../lib/sweeps/access.js';
import { sayToSweep } from '../../../lib/sweeps/control.js';
import { type DriveDeps, driveSweep, type Known } from '../../../lib/sweeps/drive.js';
import { createSweep, openLog } from '../../../lib/sweeps/log.js';
import { sweepKey, trialJob } from '../../../lib/sweeps/names.js';
import { resolveSweep } from '../../../lib/sweeps/resolve.js';
import { makeFileStore } from '../../../lib/store/file.js';
import { ROOM_FOR_ALL } from '../../support/room.js';
import { makeTempDir } from '../../support/temp.js';

const SWEEP = {
  method: 'random', metric: { name: 'loss' }, run_cap: 9, parameters: { lr: { min: 0.01, max: 0.1 } }, budget: { compute_seconds: 80, max_concurrent: 1 }, early_terminate: { type: 'asha', min_iter: 1, max_iter: 9 },
  job: { data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] }, training: { max_updates: 9, epochs: 100 } },
};

/** A sweep of the spec, driven by hand. */
async function setUp(spec: object) {
  const folder = await makeTempDir('drive');
  onTestFinished(folder.remove);
  const store = await makeFileStore({ root: folder.path });
  onTestFinished(() => store.close());
  const deps: DriveDeps = {
    store, clock: { now: () => new Date(), sleep: () => Promise.resolve() }, tickets: { issue: () => Promise.resolve(), withdraw: () => Promise.resolve() }, log: { warn: () => undefined }, room: ROOM_FOR_ALL, nudge: () => undefined,
    isSound: () => Promise.resolve(true), admit: (job) => admitSpec(job, { roots: [], buckets: null }, store),
  };
  const resolved = resolveSweep(spec);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  const record = await createSweep(deps, { id: `swp_${'0'.repeat(26)}`, created_at: new Date().toISOString(), spec: resolved.spec, schedule: null });
  return { deps, store, log: await openLog(deps, record) };
}

/** What a worker leaves of a trial that has come to a rung after 50 s. */
const atRung = (update: number, loss: number): Head => ({ ...emptyHead(), state: 'paused', want: { verb: 'pause', seq: 1, cause: 'sweep_paused' }, reason: 'sweep_paused', rungs: [{ update, metrics: { loss }, validation: null }], counters: { ...emptyHead().counters, attempt_seconds: 50 } });

/** A checkpoint of its first update, for forks. */
const RETAINED = { id: 'ckpt_00000000000000000000000000', seq: 1, manifest: 'm', manifest_sha256: '0'.repeat(64), micro_batches: 1, updates: 1, window_position: 0, committed_at: '2026-01-01T00:00:00.000Z', bytes: 1, bytes_written: 1, best: null, blobs: [] };

test('the record of a trial’s job, which never changes, is read once by who drives the sweep; its HEAD at every look', async () => {
  const { deps, store, log } = await setUp({ ...SWEEP, early_terminate: { type: 'hyperband', resource: 'samples', min_iter: 32, max_iter: 320 } });
  const reads = new Map<string, number>();
  const counting = Object.create(store, { get: { value: (key: string) => (reads.set(key, (reads.get(key) ?? 0) + 1), store.get(key)) } }) as typeof store;
  const known: Known = new Map();
  const drive = (): Promise<boolean> => driveSweep({ ...deps, store: counting }, log, known);
  await drive();
  const job = trialJob(log.record.id, log.state().trials[0]!);
  reads.clear();
  for (let look = 0; look < 4; look++) await drive();
  expect([reads.get(jobKey(job)), reads.get(headKey(job))]).toEqual([1, 4]);
  // and what was kept of it is gone by: where it pauses, and how many samples an update has
  expect(pauseAtOf((await loadRecord(store, job))!, (await readHead({ store }, job)).head)).toBe(1);
  await store.putIfAbsent(headKey(job), toJson(atRung(1, 0.5)));
  await drive();
  expect(log.state().trials[0]).toMatchObject({ values: [{ step: 32, value: 0.5 }] });
});

test.each([['one controller', false], ['another controller each time', true]])('time of trials that wait at a rung counts against the budget: %s', async (_, anew) => {
  const { deps, store, log } = await setUp(SWEEP);
  let known: Known = new Map();
  const drive = async (): Promise<void> => void (await driveSweep(deps, log, anew ? (known = new Map()) : known));
  const reach = async (number: number): Promise<void> => {
    await store.putIfAbsent(headKey(trialJob(log.record.id, log.state().trials[number]!)), toJson(atRung(1, 1 + number)));
  };
  await drive();
  await reach(0);
  await drive();
  expect([log.state().spent, log.state().trials.map(({ status }) => status)]).toEqual([null, ['paused', 'running']]);
  await reach(1);
  await drive();
  expect(log.state()).toMatchObject({ spent: 'compute_seconds', end: { status: 'succeeded', why: { budget: 'compute_seconds' } } });
});

test('a metric of validation data has its values, by whichever name it is asked for', async () => {
  const spec = { ...SWEEP, metric: { name: 'validation_loss' }, job: { ...SWEEP.job, data: { ...SWEEP.job.data, validation: { split: 0.2 } } } };
  const { deps, store, log } = await setUp(spec);
  const drive = (): Promise<boolean> => driveSweep(deps, log, new Map());
  await drive();
  const rung = { update: 1, metrics: { loss: 3 }, validation: { val_loss: 2 } };
  await store.putIfAbsent(headKey(trialJob(log.record.id, log.state().trials[0]!)), toJson({ ...atRung(1, 3), rungs: [rung] }));
  await drive();
  expect(log.state().trials[0]).toMatchObject({ status: 'paused', value: 2, values: [{ step: 1, value: 2 }] });
});

test('rungs of samples are at the updates by which each trial has seen so many', async () => {
  const spec = {
    ...SWEEP, method: 'grid', run_cap: null, parameters: { 'training.batch_size': { values: [4, 10] } }, budget: { max_concurrent: 2 },
    early_terminate: { type: 'hyperband', resource: 'samples', min_iter: 50 }, job: { ...SWEEP.job, training: { ...SWEEP.job.training, max_updates: 40, accum_iters: 5 } },
  };
  const { deps, store, log } = await setUp(spec);
  const drive = (): Promise<boolean> => driveSweep(deps, log, new Map());
  const jobs = (): string[] => log.state().trials.map((trial) => trialJob(log.record.id, trial));
  /** After which updates their jobs pause next. */
  const pauses = () => Promise.all(jobs().map(async (id) => pauseAtOf((await loadRecord(store, id))!, (await readHead({ store }, id)).head)));
  await drive();
  expect(await pauses()).toEqual([3, 1]);
  // at another update there is no value of it
  for (const [trial, update] of [3, 2].entries()) await store.putIfAbsent(headKey(jobs()[trial]!), toJson(atRung(update, 1)));
  await drive();
  await drive();
  expect(log.state().trials.map(({ values, upTo }) => [values, upTo])).toEqual([[[{ step: 50, value: 1 }], 150], [[], 50]]);
  expect(await pauses()).toEqual([8, 1]);
  await store.delete(headKey(jobs()[1]!));
  await store.putIfAbsent(headKey(jobs()[1]!), toJson(atRung(1, 0.5)));
  await drive();
  await drive();
  expect(log.state().trials.map(({ values, upTo }) => [values, upTo])).toEqual([[[{ step: 50, value: 1 }], 150], [[{ step: 50, value: 0.5 }], 150]]);
  expect(await pauses()).toEqual([8, 3]);
});

test('a trial whose job cannot be read fails, and keeps the others from nothing', async () => {
  const { deps, store, log } = await setUp({ ...SWEEP, run_cap: 3, early_terminate: { type: 'none' }, budget: { max_concurrent: 2 } });
  const warned: object[] = [];
  const known: Known = new Map();
  const drive = (): Promise<boolean> => driveSweep({ ...deps, log: { warn: (fields) => void warned.push(fields) } }, log, known);
  const jobs = (): string[] => log.state().trials.map((trial) => trialJob(log.record.id, trial));
  await drive();
  const [damaged = '', whole = ''] = jobs();
  await store.putIfAbsent(headKey(damaged), new Uint8Array([0, 0, 0]));
  await drive();
  expect(warned).toContainEqual({ job: damaged, code: 'checkpoint_corrupt' });
  const access = makeSweepAccess({ store, clock: deps.clock, decider: null, log: deps.log });
  expect(await access.sweep(log.record.id)).toMatchObject({ status: 'running' });
  await sayToSweep(log, 'cancel');
  await drive();
  expect(log.state().trials.map(({ status }) => status)).toEqual(['failed', 'cancelled', 'cancelled']);
  expect((await readHead({ store }, whole)).head.want.verb).toBe('cancel');
});

test('a sweep that cannot be read is left out of lists', async () => {
  const { deps, store, log } = await setUp(SWEEP);
  const { id } = log.record;
  const warned: object[] = [];
  const item = () => makeSweepAccess({ store, clock: deps.clock, decider: null, log: { warn: (fields) => void warned.push(fields) } }).item(id);
  expect(await item()).toMatchObject({ id });
  await store.put(sweepKey(id), new Uint8Array([0, 0, 0]));
  expect([await item(), warned]).toEqual([null, [expect.objectContaining({ sweep: id })]]);
});

test('the job of a trial that is over before it is cancelled', async () => {
  const spec = { ...SWEEP, run_cap: 3, budget: { max_concurrent: 3 }, early_terminate: { type: 'asha', variant: 'stopping', min_iter: 1, max_iter: 3 } };
  const { deps, store, log } = await setUp(spec);
  const drive = (): Promise<boolean> => driveSweep(deps, log, new Map());
  const write = async (number: number, head: Head): Promise<void> => {
    const key = headKey(trialJob(log.record.id, log.state().trials[number]!));
    await store.delete(key);
    await store.putIfAbsent(key, toJson(head));
  };
  const reasonOf = async (number: number): Promise<unknown[]> => {
    const { want } = (await readHead({ store }, trialJob(log.record.id, log.state().trials[number]!))).head;
    return [log.state().trials[number]!.status, want.verb, want.cause];
  };
  await drive();
  await write(0, atRung(1, 1));
  await drive();
  await write(0, atRung(3, 1));
  await write(1, atRung(1, 9));
  await drive();
  await sayToSweep(log, 'cancel');
  await drive();
  expect([await reasonOf(0), await reasonOf(1), await reasonOf(2)]).toEqual([['succeeded', 'cancel', 'sweep_pruned'], ['pruned', 'cancel', 'sweep_pruned'], ['cancelled', 'cancel', 'sweep_pruned']]);
});

test('a parent goes on when its fork holds its state, and not before', async () => {
  const population = { ...SWEEP, method: 'pbt', pbt: { population: 2, interval: 1 }, parameters: { lr: { distribution: 'log_uniform_values', min: 1e-4, max: 1e-1 } }, early_terminate: { type: 'none' }, budget: {}, run_cap: null };
  const { deps, store, log } = await setUp(population);
  const drive = (): Promise<boolean> => driveSweep(deps, log, new Map());
  await drive();
  for (const number of [0, 1]) await store.putIfAbsent(headKey(trialJob(log.record.id, log.state().trials[number]!)), toJson({ ...atRung(1, number), retained: [RETAINED] }));
  const parent = trialJob(log.record.id, log.state().trials[0]!);
  const wanted = async (): Promise<string> => (await readHead({ store }, parent)).head.want.verb;

  const { admit } = deps;
  let asked = 0;
  deps.admit = () => {
    asked++;
    return Promise.reject(new AppError('store_unavailable', 'away'));
  };
  await drive();
  await drive();
  const fork = log.state().trials[2]!;
  expect([asked > 0, fork.fork, log.state().trials.map(({ status }) => status)]).toEqual([true, { trial: 0, step: 1 }, ['running', 'pruned', 'running']]);
  expect(await wanted()).toBe('pause');

  let begins: unknown = null;
  deps.admit = (job) => {
    begins = job.model.init;
    return admit({ ...job, model: { layers: job.model.layers } });
  };
  await drive();
  expect(begins).toEqual({ job: parent, checkpoint: 'ckpt_00000000000000000000000000', include: 'state' });
  expect(await wanted()).toBe('pause');
  await drive();
  expect(await wanted()).toBe('run');
});

/** Trials whose jobs are there. */
async function begun({ store, log }: Awaited<ReturnType<typeof setUp>>): Promise<number[]> {
  const found = await Promise.all(log.state().trials.map(async (trial) => ((await store.head(jobKey(trialJob(log.record.id, trial)))) === null ? [] : [trial.number])));
  return found.flat();
}

test('trials wait where there is no room for their jobs, and begin as far as there is some', async () => {
  const world = await setUp({ ...SWEEP, run_cap: 4, budget: { max_concurrent: 4 } });
  const { deps, log } = world;
  let places = 0;
  deps.room = { take: (wanted) => Promise.resolve(places > 0 ? (places--, wanted) : 0) };
  const drive = (): Promise<boolean> => driveSweep(deps, log, new Map());
  for (let again = 0; again < 3; again++) expect(await drive()).toBe(false);
  expect([await begun(world), log.state().trials.map(({ status }) => status)]).toEqual([[], Array(4).fill('running')]);
  places = 3;
  await drive();
  expect([(await begun(world)).length, places]).toEqual([3, 0]);
  places = 2;
  await drive();
  expect([await begun(world), places]).toEqual([[0, 1, 2, 3], 1]);
});

test('a sweep whose jobs wait for its other trials takes room for one of them at a time, and does not wait for itself', async () => {
  const world = await setUp({ ...SWEEP, method: 'pbt', pbt: { population: 3, interval: 1 }, parameters: { lr: { distribution: 'log_uniform_values', min: 1e-4, max: 1e-1 } }, early_terminate: { type: 'none' }, budget: {}, run_cap: null });
  const { deps, log, store } = world;
  let places = 1;
  deps.room = { take: (wanted) => Promise.resolve(places > 0 ? (places--, wanted) : 0) };
  const drive = (): Promise<boolean> => driveSweep(deps, log, new Map());
  const reach = (number: number) => store.putIfAbsent(headKey(trialJob(log.record.id, log.state().trials[number]!)), toJson({ ...atRung(1, number), retained: [RETAINED] }));
  await drive();
  const [first] = await begun(world);
  expect([await begun(world), places]).toEqual([[first], 0]);
  // while its job goes on it can wait
  for (let again = 0; again < 3; again++) await drive();
  expect(await begun(world)).toEqual([first]);
  await reach(first!);
  for (let again = 0; again < 3; again++) await drive();
  expect((await begun(world)).length).toBe(2);
  const second = (await begun(world)).find((number) => number !== first)!;
  await reach(second);
  for (let again = 0; again < 3; again++) await drive();
  expect(await begun(world)).toEqual([0, 1, 2]);
  // the worst is replaced by a fork of the best, which waits for it, and for room while another goes on
  const { admit } = deps;
  deps.admit = (job) => admit({ ...job, model: { layers: job.model.layers } });
  await reach(3 - first! - second);
  for (let again = 0; again < 3; again++) await drive();
  expect([log.state().trials.map(({ status }) => status), log.state().trials[3]!.fork, await begun(world)]).toEqual([['running', 'running', 'pruned', 'running'], { trial: 0, step: 1 }, [0, 1, 2]]);
  const other = headKey(trialJob(log.record.id, log.state().trials[1]!));
  await store.delete(other);
  await store.putIfAbsent(other, toJson({ ...atRung(2, 1), retained: [RETAINED] }));
  for (let again = 0; again < 3; again++) await drive();
  expect([await begun(world), places]).toEqual([[0, 1, 2, 3], 0]);
});

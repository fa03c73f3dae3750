// What nobody submits: beside the slots, a schedule that fires every few seconds and one sweep after another, each trial stopped early
// or trained to its end. Seen through like the slots' jobs, and judged when they are over.
import { ApiError } from '../../../api/client.js';
import type { Head } from '../../../lib/contract/records.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { isAppError } from '../../../lib/errors.js';
import { headKey } from '../../../lib/jobs/names.js';
import { fromJson, loadRecord } from '../../../lib/jobs/record.js';
import { readLog, requireSweep, rulesOf } from '../../../lib/sweeps/log.js';
import { openSweepKey, trialJob } from '../../../lib/sweeps/names.js';
import { bestTrial } from '../../../lib/sweeps/state.js';
import { faultsOfLedger, readLedger } from '../../support/schedules/ledger.js';
import { type Reference, undisturbed } from '../../support/undisturbed.js';
import { decisionProblems } from './invariants/decisions.js';
import { earlyProblems } from './invariants/fires.js';
import { type Run, sleep } from './state.js';

const ASK_AGAIN_MS = 500;
const LOOK_MS = 1_000;

const JOB: JobSpecInput = {
  data: { type: 'builtin', name: 'digits', normalize: 'unit', validation: { split: 0.2 } },
  model: { layers: [{ type: 'conv2d', filters: 16, kernel_size: 3, activation: 'relu' }, { type: 'flatten' }, { type: 'dropout', rate: 0.2 }, { type: 'dense', units: 10, activation: 'softmax' }] },
  training: { batch_size: 10, accum_iters: 5, max_updates: 135, epochs: 100, optimizer: { type: 'adam', lr: 0.001 }, seed: 3 },
  checkpoint: { every_micro_batches: 20 },
};
const SCHEDULE = { name: 'often', cron: '*/9 * * * * *', overlap_policy: 'skip', job: JOB };
const TRIALS = 6;
const sweepOf = (seed: number): object => ({
  name: `sweep ${seed}`, method: 'tpe', metric: { name: 'val_loss' }, run_cap: TRIALS, budget: { max_concurrent: 2, wall_clock: '12h' }, early_terminate: { type: 'asha', min_iter: 15, max_iter: 135, eta: 3 },
  sampler: { seed, n_startup_trials: 3 }, parameters: { lr: { distribution: 'log_uniform_values', min: 1e-4, max: 1e-1 }, 'training.accum_iters': { values: [2, 5] } }, job: JOB,
});

export interface StartedByItself {
  sweeps: number;
  trials: number;
  fires: number;
  scheduled_jobs: number;
}

/** Until the run winds up and all of it is over. */
export async function startByItself(run: Run): Promise<StartedByItself> {
  const told: StartedByItself = { sweeps: 0, trials: 0, fires: 0, scheduled_jobs: 0 };
  await Promise.all([keepSchedule(run, told), keepSweeps(run, told)]);
  return told;
}

/** Asks the API, or the store, until it is answered; null when the run is taken down. */
async function insist<T>(run: Run, ask: () => Promise<T>): Promise<T | null> {
  while (!run.signal.aborted) {
    try {
      return await ask();
    } catch (error) {
      const isStoreAway = isAppError(error) && error.retryable;
      if (!isStoreAway && !(error instanceof ApiError)) throw error;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.code !== 'idempotency_in_progress') {
        run.violate('ledger', null, [`a schedule or sweep is refused: ${error.status} ${error.code} ${error.message}`]);
        return null;
      }
      await sleep(ASK_AGAIN_MS, run.signal);
    }
  }
  return null;
}

async function until(run: Run, isSo: () => Promise<boolean>): Promise<void> {
  while (!run.signal.aborted && !(await isSo().catch(() => false))) await sleep(LOOK_MS, run.signal);
}

async function keepSchedule(run: Run, told: StartedByItself): Promise<void> {
  const { client, store } = run.system;
  const schedule = await insist(run, () => client.schedules.create(SCHEDULE, { idempotencyKey: `chaos-${run.startedAt}-schedule` }));
  if (!schedule) return;
  await until(run, () => Promise.resolve(run.winding));
  // No clock is wrong any more.
  const pausedMs = Date.now();
  await insist(run, () => client.schedules.pause(schedule.id, 'seen enough'));
  await until(run, async () => (await client.schedules.get(schedule.id)).running.length === 0);
  if (run.signal.aborted) return;
  const seen = await insist(run, async () => {
    const { fires } = await readLedger(store, schedule.id);
    const jobs = await jobsOf(run, schedule.id);
    const runs = { all: new Map([...jobs].map(([id, { nominalTime }]) => [id, { schedule: { nominal_time: nominalTime } }])) };
    return { fires, jobs, faults: [...(await faultsOfLedger(store, runs as never, schedule.id, pausedMs)), ...earlyProblems(fires, new Map([...jobs].map(([id, { storedAt }]) => [id, storedAt])))] };
  });
  if (!seen) return;
  const { fires, jobs, faults } = seen;
  run.violate('fires', null, faults);
  Object.assign(told, { fires: fires.length, scheduled_jobs: jobs.size });
  const reference = await undisturbed(JOB);
  for (const id of jobs.keys()) await compare(run, id, reference);
}

/** The jobs that a schedule started, as the store has them. */
async function jobsOf(run: Run, schedule: string): Promise<Map<string, { nominalTime: string; storedAt: number }>> {
  const { store } = run.system;
  const jobs = new Map<string, { nominalTime: string; storedAt: number }>();
  for await (const { key, modifiedAt } of store.list('jobs/')) {
    const id = /^jobs\/([^/]+)\/job\.json$/.exec(key)?.[1];
    const record = id === undefined ? null : await loadRecord(store, id);
    if (record?.schedule?.id === schedule) jobs.set(record.id, { nominalTime: record.schedule.nominal_time, storedAt: modifiedAt.getTime() });
  }
  return jobs;
}

async function keepSweeps(run: Run, told: StartedByItself): Promise<void> {
  const { client, store } = run.system;
  for (let nth = 0; !run.winding && !run.signal.aborted; nth++) {
    const key = `chaos-${run.startedAt}-sweep-${nth}`;
    const sweep = await insist(run, () => client.sweeps.start(sweepOf(run.seed + nth), { idempotencyKey: key }).then((answer) => answer.sweep));
    if (!sweep) return;
    await until(run, async () => (await store.head(openSweepKey(sweep.id))) === null);
    if (run.signal.aborted) return;
    told.sweeps++;
    told.trials += await judgeSweep(run, sweep.id);
  }
}

/** @returns how many trials it had */
async function judgeSweep(run: Run, id: string): Promise<number> {
  const { store } = run.system;
  const seen = await insist(run, async () => {
    const jobs = new Set<string>();
    for await (const key of store.keys('jobs/')) if (key.endsWith('/job.json')) jobs.add(key.slice('jobs/'.length, -'/job.json'.length));
    return { record: await requireSweep(store, id), log: await readLog(store, id), jobs };
  });
  if (!seen) return 0;
  const { record, log, jobs } = seen;
  const { state, problems } = decisionProblems(rulesOf(record), log, (trial) => jobs.has(trialJob(id, trial)));
  run.violate('decisions', null, problems.map((problem) => `${id}: ${problem}`));
  const best = bestTrial(record.spec, state);
  if (best?.status === 'succeeded') {
    const training = { ...JOB.training, accum_iters: best.params['training.accum_iters'] as number, optimizer: { type: 'adam' as const, lr: best.params['lr'] as number } };
    await compare(run, trialJob(id, best), await undisturbed({ ...JOB, training }));
  }
  return state.trials.length;
}

/** A job that was never told anything by a user ends with the undisturbed bits, or after five claims without a commit. */
async function compare(run: Run, id: string, reference: Reference): Promise<void> {
  const stored = await insist(run, () => run.system.store.get(headKey(id)));
  const head = stored && fromJson<Head>(stored.body);
  if (run.signal.aborted || (head?.state === 'failed' && head.reason === 'crash_loop')) return;
  if (head?.state !== 'succeeded') run.violate('bits', null, [`${id} is ${head?.state ?? 'not there'}: ${head?.message ?? ''}`]);
  else if (head.result!.weights_sha256 !== reference.weights || head.result!.state_sha256 !== reference.state) run.violate('bits', null, [`${id} ended with other bits than undisturbed`]);
}

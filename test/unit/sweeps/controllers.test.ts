// Controllers that die at every write of a whole sweep, before it and after it, or are left without an answer: whoever goes on decides
// the same, byte for byte, and leaves the same jobs. Their jobs are carried on by a hand that does one thing whenever nothing is left to
// do for the controllers. A death at a read is that after the write before it.
import { describe, expect, test } from 'vitest';
import type { Head, JobRecord, JobResult } from '../../../lib/contract/records.js';
import { isAppError } from '../../../lib/errors.js';
import { admitSpec } from '../../../lib/jobs/admission.js';
import { readHead } from '../../../lib/jobs/head.js';
import { isTerminal } from '../../../lib/jobs/lifecycle.js';
import { headKey } from '../../../lib/jobs/names.js';
import { loadRecord, toJson } from '../../../lib/jobs/record.js';
import { pauseAtOf } from '../../../lib/jobs/verbs.js';
import { type DriveDeps, driveSweep, type Known } from '../../../lib/sweeps/drive.js';
import { createSweep, openLog, readState, type SweepLog } from '../../../lib/sweeps/log.js';
import { logPrefix, openSweepKey, trialJob } from '../../../lib/sweeps/names.js';
import type { SweepRecord } from '../../../lib/sweeps/record.js';
import { resolveSweep } from '../../../lib/sweeps/resolve.js';
import type { SweepState } from '../../../lib/sweeps/state.js';
import { type Fault, Killed, makeFate } from '../../support/fate.js';
import { makeMemoryStore, type MemoryStore } from '../../support/memory-store.js';
import { ROOM_FOR_ALL } from '../../support/room.js';

const JOB = { data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] }, training: { max_updates: 9, epochs: 100 } };
const PARAMETERS = { lr: { distribution: 'log_uniform_values', min: 1e-4, max: 1e-1 }, 'training.accum_iters': { values: [1, 2] } };
const metric = { name: 'loss' };

const SWEEPS = {
  'promotion, by TPE': { method: 'tpe', metric, run_cap: 10, parameters: PARAMETERS, budget: { max_concurrent: 2 }, early_terminate: { type: 'asha', min_iter: 1, max_iter: 9 }, sampler: { n_startup_trials: 3 }, job: JOB },
  'stopping': { method: 'random', metric, run_cap: 8, parameters: PARAMETERS, budget: { max_concurrent: 3 }, early_terminate: { type: 'asha', variant: 'stopping', min_iter: 1, max_iter: 9 }, job: JOB },
  'a population': { method: 'pbt', metric, pbt: { population: 3, interval: 3 }, parameters: PARAMETERS, job: JOB },
  'a grid, a target': { method: 'grid', metric: { ...metric, target: 0.1 }, parameters: { lr: { values: [0.1, 0.03, 0.01, 0.001] }, 'training.accum_iters': { values: [1, 2] } }, budget: { max_concurrent: 2, max_failed: 3 }, job: JOB },
};

const READS = ['get', 'head'] as const;
const WRITES = ['put', 'putIfAbsent', 'compareAndSwap', 'delete'] as const;
const START_MS = Date.UTC(2026, 0, 1);
/** Between two things that the hand does. */
const STEP_MS = 1_000;
const STEPS_MAX = 300;

const RESULT: Omit<JobResult, 'metrics'> = { weights_sha256: 'a'.repeat(64), state_sha256: 'b'.repeat(64), validation: null, updates: 9, unused_micro_batches: 0, skipped_windows: 0, stopped_by: 'max_updates', engine: 'tensorflow', numerics_class: 'tensorflow/test', numerics: 'strict' };

/** A trial's loss at an update; one has none, and so many fail. */
const lossOf = (trial: number, updates: number): number | null => (trial === 4 && updates > 1 ? null : 1 / (1 + updates) + ((trial * 3 + 4) % 7) / 10);
const failsAt = (trial: number): boolean => trial === 3;

interface Lived {
  /** Every entry of the log, and what is written of each job. */
  written: Record<string, string>;
  writes: number;
  struck: number;
  state: SweepState;
}

async function liveThrough(spec: object, controllers: number, faultAt: (write: number) => Fault): Promise<Lived> {
  const store = makeMemoryStore();
  let nowMs = START_MS;
  const clock = { now: () => new Date(nowMs), sleep: () => Promise.resolve() };
  const resolved = resolveSweep(spec);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  const record = await createSweep({ store, clock }, { id: `swp_${'0'.repeat(26)}`, created_at: clock.now().toISOString(), spec: resolved.spec, schedule: null });

  let writes = 0;
  let struck = 0;
  const start = (): Promise<Controller> =>
    startController(store, record, clock, () => {
      const fault = faultAt(writes++);
      if (fault !== 'none') struck++;
      return fault;
    });
  const all = await Promise.all(Array.from({ length: controllers }, start));

  const isOpen = async (): Promise<boolean> => (await store.head(openSweepKey(record.id))) !== null;
  /** Until nothing is left to do for any of them. */
  async function settle(): Promise<void> {
    for (let before = -1; before !== writes && (await isOpen()); ) {
      before = writes;
      for (const [index, controller] of all.entries()) {
        try {
          await driveSweep(controller.deps, controller.log, controller.known);
        } catch (error) {
          if (!(error instanceof Killed) && !isAppError(error)) throw error;
          all[index] = await start();
        }
      }
    }
  }
  for (let step = 0; await isOpen(); step++) {
    if (step === STEPS_MAX) throw new Error(`${STEPS_MAX} steps, and no end`);
    await settle();
    nowMs += STEP_MS;
    await carryOn(store, record, clock.now());
  }
  const written = Object.fromEntries([...store.objects].filter(([key]) => key.startsWith(logPrefix(record.id)) || key.startsWith('jobs/')).map(([key, { body }]) => [key, body.toString()]));
  return { written, writes, struck, state: await readState(store, record) };
}

interface Controller {
  deps: DriveDeps;
  log: SweepLog;
  known: Known;
}

async function startController(store: MemoryStore, record: SweepRecord, clock: DriveDeps['clock'], next: () => Fault): Promise<Controller> {
  const { meet } = makeFate((call) => (WRITES.some((verb) => verb === call) ? next() : 'none'));
  const mine = { ...store, ...Object.fromEntries([...READS, ...WRITES].map((verb) => [verb, meet(verb, store[verb] as (...values: unknown[]) => Promise<unknown>)])) };
  const deps: DriveDeps = {
    store: mine, clock, tickets: { issue: () => Promise.resolve(), withdraw: () => Promise.resolve() }, log: { warn: () => undefined }, room: ROOM_FOR_ALL, nudge: () => undefined, isSound: () => Promise.resolve(true),
    // What a fork begins with is a checkpoint that nobody has written here.
    admit: ({ model: { init: _init, ...model }, ...job }) => admitSpec({ ...job, model }, { roots: [], buckets: null }, store),
  };
  return { deps, log: await openLog(deps, record), known: new Map() };
}

/** Ends what is to end, or has the first trial that may go on get where it is to get. */
async function carryOn(store: MemoryStore, record: SweepRecord, now: Date): Promise<void> {
  const { trials } = await readState(store, record);
  for (const trial of trials) {
    const id = trialJob(record.id, trial);
    const job = await loadRecord(store, id);
    if (!job) continue;
    const { head, etag } = await readHead({ store }, id);
    const next = carried(job, head, trial.number, now);
    if (!next) continue;
    if (etag === null) await store.putIfAbsent(headKey(id), toJson(next));
    else await store.compareAndSwap(headKey(id), toJson(next), etag);
    return;
  }
}

/** What a worker would leave; null where none would come. */
function carried(job: JobRecord, head: Head, trial: number, now: Date): Head | null {
  if (isTerminal(head.state)) return null;
  const counters = { ...head.counters, attempts: head.counters.attempts + 1, attempt_seconds: head.counters.attempt_seconds + 1 };
  if (head.want.verb === 'cancel') return { ...head, state: 'cancelled', reason: head.want.cause, finished_at: now.toISOString() };
  if (head.want.verb !== 'run') return null;
  const update = pauseAtOf(job, head);
  if (failsAt(trial) && (head.rungs.length > 0 || update === null)) return { ...head, counters, state: 'failed', finished_at: now.toISOString(), error: { code: 'nonfinite_loss', message: 'it is NaN', param: null } };
  if (update !== null && update < job.spec.training.max_updates!) {
    const commit = { id: `ckpt_${String(update).padStart(26, '0')}`, seq: update, manifest: 'm', manifest_sha256: '0'.repeat(64), micro_batches: update, updates: update, window_position: 0, committed_at: now.toISOString(), bytes: 1, bytes_written: 1, best: null, blobs: [] };
    return { ...head, counters, state: 'paused', want: { verb: 'pause', seq: head.want.seq + 1, cause: 'sweep_paused' }, reason: 'sweep_paused', retained: [...head.retained, commit], rungs: [...head.rungs, { update, metrics: { loss: lossOf(trial, update) }, validation: null }] };
  }
  return { ...head, counters, state: 'succeeded', finished_at: now.toISOString(), result: { ...RESULT, metrics: { loss: lossOf(trial, 9) } } };
}

describe.each(Object.entries(SWEEPS))('%s', (_name, spec) => {
  test.each([1, 2])('%i controllers', { timeout: 180_000 }, async (controllers) => {
    const undisturbed = await liveThrough(spec, controllers, () => 'none');
    expect(undisturbed.state.end).toMatchObject({ status: 'succeeded' });
    expect(undisturbed.writes).toBeGreaterThan(10);
    const alone = await liveThrough(spec, 1, () => 'none');
    expect(undisturbed.written).toEqual(alone.written);
    for (const fault of ['last before', 'last', 'lost before', 'lost after'] as const) {
      for (let at = 0; at < undisturbed.writes; at++) {
        const { written, struck } = await liveThrough(spec, controllers, (write) => (write === at ? fault : 'none'));
        expect(struck).toBe(1);
        if (JSON.stringify(written) !== JSON.stringify(undisturbed.written)) expect({ fault, at, written }).toEqual({ fault, at, written: undisturbed.written });
      }
    }
  });
});

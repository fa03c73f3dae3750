// Carries a sweep on: looks at its trials' jobs, tells its log what it sees, and makes the jobs be what the log says. All of it may be
// done twice, by anybody: a trial's job has its id from the sweep, and verbs that hold already change nothing.
import type { Head, JobRecord } from '../contract/records.js';
import type { JobSpec, JobSpecInput } from '../contract/spec.js';
import type { SweepSpec } from '../contract/sweep.js';
import type { SweepStatus } from '../contract/sweep-views.js';
import { AppError, isAppError } from '../errors.js';
import type { Admission } from '../jobs/admission.js';
import type { JobInit } from '../jobs/beginnings.js';
import { type ControlDeps, goOnUntil, sayVerb } from '../jobs/control.js';
import { type HeadDeps, readHead } from '../jobs/head.js';
import { attemptSecondsAt, isTerminal } from '../jobs/lifecycle.js';
import { inParallel } from '../jobs/recent.js';
import { acknowledged, loadRecord } from '../jobs/record.js';
import type { JobRoom } from '../jobs/room.js';
import { submitJob } from '../jobs/submit.js';
import { pauseAtOf } from '../jobs/verbs.js';
import { markStarted } from '../schedules/started.js';
import type { Store } from '../store/index.js';
import type { Params } from './dimension.js';
import type { Fork, SweepEvent } from './events.js';
import type { SweepLog } from './log.js';
import { openSweepKey, trialId, trialJob } from './names.js';
import { applyParams } from './paths.js';
import { isOver, type SweepState, sweepStatus, type TrialState } from './state.js';

export interface DriveDeps extends ControlDeps {
  store: Store;
  /** Whether the clock may be gone by. @throws AppError */
  isSound(): Promise<boolean>;
  /** What a spec makes of itself before it is taken in. @throws AppError */
  admit(spec: JobSpecInput): Promise<Admission>;
  /** Asked before a trial's job is started. */
  room: Pick<JobRoom, 'take'>;
  /** Lets a job's owner know that HEAD wants something new. */
  nudge(job: string): void;
}

/** Of a job's record, which never changes, what every look goes by. */
interface TrialRecord extends Pick<JobRecord, 'pause_at_update'> {
  samplesPerUpdate: number;
}

/**
 * What was last seen of each trial's job. Settled: both are over, and nothing more is to be seen or done. Record: null until there was one.
 * One a sweep, kept by who drives it.
 */
export type Known = Map<number, { attemptSeconds: number; isSettled: boolean; record: TrialRecord | null }>;

/** HEADs read side by side. */
const CONCURRENCY = 16;

/** A trial with its job, as far as there is one. */
interface Seen {
  trial: TrialState;
  id: string;
  job: { record: TrialRecord; head: Head } | null;
  /** Why its job cannot be read, ever; it can be carried on, or told anything, by nobody. Null: it can be. */
  damage: string | null;
}

/**
 * Looks, tells, acts; returns whether the sweep is over and all its jobs are too. Called again and again.
 * @throws AppError store_unavailable
 */
export async function driveSweep(deps: DriveDeps, log: SweepLog, known: Known): Promise<boolean> {
  await log.catchUp();
  if (log.state().entries === 0) await log.append({ type: 'created' });
  if (log.rules.spec.execution === 'external') return watchExternal(deps, log);
  const seen = await look(deps, log, known);
  for (const event of [...(await budgetEvents(deps, log, known)), ...seen.flatMap((each) => eventsOf(log, each))]) {
    // Somebody else wrote first: what was seen may be of yesterday.
    if (!(await log.append(event))) return false;
  }
  const state = log.state();
  const damaged = new Set(seen.filter(({ damage }) => damage !== null).map(({ trial }) => trial.number));
  const jobs = new Map(seen.filter(({ damage }) => damage === null).map((each) => [each.trial.number, each.job]));
  const refused: SweepEvent[] = [];
  const needed = await neededByForks(deps, log, jobs, damaged);
  const regardless = beginsRegardless(state, jobs, needed);
  await inParallel(state.trials.filter(({ number, status }) => known.get(number)?.isSettled !== true && status !== 'paused' && !needed.has(number) && !damaged.has(number)), CONCURRENCY, async (trial) => {
    const id = trialJob(log.record.id, trial);
    let job: Seen['job'] = null;
    try {
      // What was promoted a moment ago was not looked at while it waited.
      job = jobs.has(trial.number) ? (jobs.get(trial.number) ?? null) : await jobOf(deps, id, known.get(trial.number)?.record);
      await act(deps, log, known, { trial, id, job, regardless: trial.number === regardless });
    } catch (error) {
      if (!isAppError(error)) throw error;
      deps.log.warn({ sweep: log.record.id, trial: trial.number, code: error.code }, `a trial was not seen to: ${error.message}`);
      if (!job && !error.retryable) refused.push({ type: 'ended', trial: trial.number, outcome: 'failed', value: null, message: error.message });
    }
  });
  for (const event of refused) if (!(await log.append(event))) return false;
  if (log.state().end === null || state.trials.some(({ number }) => known.get(number)?.isSettled !== true)) return false;
  await leave(deps, log);
  return true;
}

/** A sweep that is over is looked at no more. */
async function leave(deps: Pick<DriveDeps, 'store'>, log: SweepLog): Promise<void> {
  await log.confirm();
  await deps.store.delete(openSweepKey(log.record.id));
}

/** Trials whose state a fork is still to begin with: they stay where they are until its job is there, and keeps their checkpoint. */
async function neededByForks(deps: DriveDeps, log: SweepLog, jobs: ReadonlyMap<number, Seen['job']>, damaged: ReadonlySet<number>): Promise<Set<number>> {
  const forks = log.state().trials.filter(({ number, status, fork }) => fork !== null && status === 'running' && !damaged.has(number));
  const parents = await inParallel(forks, CONCURRENCY, async (trial) => {
    const isThere = jobs.get(trial.number) ?? (await loadRecord(deps.store, trialJob(log.record.id, trial)));
    return isThere ? [] : [trial.fork!.trial];
  });
  return new Set(parents.flat());
}

/**
 * The trial that begins even where there is no room: the next one of a sweep that holds jobs which wait for its other trials, and of which
 * nothing goes on. It would wait for itself. Null: none.
 */
function beginsRegardless({ trials }: SweepState, jobs: ReadonlyMap<number, Seen['job']>, needed: ReadonlySet<number>): number | null {
  const isHeld = trials.some(({ number, status }) => status === 'paused' || needed.has(number));
  // What was not looked at was decided a moment ago.
  const goesOn = trials.some(({ number, status }) => status === 'running' && !needed.has(number) && jobs.get(number) !== null);
  return isHeld && !goesOn ? (trials.find(({ number, status }) => status === 'running' && jobs.get(number) === null)?.number ?? null) : null;
}

/** Programs tell how such trials go; what nobody tells is the time. */
async function watchExternal(deps: DriveDeps, log: SweepLog): Promise<boolean> {
  for (const event of await budgetEvents(deps, log, new Map())) if (!(await log.append(event))) return false;
  if (log.state().end === null) return false;
  await leave(deps, log);
  return true;
}

async function look(deps: DriveDeps, log: SweepLog, known: Known): Promise<Seen[]> {
  const now = deps.clock.now();
  // Of one that waits at a rung there is nothing new to see until it is promoted.
  return inParallel(log.state().trials.filter(({ number, status }) => known.get(number)?.isSettled !== true && !(status === 'paused' && known.has(number))), CONCURRENCY, async (trial) => {
    const id = trialJob(log.record.id, trial);
    const { job, damage } = await jobOrDamage(deps, id, known.get(trial.number)?.record);
    if (damage !== null) known.set(trial.number, { attemptSeconds: 0, isSettled: isOver(trial), record: null });
    if (job) known.set(trial.number, { attemptSeconds: attemptSecondsAt(job.head, now), isSettled: isOver(trial) && isTerminal(job.head.state), record: job.record });
    return { trial, id, job, damage };
  });
}

async function jobOrDamage(deps: DriveDeps, id: string, known: TrialRecord | null = null): Promise<Pick<Seen, 'job' | 'damage'>> {
  try {
    return { job: await jobOf(deps, id, known), damage: null };
  } catch (error) {
    if (!isAppError(error, 'checkpoint_corrupt')) throw error;
    deps.log.warn({ job: id, code: error.code }, `a trial's job cannot be read: ${error.message}`);
    return { job: null, damage: error.message };
  }
}

async function jobOf(deps: DriveDeps, id: string, known: TrialRecord | null = null): Promise<Seen['job']> {
  const record = known ?? (await trialRecord(deps.store, id));
  return record && { record, head: (await readHead(deps, id)).head };
}

/** Confirmed, for nobody asks again whether it is there. */
async function trialRecord(store: Store, id: string): Promise<TrialRecord | null> {
  const record = await loadRecord(store, id);
  if (!record) return null;
  const { spec, pause_at_update } = await acknowledged(store, record);
  return { pause_at_update, samplesPerUpdate: samplesPerUpdate(spec) };
}

/** How large the data is the record does not say: every window counts as a whole one. */
const samplesPerUpdate = ({ training: { batch_size: batchSize, accum_iters: accumIters } }: JobSpec): number => batchSize * accumIters;

async function budgetEvents({ clock, isSound }: DriveDeps, { record, rules, state }: SweepLog, known: Known): Promise<SweepEvent[]> {
  const { wall_clock: wallClock, compute_seconds: computeSeconds } = rules.spec.budget;
  if (state().spent !== null || state().end !== null) return [];
  if (wallClock !== null && clock.now().getTime() - Date.parse(record.created_at) > wallClock * 1_000 && (await isSound())) return [{ type: 'spent', budget: 'wall_clock' }];
  if (computeSeconds === null) return [];
  const spent = [...known.values()].reduce((sum, { attemptSeconds }) => sum + attemptSeconds, 0);
  return spent > computeSeconds ? [{ type: 'spent', budget: 'compute_seconds' }] : [];
}

/** What a trial's job says that its log does not know yet. */
function eventsOf({ rules }: SweepLog, { trial, job, damage }: Seen): SweepEvent[] {
  if (trial.status === 'running' && damage !== null) return [{ type: 'ended', trial: trial.number, outcome: 'failed', value: null, message: damage }];
  if (trial.status !== 'running' || !job) return [];
  const { head, record } = job;
  const value = (figures: Readonly<Record<string, number | null>>): number | null => (rules.spec.metric ? (figures[rules.spec.metric.name] ?? null) : null);
  switch (head.state) {
    case 'succeeded':
      return [{ type: 'ended', trial: trial.number, outcome: 'succeeded', value: value({ ...head.result?.metrics, ...head.result?.validation }), message: null }];
    case 'failed':
      return [{ type: 'ended', trial: trial.number, outcome: 'failed', value: null, message: head.error?.message ?? head.message }];
    case 'cancelled':
    case 'expired':
      return [{ type: 'ended', trial: trial.number, outcome: 'cancelled', value: null, message: head.message }];
    case 'paused': {
      if (trial.upTo === null) return [];
      const rung = head.rungs.find(({ update }) => update === updateOf(record, rules.spec, trial.upTo));
      return rung ? [{ type: 'reached', trial: trial.number, step: trial.upTo, value: value({ ...rung.metrics, ...rung.validation }) }] : [];
    }
    case 'open':
      return [];
  }
}

/** The update after which a trial has got to a step of its rungs. */
function updateOf({ samplesPerUpdate: samples }: Pick<TrialRecord, 'samplesPerUpdate'>, { early_terminate: rule, pbt }: SweepSpec, upTo: number | null): number | null {
  const resource = pbt?.resource ?? (rule.type === 'none' ? 'updates' : rule.resource);
  if (upTo === null || resource !== 'samples') return upTo;
  return Math.ceil(upTo / samples);
}

/** Makes a trial's job be what the log says. */
async function act(deps: DriveDeps, log: SweepLog, known: Known, { trial, id, job, regardless }: Omit<Seen, 'damage'> & { regardless: boolean }): Promise<void> {
  const { verb } = log.state();
  if (!job) {
    if (isOver(trial)) known.set(trial.number, { attemptSeconds: 0, isSettled: true, record: null });
    if (trial.status !== 'running' || verb === 'suspend') return;
    const hasRoom = (await deps.room.take(1)) === 1;
    // Without a place it waits.
    if (hasRoom || regardless) await submit(deps, log, trial, id);
    return;
  }
  const { head, record } = job;
  if (isTerminal(head.state)) return;
  if (isOver(trial)) {
    if (head.want.verb !== 'cancel' && head.want.verb !== 'kill') await say(deps, id, 'cancel', 'sweep_pruned');
    return;
  }
  if (trial.status !== 'running') return;
  const update = updateOf(record, log.rules.spec, trial.upTo);
  if (verb === 'suspend') {
    if (head.want.verb === 'run') await say(deps, id, 'pause', 'sweep_paused');
    return;
  }
  // Somebody who paused a trial by hand resumes it by hand.
  const pausedByUs = head.want.verb === 'pause' && head.want.cause === 'sweep_paused';
  const isThere = head.rungs.some((rung) => rung.update === update);
  if ((pausedByUs && !isThere) || (head.want.verb === 'run' && pauseAtOf(record, head) !== update)) await goOnUntil(deps, id, update);
}

async function say(deps: DriveDeps, id: string, verb: 'cancel' | 'pause', cause: 'sweep_pruned' | 'sweep_paused'): Promise<void> {
  await sayVerb(deps, id, verb, cause);
  deps.nudge(id);
}

async function submit(deps: DriveDeps, log: SweepLog, trial: TrialState, id: string): Promise<void> {
  const spec = trialSpec(log, trial.params, await beginningOf(deps, log, trial.fork));
  const admitted = await deps.admit(spec);
  if (log.record.schedule) await markStarted(deps.store, log.record.schedule.id, id);
  await submitJob(deps, {
    ...admitted,
    id,
    principal: `sweep ${log.record.id}`,
    key: null,
    bodySha256: '',
    origin: { pause_at_update: updateOf({ samplesPerUpdate: samplesPerUpdate(admitted.spec) }, log.rules.spec, trial.upTo), sweep: { id: log.record.id, trial_id: trialId(log.record.id, trial.number) }, schedule: log.record.schedule },
  });
}

/** The whole state that a fork begins with; null: it begins as the template says. @throws AppError data_missing where its parent has lost it */
async function beginningOf(deps: DriveDeps, { record, rules, state }: SweepLog, fork: Fork | null): Promise<JobInit | null> {
  if (fork === null) return null;
  const id = trialJob(record.id, state().trials[fork.trial]!);
  const parent = await jobOf(deps, id);
  const update = parent && updateOf(parent.record, rules.spec, fork.step);
  const commit = parent?.head.retained.findLast(({ updates }) => updates === update);
  if (!commit) throw new AppError('data_missing', `${id} has no checkpoint of its update ${update} any more`);
  return { job: id, checkpoint: commit.id, include: 'state' };
}

/** The job of a trial: the template with its parameters, and what the sweep says of failures. */
function trialSpec({ rules: { spec, template } }: SweepLog, params: Params, init: JobInit | null): JobSpecInput {
  if (template === null) throw new Error('its trials are no jobs');
  const job = applyParams(template, params);
  return { ...job, ...(init && { model: { ...job.model, init } }), run: { max_failures: spec.failure.retries, ...job.run } };
}

/** What is seen of a sweep from outside. @throws AppError store_unavailable */
export async function currentStatus(store: HeadDeps['store'], sweep: string, state: SweepState): Promise<SweepStatus> {
  return sweepStatus(state, state.end === null && state.verb === 'suspend' && (await isWorkedOn(store, sweep, state)));
}

/** Whether a worker has one of its trials. */
export async function isWorkedOn(store: HeadDeps['store'], sweep: string, state: SweepState): Promise<boolean> {
  const running = state.trials.filter(({ status }) => status === 'running');
  const heads = await inParallel(running, CONCURRENCY, (trial) => readHead({ store }, trialJob(sweep, trial)));
  return heads.some(({ head }) => head.owner !== null);
}

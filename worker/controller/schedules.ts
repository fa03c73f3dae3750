// Schedules of a controller: the ticker of lib/schedules, with jobs and sweeps as what it starts, asks after and stops. When anything
// fires is decided there; what a job or sweep does with a verb is its own business.
import type { Clock } from '../../lib/clock.js';
import type { ScheduleReference } from '../../lib/contract/records.js';
import { isAppError } from '../../lib/errors.js';
import type { Admission } from '../../lib/jobs/admission.js';
import { type ControlDeps, sayVerb } from '../../lib/jobs/control.js';
import { issueTicket } from '../../lib/jobs/handover.js';
import { glanceAtHead } from '../../lib/jobs/head.js';
import { makeRecent } from '../../lib/jobs/recent.js';
import { loadRecord } from '../../lib/jobs/record.js';
import type { JobRoom } from '../../lib/jobs/room.js';
import { type ResolvedSpec, resolveSpec } from '../../lib/jobs/spec/resolve.js';
import { submitJob } from '../../lib/jobs/submit.js';
import type { RunState } from '../../lib/schedules/decide.js';
import type { TickDeps } from '../../lib/schedules/fires.js';
import { makeTicker, type Ticker, type TickerOptions, type TickerTiming } from '../../lib/schedules/ticker.js';
import type { Store } from '../../lib/store/index.js';
import type { Series, SweepAdmission } from '../../lib/sweeps/admission.js';
import { sayToSweep } from '../../lib/sweeps/control.js';
import { currentStatus } from '../../lib/sweeps/drive.js';
import { createSweep, loadSweep, openLog, type SweepLog } from '../../lib/sweeps/log.js';
import { openSweepKey } from '../../lib/sweeps/names.js';

export interface ScheduleRunDeps extends ControlDeps {
  store: Store;
  clock: Clock;
  /** Whether the clock may be gone by. @throws AppError */
  isSound(): Promise<boolean>;
  /** What a spec makes of itself before it is taken in; `resolved` if that has been worked out. @throws AppError */
  admit(spec: unknown, resolved?: ResolvedSpec): Promise<Admission>;
  /** The same of a sweep. @throws AppError */
  admitSweep(spec: unknown, series: Series): Promise<SweepAdmission>;
  /** Asked before a job is started. */
  room: JobRoom;
  /** Lets a job's owner know that HEAD wants something new, and controllers of a new sweep. */
  nudge(job: string): void;
}

export interface ScheduleDriver extends Pick<Ticker, 'start' | 'quiet' | 'close'> {
  /** Something happened to a job: if a schedule started it, that is looked at. */
  jobChanged(job: string): Promise<void>;
  /** Somebody changed it, or something that it started is over: looked at now. */
  changed(schedule: string): void;
}

/** @param name of this controller */
export function makeScheduleDriver(deps: ScheduleRunDeps, name: string, timing: Partial<TickerTiming> = {}): ScheduleDriver {
  const ticker = makeTicker({ ...deps, ...makeRunCalls(deps), name, timing });
  return {
    start: ticker.start,
    quiet: ticker.quiet,
    close: ticker.close,
    jobChanged: async (job) => {
      const schedule = (await loadRecord(deps.store, job).catch(() => null))?.schedule;
      if (schedule) ticker.note(schedule.id);
    },
    changed: ticker.note,
  };
}

/** Sweeps whose logs are kept open, because they are asked after again and again. */
const LOGS_MAX = 64;

/** Starting, asking after and stopping what schedules start. */
export function makeRunCalls(deps: ScheduleRunDeps): Pick<TickDeps, 'start' | 'stateOf' | 'stop' | 'takePlaces'> & Pick<TickerOptions, 'prepare'> {
  const { store } = deps;
  const logs = makeRecent<SweepLog>(LOGS_MAX);
  /** Of bodies that will be started soon, as long as somebody has them. */
  const resolved = new WeakMap<object, ResolvedSpec>();

  async function startJob(id: string, body: object, schedule: ScheduleReference, again: boolean): Promise<void> {
    // One that was acknowledged has its marker, and needs no more than a ticket, whatever has become of what its body names.
    const there = again ? await loadRecord(store, id) : null;
    if (there) return void (await issueTicket(deps, there, await glanceAtHead({ store }, id), { reissue: false }));
    await submitJob(deps, { ...(await deps.admit(body, resolved.get(body))), id, principal: `schedule ${schedule.id}`, key: null, bodySha256: '', origin: { pause_at_update: null, sweep: null, schedule } });
  }

  async function startSweep(id: string, body: unknown, schedule: ScheduleReference, previous: string | null): Promise<void> {
    const { spec, warm_start, noted } = await deps.admitSweep(body, { previous });
    await createSweep(deps, { id, created_at: deps.clock.now().toISOString(), spec, schedule, warm_start, noted });
    deps.nudge(id);
  }

  /** As it is now; null where there is no such sweep. */
  async function sweepLog(id: string): Promise<SweepLog | null> {
    const known = logs.get(id);
    if (known) {
      await known.catchUp();
      return known;
    }
    const record = await loadSweep(store, id);
    if (!record) return null;
    const log = await openLog(deps, record);
    logs.set(id, log);
    return log;
  }

  async function stateOfSweep(id: string): Promise<RunState> {
    const log = await sweepLog(id);
    if (!log) return 'missing';
    const state = log.state();
    // It has ended, and its jobs have not all.
    if (state.end !== null && (await store.head(openSweepKey(id))) !== null) return 'active';
    const status = await currentStatus(store, id, state);
    switch (status) {
      case 'succeeded':
      case 'failed':
        return status;
      case 'stopped':
      case 'cancelled':
        return 'cancelled';
      case 'suspended':
      case 'paused':
        return 'paused';
      case 'running':
      case 'pausing':
      case 'suspending':
      case 'stopping':
      case 'cancelling':
        return 'active';
    }
  }

  async function stopSweep(id: string, verb: 'suspend' | 'cancel'): Promise<void> {
    const log = await sweepLog(id);
    if (log) await unlessOver(sayToSweep(log, verb));
  }

  return {
    prepare: ({ spec: { job } }) => {
      if (job === null) return;
      deps.room.ahead();
      if (!resolved.has(job)) resolved.set(job, resolveSpec(job));
    },
    start: ({ kind, id }, body, schedule, previous, again) => (kind === 'job' ? startJob(id, body, schedule, again) : startSweep(id, body, schedule, previous)),
    stateOf: ({ kind, id }) => (kind === 'job' ? stateOfJob(store, id) : stateOfSweep(id)),
    takePlaces: deps.room.take,
    stop: ({ kind, id }, how) => (kind === 'job' ? stopJob(deps, id, how) : stopSweep(id, how === 'pause' ? 'suspend' : 'cancel')),
  };
}

/** @throws AppError store_unavailable, checkpoint_corrupt */
async function stateOfJob(store: Store, id: string): Promise<RunState> {
  const { state, want, owner, started_at: startedAt } = await glanceAtHead({ store }, id);
  switch (state) {
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return state;
    case 'expired':
      return 'cancelled';
    case 'open':
    case 'paused':
      if (startedAt === null && !(await loadRecord(store, id))) return 'missing';
      if (owner !== null || want.verb === 'run') return 'active';
      return want.verb === 'pause' ? 'paused' : 'cancelled';
  }
}

/** One that is over, or about to be cancelled, is left alone. */
async function stopJob(deps: ScheduleRunDeps, id: string, how: 'pause' | 'cancel'): Promise<void> {
  if (await unlessOver(sayVerb(deps, id, how, 'schedule'))) deps.nudge(id);
}

/** Whether it was said; false to what is over, about to be, or was never there. */
async function unlessOver(said: Promise<unknown>): Promise<boolean> {
  try {
    await said;
    return true;
  } catch (error) {
    if (!isAppError(error, 'invalid_state') && !isAppError(error, 'not_found')) throw error;
    return false;
  }
}

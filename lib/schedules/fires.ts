// One look at a schedule: decides on the fires that are due by one swap of its HEAD, then carries out whatever HEAD says is to be
// done, by whomever it was decided, and says so in HEAD. Any number of controllers may look at the same time; each may end anywhere.
//
// What comes before a run is acknowledged is all that makes it late, so the rest can be put off: until it is done, HEAD says `starting`.
import type { ScheduleReference } from '../contract/records.js';
import type { Fire, RunReference, ScheduleHead } from '../contract/schedule.js';
import { type AppError, isAppError } from '../errors.js';
import { inParallel } from '../jobs/recent.js';
import type { Store } from '../store/index.js';
import { decided, type Done, isUnsettled, type RunState, settled, startedFire } from './decide.js';
import { isPruningDue, pruneFires } from './prune.js';
import { editSchedule, type RecordDeps, recordFire, type ScheduleRecord } from './record.js';
import { markStarted } from './started.js';

export interface TickDeps extends RecordDeps {
  store: RecordDeps['store'] & Pick<Store, 'keys' | 'delete'>;
  /**
   * Starts a run under this id, once: where it is there already, nothing is done. AppErrors that are not retryable refuse it.
   * @param previous the sweep that the schedule started last; null: none
   * @param again somebody may have tried before
   */
  start(run: RunReference, body: Readonly<Record<string, unknown>>, schedule: ScheduleReference, previous: string | null, again: boolean): Promise<void>;
  /** `missing`: there is none of that id. @throws AppError store_unavailable; checkpoint_corrupt: it has failed */
  stateOf(run: RunReference): Promise<RunState>;
  /** Places for so many jobs, or for as many as may still be started. @throws AppError store_unavailable */
  takePlaces(wanted: number): Promise<number>;
  /** Tells a run to stop, with a commit; one that is over is left alone. Says it, and does not wait until it has happened. */
  stop(run: RunReference, how: 'pause' | 'cancel'): Promise<void>;
}

export interface Tick extends ScheduleRecord {
  /** What could not be carried out, and will be tried again. */
  failures: AppError[];
  /** There is something to be carried out that another has only just decided: it is about to do it, or has ended. */
  isLeft: boolean;
}

export interface LookOptions {
  /** HEAD as it was read before, perhaps not long ago. */
  known?: ScheduleRecord | null;
  /** The tag of HEAD when this process saw it last: what others decided since then is left to them. Undefined: nothing is. */
  seen?: string | undefined;
  /** Waited for before what was started is recorded. */
  whenStarted?: (before: ScheduleHead, after: ScheduleHead) => Promise<void>;
}

const WIDTH = 16;

/**
 * @returns null where there is no such schedule
 * @throws AppError store_unavailable
 */
export async function tickSchedule(deps: TickDeps, schedule: string, now: Date, { known = null, seen, whenStarted }: LookOptions = {}): Promise<Tick | null> {
  const states = new Map<string, RunState>();
  let before = null as ScheduleHead | null;
  const record = await editSchedule(deps, schedule, async (current) => {
    before = current;
    const asked = current.runs.filter(({ state, run }) => state === 'running' && !states.has(run.id));
    await inParallel(asked, WIDTH, async ({ run }) => states.set(run.id, await stateOrFailed(deps, run)));
    const moment = { schedule, nowMs: now.getTime(), states };
    const next = decided(current, { ...moment, room: Infinity });
    // a sweep is no job: its trials wait by themselves
    const wanted = next === null || current.spec.job === null ? 0 : next.runs.filter(({ fire }) => !current.runs.some((run) => run.fire === fire)).length;
    const room = wanted === 0 ? 0 : await deps.takePlaces(wanted);
    return room < wanted ? decided(current, { ...moment, room }) : next;
  }, known);
  if (!record || !before || !isUnsettled(record.head)) return record && { ...record, failures: [], isLeft: false };
  if (before === record.head && seen !== undefined && seen !== record.etag) return { ...record, failures: [], isLeft: true };
  const acts = makeActs(deps, schedule, before, record.head);
  await acts.start();
  await whenStarted?.(before, record.head);
  await acts.record();
  const after = await editSchedule(deps, schedule, (current) => settled(current, acts.done, schedule, now.getTime()), record);
  // What could not go now goes some other time.
  if (after && isPruningDue(before.counts, after.head.counts)) await pruneFires(deps.store, schedule, now).catch(() => undefined);
  return after && { ...after, failures: acts.failures, isLeft: false };
}

/** What cannot be read can be carried on by nobody. */
async function stateOrFailed({ stateOf }: Pick<TickDeps, 'stateOf'>, run: RunReference): Promise<RunState> {
  try {
    return await stateOf(run);
  } catch (error) {
    if (isAppError(error, 'checkpoint_corrupt')) return 'failed';
    throw error;
  }
}

/** What HEAD says is to be done, in two steps; every part of it may have been done before. */
function makeActs(deps: TickDeps, schedule: string, before: ScheduleHead, head: ScheduleHead) {
  const done = { started: [] as Done['started'][number][], recorded: new Set<string>(), stopped: new Map<string, 'pause' | 'cancel'>() };
  const failures: AppError[] = [];
  const known = new Set(before.runs.map(({ fire }) => fire));
  const outcomes: Done['started'][number][] = [];
  const attempt = async (step: () => Promise<void>): Promise<void> => {
    try {
      await step();
    } catch (error) {
      if (!isAppError(error)) throw error;
      failures.push(error);
    }
  };
  return {
    done: done satisfies Done,
    failures,
    /** Runs that start, and those that are told to stop. */
    start: () =>
      inParallel(head.runs, WIDTH, (entry) =>
        attempt(async () => {
          const { run, stop, fire } = entry;
          if (entry.state === 'starting') {
            const outcome = startedFire(schedule, entry, await startOrRefuse(deps, head, run, { id: schedule, nominal_time: entry.nominal_time }, known.has(fire)));
            outcomes.push(outcome);
            if (outcome.outcome !== 'started') return;
          }
          if (stop === null || entry.stop_said) return;
          await deps.stop(run, stop);
          done.stopped.set(fire, stop);
        }),
      ),
    /** What became of fires. */
    record: async () => {
      const record = (fire: Fire, then: () => void): Promise<void> =>
        attempt(async () => {
          await Promise.all([recordFire(deps.store, fire), ...(fire.run ? [markStarted(deps.store, schedule, fire.run.id)] : [])]);
          then();
        });
      await inParallel(outcomes, WIDTH, (fire) => record(fire, () => done.started.push(fire)));
      await inParallel(head.unrecorded, WIDTH, (fire) => record(fire, () => done.recorded.add(fire.id)));
    },
  };
}

/** Why it cannot be started, ever; null once it was. @throws AppError retryable */
async function startOrRefuse(deps: TickDeps, { spec, last_sweep: previous }: ScheduleHead, run: RunReference, reference: ScheduleReference, again: boolean): Promise<string | null> {
  try {
    await deps.start(run, spec.job ?? spec.sweep ?? {}, reference, previous ?? null, again);
    return null;
  } catch (error) {
    if (!isAppError(error) || error.retryable) throw error;
    // somebody else may have started it before it became impossible
    return (await deps.stateOf(run)) === 'missing' ? error.message : null;
  }
}

// What becomes of a schedule's HEAD, as pure functions: decisions on fires that are due, and what is known once they were carried
// out. fires.ts does the writing and the carrying out.
//
// A fire that starts something is first an entry of `runs` in state `starting`, with the id of its run: the swap that puts it there
// also moves `last_nominal` on, so a nominal time is decided on once. Carrying out is idempotent, and done by whoever looks while
// the entry says so; its record is written before the entry says `running`. Where there is no room for another job a fire is none of
// the runs: it waits in the buffer, so that nobody starts what somebody else gives up.
import type { DueFire, Fire, FireCause, OpenRun, OverlapPolicy, RecentFire, RunEnding, RunReference, ScheduleHead, ScheduleSpec, SkipReason } from '../contract/schedule.js';
import { catchUp, nextDueMs, type Timing } from './catch-up.js';
import { fireIdOf, runOf } from './names.js';
import { BUFFER_MAX, overlapActions, RUNNING_MAX } from './overlap.js';

/** What a job or sweep is at: `active`: not over, queued included. */
export type RunState = 'active' | RunEnding;

const RECENT_MAX = 10;

export interface Moment {
  schedule: string;
  nowMs: number;
  /** Of runs that were asked after, by their id. */
  states: ReadonlyMap<string, RunState>;
  /** So many jobs may be started. */
  room: number;
}

/** With what ran before anything was decided. */
interface Deciding extends Moment {
  before: ReadonlySet<string>;
}
const hasRoom = ({ runs }: ScheduleHead, { room, before }: Deciding): boolean => runs.filter(({ fire }) => !before.has(fire)).length < room;

const isoOf = (ms: number): string => new Date(ms).toISOString();
const timingOf = (schedule: string, spec: ScheduleSpec): Timing => ({ schedule, rule: spec, windowMs: spec.catchup_window * 1_000, jitterMs: spec.jitter * 1_000 });

/** A fire whose time has come; `askedBy`: what tells it from others that users ask for at this time, null where nobody asked. */
export const dueFire = (schedule: string, nominalMs: number, cause: FireCause, policy: OverlapPolicy, askedBy: string | null = null): DueFire => ({ id: fireIdOf(schedule, nominalMs, cause, askedBy), nominal_time: isoOf(nominalMs), cause, overlap_policy: policy });

/** HEAD after everything that can be decided now, or null where there is nothing. */
export function decided(head: ScheduleHead, given: Moment): ScheduleHead | null {
  const moment: Deciding = { ...given, before: new Set(head.runs.map(({ fire }) => fire)) };
  let next = released(withEndings(head, moment), moment);
  for (const due of next.requested) next = overlapped(next, due, moment);
  if (next.requested.length > 0) next = { ...next, requested: [] };
  if (next.status === 'active') next = caughtUp(next, moment, (reached, due) => overlapped(reached, due, moment));
  return next === head ? null : next;
}

/** HEAD once the nominal times up to now have been seen to: recorded as missed, or given to `take`. */
function caughtUp(head: ScheduleHead, { schedule, nowMs }: Pick<Moment, 'schedule' | 'nowMs'>, take: (head: ScheduleHead, due: DueFire) => ScheduleHead): ScheduleHead {
  const lastMs = Date.parse(head.last_nominal);
  const { due, missed, lastNominalMs } = catchUp(timingOf(schedule, head.spec), lastMs, nowMs);
  if (lastNominalMs === lastMs) return head;
  let next: ScheduleHead = { ...head, last_nominal: isoOf(lastNominalMs) };
  if (missed) {
    const fire = dueFire(schedule, missed.throughMs, 'schedule', head.spec.overlap_policy);
    next = withOutcome(next, { ...outcome(schedule, fire, nowMs), outcome: 'missed', missed: { from: isoOf(missed.fromMs), count: missed.count } }, missed.count);
  }
  for (const nominalMs of due) next = take(next, dueFire(schedule, nominalMs, 'schedule', head.spec.overlap_policy));
  return next;
}

/** HEAD after the oldest of very many nominal times, all of them missed; the same HEAD where there are none such. */
export function missedPiece(head: ScheduleHead, moment: Pick<Moment, 'schedule' | 'nowMs'>): ScheduleHead {
  let isDue = false;
  const reached = caughtUp(head, moment, (next) => {
    isDue = true;
    return next;
  });
  return isDue ? head : reached;
}

/** The same without a time that is left for later: neither what waits in its jitter, nor the end of very many. */
export function caughtUpWholly(head: ScheduleHead, moment: Pick<Moment, 'schedule' | 'nowMs'>, take: (head: ScheduleHead, due: DueFire) => ScheduleHead): ScheduleHead {
  let next = head;
  for (let before = null as ScheduleHead | null; before !== next; ) {
    before = next;
    next = caughtUp(next, moment, take);
  }
  // jitter may be longer than what is missed is made up for
  const all = caughtUp({ ...next, spec: { ...next.spec, jitter: 0, catchup_window: Infinity } }, moment, take);
  return { ...all, spec: head.spec };
}

/** Runs that are over leave; a failure may pause the schedule. */
function withEndings(head: ScheduleHead, { schedule, nowMs, states }: Moment): ScheduleHead {
  let next = head;
  for (const entry of head.runs) {
    const state = entry.state === 'running' ? states.get(entry.run.id) : undefined;
    // one that somebody else paused is not over
    if (state === undefined || state === 'active' || (state === 'paused' && !(entry.stop === 'pause' && entry.stop_said))) continue;
    next = { ...next, runs: next.runs.filter((each) => each !== entry), recent: next.recent.map((fire) => (fire.id === entry.fire ? { ...fire, run_ended: state } : fire)) };
    if (state === 'failed' && next.spec.pause_on_failure) next = paused(next, schedule, nowMs, `${entry.run.id} failed`);
  }
  return next;
}

/** Fires that wait and whose turn has come start, or wait for room, or have waited for it long enough. */
function released(head: ScheduleHead, moment: Deciding): ScheduleHead {
  let next = head;
  const inLine = head.buffered.find(({ overlap_policy: policy }) => policy !== 'allow_all');
  for (const due of head.buffered) {
    const isTurn = due.overlap_policy === 'allow_all' ? next.runs.length < RUNNING_MAX : due === inLine && next.runs.length === 0;
    if (!isTurn) continue;
    const rest = next.buffered.filter(({ id }) => id !== due.id);
    if (hasRoom(next, moment)) next = started({ ...next, buffered: rest }, due, moment);
    else if (due.until === undefined) next = { ...next, buffered: next.buffered.map((each) => (each.id === due.id ? waitsForRoom(head, due, moment) : each)) };
    else if (moment.nowMs > Date.parse(due.until)) next = skipped({ ...next, buffered: rest }, due, 'queue_full', moment);
  }
  return next;
}

const waitsForRoom = ({ spec }: ScheduleHead, due: DueFire, { nowMs }: Moment): DueFire => ({ ...due, until: isoOf(nowMs + spec.catchup_window * 1_000) });

/** A fire by its overlap policy. */
function overlapped(head: ScheduleHead, due: DueFire, moment: Deciding): ScheduleHead {
  const waiting = new Map([...head.buffered, due].map((fire) => [fire.id, fire]));
  const situation = { policy: due.overlap_policy, running: head.runs, buffered: head.buffered.map(({ id }) => id), due: due.id };
  let next = head;
  for (const action of overlapActions(situation)) {
    switch (action.kind) {
      case 'start':
        if (hasRoom(next, moment)) next = started(next, due, moment);
        else if (next.buffered.length < BUFFER_MAX) next = { ...next, buffered: [...next.buffered, waitsForRoom(next, due, moment)] };
        else next = skipped(next, due, 'buffer_full', moment);
        break;
      case 'buffer':
        next = { ...next, buffered: [...next.buffered, due] };
        break;
      case 'skip':
        next = skipped({ ...next, buffered: next.buffered.filter(({ id }) => id !== action.fire) }, waiting.get(action.fire)!, action.reason, moment);
        break;
      case 'cancel_other':
        next = { ...next, runs: next.runs.map((run) => (run.fire === action.fire ? { ...run, stop: 'pause', stop_said: false } : run)) };
        break;
      case 'terminate_other':
        next = { ...next, runs: next.runs.map((run) => (run.fire === action.fire ? { ...run, stop: 'cancel', stop_said: false } : run)) };
        break;
    }
  }
  return next;
}

function started(head: ScheduleHead, due: DueFire, { nowMs }: Moment): ScheduleHead {
  const run: OpenRun = { fire: due.id, nominal_time: due.nominal_time, cause: due.cause, decided_at: isoOf(nowMs), run: runOf(due.id, head.spec.job === null ? 'sweep' : 'job', nowMs), state: 'starting', stop: null, stop_said: false };
  return { ...head, runs: [...head.runs, run] };
}

const outcome = (schedule: string, { id, nominal_time, cause }: Pick<DueFire, 'id' | 'nominal_time' | 'cause'>, decidedMs: number): Omit<Fire, 'outcome'> => ({
  id, object: 'fire', schedule, nominal_time, cause, decided_at: isoOf(decidedMs), reason: null, message: null, missed: null, run: null,
});

const skipped = (head: ScheduleHead, due: DueFire, reason: SkipReason, { schedule, nowMs }: Pick<Moment, 'schedule' | 'nowMs'>): ScheduleHead => withOutcome(head, { ...outcome(schedule, due, nowMs), outcome: 'skipped', reason });

/** A decision that nothing has to be carried out for, but its record. */
const withOutcome = (head: ScheduleHead, fire: Fire, times = 1): ScheduleHead => ({ ...counted(head, fire, times), unrecorded: [...head.unrecorded, fire] });

const counted = (head: ScheduleHead, fire: Fire, times: number): ScheduleHead => ({
  ...head,
  recent: [{ ...fire, run_ended: null } satisfies RecentFire, ...head.recent].slice(0, RECENT_MAX),
  counts: { ...head.counts, [fire.outcome]: head.counts[fire.outcome] + times },
});

/** HEAD paused; cron fires that waited, or whose time has come, do not start any more. */
export function paused(head: ScheduleHead, schedule: string, nowMs: number, note: string | null): ScheduleHead {
  const skip = (reached: ScheduleHead, fire: DueFire): ScheduleHead => skipped(reached, fire, 'paused', { schedule, nowMs });
  const isCron = ({ cause }: DueFire): boolean => cause === 'schedule';
  const rest = (fires: readonly DueFire[]): DueFire[] => fires.filter((fire) => !isCron(fire));
  const next = [...head.buffered, ...head.requested].filter(isCron).reduce(skip, { ...head, status: 'paused', note, buffered: rest(head.buffered), requested: rest(head.requested) });
  return head.status === 'paused' ? next : caughtUpWholly(next, { schedule, nowMs }, skip);
}

// ── what was carried out ───────────────────────────────────────────────────────────────────────────────────────────

/** The record of a fire whose run was started, or refused. */
export const startedFire = (schedule: string, run: OpenRun, refusal: string | null): Fire => ({
  ...outcome(schedule, { ...run, id: run.fire }, Date.parse(run.decided_at)),
  ...(refusal === null ? { outcome: 'started', run: run.run } : { outcome: 'failed', message: refusal }),
});

export interface Done {
  /** Records that are written, of fires that started something or were refused. */
  started: readonly Fire[];
  /** Records that are written, of all others; ids. */
  recorded: ReadonlySet<string>;
  /** Runs that were told to stop, as it was wanted then; by their fire. */
  stopped: ReadonlyMap<string, OpenRun['stop']>;
}

/** HEAD once things were carried out, by us or by others before us; null where it says so already. */
export function settled(head: ScheduleHead, done: Done, schedule: string, nowMs: number): ScheduleHead | null {
  let next = head;
  for (const fire of done.started) {
    const entry = next.runs.find((run) => run.fire === fire.id);
    if (entry?.state !== 'starting') continue;
    next = counted(next, fire, 1);
    if (fire.outcome === 'started') next = { ...withSweep(next, entry.run), runs: next.runs.map((run) => (run === entry ? { ...run, state: 'running' } : run)) };
    else {
      next = { ...next, runs: next.runs.filter((run) => run !== entry) };
      if (next.spec.pause_on_failure) next = paused(next, schedule, nowMs, `a fire was refused: ${fire.message}`);
    }
  }
  const isSaid = (run: OpenRun): boolean => run.stop !== null && !run.stop_said && done.stopped.get(run.fire) === run.stop;
  if (next.runs.some(isSaid)) next = { ...next, runs: next.runs.map((run) => (isSaid(run) ? { ...run, stop_said: true } : run)) };
  if (next.unrecorded.some(({ id }) => done.recorded.has(id))) next = { ...next, unrecorded: next.unrecorded.filter(({ id }) => !done.recorded.has(id)) };
  return next === head ? null : next;
}

/** Ids are in the order of the decisions to start them. */
const withSweep = (head: ScheduleHead, { kind, id }: RunReference): ScheduleHead => (kind === 'sweep' && id > (head.last_sweep ?? '') ? { ...head, last_sweep: id } : head);

/** Whether something has been decided that is not carried out yet. */
export const isUnsettled = (head: Pick<ScheduleHead, 'runs' | 'unrecorded'>): boolean => head.unrecorded.length > 0 || head.runs.some((run) => run.state === 'starting' || (run.stop !== null && !run.stop_said));

// ── when to look again ─────────────────────────────────────────────────────────────────────────────────────────────

/** Between looks at what could not be carried out, and at a run that another fire waits for. */
export const AGAIN_MS = 1_000;
/** Between looks at whether there is room. */
const ROOM_MS = 5_000;
/** Between looks at runs that nobody waits for. */
const WATCH_MS = 30_000;

export interface NextLooks {
  /** For what has its time. Infinity: nothing has, before somebody changes the schedule. */
  dueMs: number;
  /** After runs that nobody waits for; may come later. Infinity: there are none. */
  watchMs: number;
}

/** @param share from 0 to 1: looks after runs come by up to half sooner, so that not all runs that were started together are asked after together */
export function nextLooks(head: ScheduleHead, schedule: string, nowMs: number, share = 0): NextLooks {
  const fireMs = head.status === 'active' ? (nextDueMs(timingOf(schedule, head.spec), Date.parse(head.last_nominal)) ?? Infinity) : Infinity;
  return { dueMs: Math.min(fireMs, nowMs + waitMs(head)), watchMs: head.runs.length > 0 ? nowMs + WATCH_MS * (1 - share / 2) : Infinity };
}

/** Until something that has no time of its own is looked at again. */
function waitMs({ requested, runs, unrecorded, buffered }: ScheduleHead): number {
  if (requested.length > 0) return 0;
  if (isUnsettled({ runs, unrecorded })) return AGAIN_MS;
  if (buffered.length === 0) return Infinity;
  return buffered.some(({ until }) => until !== undefined) ? ROOM_MS : AGAIN_MS;
}

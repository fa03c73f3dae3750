// What users do to schedules: create, change, pause, resume, trigger, backfill, remove. Each is one swap of HEAD, or none; nothing
// is started here. Fires that are asked for are decided on by the next tick.
import { BACKFILL_MAX, type DueFire, type Fire, type OverlapPolicy, type ScheduleHead, type ScheduleSpec } from '../contract/schedule.js';
import { AppError } from '../errors.js';
import { fromJson } from '../jobs/record.js';
import type { Store } from '../store/index.js';
import { canonicalJson } from '../training/canonical-json.js';
import { type Asking, askedNow } from './asking.js';
import { caughtUpWholly, dueFire, missedPiece, paused } from './decide.js';
import { fireIdOf, fireKey, firesPrefix, scheduleKey } from './names.js';
import { fireTimes } from './next.js';
import { BUFFER_MAX } from './overlap.js';
import { editSchedule, readSchedule, type RecordDeps, writeNewSchedule } from './record.js';
import { markStarted } from './started.js';

/** HEAD after the nominal times that were missed, however many: nobody else waits for all of them. */
async function withoutMissed(head: ScheduleHead, schedule: string, nowMs: number): Promise<ScheduleHead> {
  for (let reached = head; reached.status === 'active'; ) {
    const next = missedPiece(reached, { schedule, nowMs });
    if (next === reached) return reached;
    reached = next;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return head;
}

/** @throws AppError not_found */
async function edit(deps: RecordDeps, schedule: string, change: (head: ScheduleHead) => Promise<ScheduleHead | null> | ScheduleHead | null): Promise<ScheduleHead> {
  let isAsWanted = false;
  const record = await editSchedule(deps, schedule, async (head) => {
    const changed = await change(head);
    isAsWanted = changed === null;
    return changed;
  });
  if (!record) throw new AppError('not_found', `no schedule ${schedule}`, { param: 'id' });
  if (isAsWanted) await deps.store.confirm(scheduleKey(schedule));
  return record.head;
}

/** A schedule that an earlier request created, once that can be said; null: there is none. @throws AppError store_unavailable */
export async function createdSchedule(deps: Pick<RecordDeps, 'store'>, schedule: string): Promise<ScheduleHead | null> {
  const record = await readSchedule(deps, schedule);
  if (record) await deps.store.confirm(scheduleKey(schedule));
  return record && record.head;
}

/** @param schedule a fresh id; a repeat with the same one finds the schedule there. @throws AppError store_unavailable */
export function createSchedule(deps: Pick<RecordDeps, 'store' | 'clock'>, schedule: string, { spec, paused: begins }: { spec: ScheduleSpec; paused: boolean }): Promise<ScheduleHead> {
  const now = deps.clock.now().toISOString();
  return writeNewSchedule(deps, schedule, {
    version: 0, spec, created_at: now, updated_at: now, status: begins ? 'paused' : 'active', note: null, last_nominal: now, requested: [], buffered: [], runs: [], unrecorded: [], recent: [],
    counts: { started: 0, skipped: 0, missed: 0, failed: 0 },
  });
}

/**
 * Replaces the spec. Nominal times of the old rule that have come still fire, with the new body and without waiting for jitter; the new
 * rule counts from now on.
 * @throws AppError not_found, store_unavailable
 */
export function updateSchedule(deps: RecordDeps, schedule: string, spec: ScheduleSpec): Promise<ScheduleHead> {
  const now = deps.clock.now();
  return edit(deps, schedule, async (head) => {
    if (canonicalJson(head.spec) === canonicalJson(spec)) return null;
    const sameRule = canonicalJson(ruleOf(head.spec)) === canonicalJson(ruleOf(spec));
    const seen = sameRule || head.status === 'paused' ? head : caughtUpWholly(await withoutMissed(head, schedule, now.getTime()), { schedule, nowMs: now.getTime() }, (reached, due) => ({ ...reached, requested: [...reached.requested, due] }));
    return { ...seen, spec, updated_at: now.toISOString(), last_nominal: sameRule ? seen.last_nominal : later(seen.last_nominal, now.toISOString()) };
  });
}

const ruleOf = ({ cron, timezone, dst }: ScheduleSpec): unknown => ({ cron, timezone, dst });
const later = (a: string, b: string): string => (a > b ? a : b);

/** Nothing fires by its cron rule until it is resumed, and what was about to is skipped; what runs goes on. @throws AppError not_found, store_unavailable */
export function pauseSchedule(deps: RecordDeps, schedule: string, note: string | null): Promise<ScheduleHead> {
  const nowMs = deps.clock.now().getTime();
  return edit(deps, schedule, async (head) => {
    if (head.status === 'paused' && (note === null || head.note === note)) return null;
    return { ...paused(await withoutMissed(head, schedule, nowMs), schedule, nowMs, note), updated_at: new Date(nowMs).toISOString() };
  });
}

/** Nominal times that passed meanwhile are not made up for. @throws AppError not_found, store_unavailable */
export function resumeSchedule(deps: RecordDeps, schedule: string): Promise<ScheduleHead> {
  const now = deps.clock.now().toISOString();
  return edit(deps, schedule, (head) => (head.status === 'active' ? null : { ...head, status: 'active', note: null, updated_at: now, last_nominal: later(head.last_nominal, now) }));
}

/**
 * A fire now, whether paused or not; once for one asking, however often it is said.
 * @returns what was asked for
 * @throws AppError not_found, store_unavailable
 */
export async function triggerSchedule(deps: RecordDeps, schedule: string, policy: OverlapPolicy | null, { at, by }: Asking = askedNow(deps.clock.now())): Promise<{ head: ScheduleHead; fire: DueFire }> {
  const fireUnder = (head: ScheduleHead): DueFire => dueFire(schedule, at.getTime(), 'trigger', policy ?? head.spec.overlap_policy, by);
  const head = await edit(deps, schedule, async (current) => {
    const fire = fireUnder(current);
    // whatever leaves HEAD has been recorded
    const isThere = isKnown(current, fire.id) || (await deps.store.get(fireKey(schedule, fire.id))) !== null;
    return isThere ? null : { ...current, requested: [...current.requested, fire] };
  });
  return { head, fire: fireUnder(head) };
}

/**
 * Fires at the nominal times of a stretch of the past, both ends included, but those that started something already; once for one asking.
 * @throws AppError not_found; invalid_request (the future, or too many at a time); store_unavailable
 */
export async function backfillSchedule(deps: RecordDeps & { store: Pick<Store, 'keys'> }, schedule: string, { from, to, policy }: { from: Date; to: Date; policy: OverlapPolicy }, { by }: Asking = askedNow(deps.clock.now())): Promise<{ head: ScheduleHead; fires: DueFire[] }> {
  const now = deps.clock.now();
  if (to > now) throw new AppError('invalid_request', 'lies in the future; allowed are times that have passed', { param: 'to' });
  if (from > to) throw new AppError('invalid_request', 'lies after `to`', { param: 'from' });
  let fires: DueFire[] = [];
  const head = await edit(deps, schedule, async (current) => {
    const lastMs = Date.parse(current.last_nominal);
    const times: number[] = [];
    for (const time of fireTimes(current.spec, from.getTime() - 1)) {
      // what the rule itself has not come to yet is left to it
      if (time > to.getTime() || (current.status === 'active' && time > lastMs)) break;
      if (times.push(time) > BACKFILL_MAX) throw new AppError('invalid_request', `there are more than ${BACKFILL_MAX} nominal times in this stretch; allowed is a shorter one`, { param: 'from' });
    }
    const all = times.map((time) => dueFire(schedule, time, 'backfill', policy, by));
    // HEAD first, then the records: whatever leaves HEAD has been recorded
    const records = await recordsBetween(deps.store, schedule, from.getTime(), to.getTime());
    const recorded = new Set(records.map(({ id }) => id));
    fires = all.filter(({ id }) => isKnown(current, id) || recorded.has(id));
    if (fires.length > 0) return null; // asked for before: an unanswered swap of ours took effect
    const started = records.filter(({ outcome }) => outcome === 'started');
    const taken = new Set([...current.runs, ...current.buffered, ...current.requested, ...started].filter(({ cause }) => cause !== 'trigger').map(({ nominal_time }) => nominal_time));
    fires = all.filter(({ nominal_time }) => !taken.has(nominal_time));
    const waiting = current.requested.length + current.buffered.length;
    if (waiting + fires.length > BUFFER_MAX) throw new AppError('invalid_request', `${waiting} fires wait already, and at most ${BUFFER_MAX} may`, { param: 'from' });
    return fires.length === 0 ? null : { ...current, requested: [...current.requested, ...fires] };
  });
  return { head, fires };
}

/** Of the fires at these nominal times; their ids are in that order. */
async function recordsBetween(store: Pick<Store, 'get' | 'keys'>, schedule: string, fromMs: number, toMs: number): Promise<Fire[]> {
  const records: Fire[] = [];
  const after = fireKey(schedule, fireIdOf(schedule, fromMs, 'schedule').slice(0, 'fire_'.length + 10));
  for await (const key of store.keys(firesPrefix(schedule), { after })) {
    const stored = await store.get(key);
    if (!stored) continue;
    const fire = fromJson<Fire>(stored.body);
    if (Date.parse(fire.nominal_time) > toMs) break;
    records.push(fire);
  }
  return records;
}

/** Whether a fire that was asked for is there already, at whatever stage. */
const isKnown = (head: ScheduleHead, fire: string): boolean => [...head.requested, ...head.buffered, ...head.unrecorded, ...head.recent].some(({ id }) => id === fire) || head.runs.some((run) => run.fire === fire);

/** Removes a schedule and the records of its fires; what runs goes on. @throws AppError not_found, store_unavailable */
export async function removeSchedule(deps: RecordDeps & { store: Pick<Store, 'keys' | 'delete'> }, schedule: string): Promise<void> {
  const head = await pauseSchedule(deps, schedule, 'removed');
  // what runs goes on, and what was started and not written down is found by nobody any more once HEAD is gone
  await Promise.all(head.runs.map(({ run }) => markStarted(deps.store, schedule, run.id)));
  const forget = async (): Promise<void> => {
    for await (const key of deps.store.keys(firesPrefix(schedule))) await deps.store.delete(key);
  };
  // HEAD last: a removal that was cut short is repeated
  await forget();
  await deps.store.delete(scheduleKey(schedule));
  // what a tick under way has recorded meanwhile
  await forget().catch(() => undefined);
}

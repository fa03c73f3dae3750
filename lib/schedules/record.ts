// A schedule's HEAD and the records of its fires in the store. HEAD is the schedule's one linearisation point and changes by
// compare-and-swap only, as a job's does (lib/jobs/head.ts); what it means is decide.ts's business.
import type { Clock } from '../clock.js';
import type { Fire, ScheduleHead } from '../contract/schedule.js';
import { AppError, isAppError } from '../errors.js';
import { inParallel } from '../jobs/recent.js';
import { fromJson, toJson } from '../jobs/record.js';
import type { Store } from '../store/index.js';
import { fireKey, firesPrefix, scheduleKey } from './names.js';

/** Tries of one swap before the store counts as away; each waits a little longer, in all about 8 s. */
const SWAP_TRIES = 12;
const RETRY_BASE_MS = 20;
const RETRY_CAP_MS = 2_000;
const READ_WIDTH = 16;

export interface RecordDeps {
  store: Pick<Store, 'get' | 'putIfAbsent' | 'compareAndSwap' | 'confirm'>;
  clock: Pick<Clock, 'now' | 'sleep'>;
}

/** HEAD as it stands. */
export interface ScheduleRecord {
  head: ScheduleHead;
  etag: string;
}

/** Null where there is no such schedule. @throws AppError store_unavailable */
export async function readSchedule({ store }: { store: Pick<Store, 'get'> }, schedule: string): Promise<ScheduleRecord | null> {
  const stored = await store.get(scheduleKey(schedule));
  return stored && { head: fromJson<ScheduleHead>(stored.body), etag: stored.etag };
}

/** @throws AppError not_found, store_unavailable */
export async function requireSchedule(deps: { store: Pick<Store, 'get'> }, schedule: string): Promise<ScheduleHead> {
  const view = await readSchedule(deps, schedule);
  if (!view) throw new AppError('not_found', `no schedule ${schedule}`, { param: 'id' });
  return view.head;
}

/**
 * Applies an edit by swap. `edit` gets the HEAD of the moment and returns the next one, or null where what it wants holds already;
 * it may run several times, so it must recognise its own effect.
 * @param known HEAD as it was some time ago: tried first, because a swap finds out whether it still is. Null: it is read
 * @returns HEAD after the edit; null where there is no such schedule
 * @throws AppError store_unavailable if the store does not answer in time (the edit may or may not hold), or what `edit` throws
 */
export async function editSchedule(deps: RecordDeps, schedule: string, edit: (head: ScheduleHead) => Promise<ScheduleHead | null> | ScheduleHead | null, known: ScheduleRecord | null = null): Promise<ScheduleRecord | null> {
  let last: AppError | null = null;
  for (let tries = known ? -1 : 0; tries < SWAP_TRIES; tries++) {
    if (tries > 0) await deps.clock.sleep(Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** tries));
    try {
      const view = tries < 0 ? known : await readSchedule(deps, schedule);
      if (!view) return null;
      const edited = await edit(view.head);
      if (edited === null && tries < 0) continue;
      if (edited === null) return view;
      const next = { ...edited, version: view.head.version + 1 };
      const outcome = await deps.store.compareAndSwap(scheduleKey(schedule), toJson(next), view.etag);
      if (outcome.swapped) return { head: next, etag: outcome.etag };
    } catch (error) {
      if (!isAppError(error) || !error.retryable) throw error;
      last = error;
    }
  }
  throw last ?? new AppError('store_unavailable', `the schedule ${schedule} kept changing`, { retryAfterSeconds: 1 });
}

/** Creates a schedule; one that is there under this id is this very one. @throws AppError store_unavailable */
export async function writeNewSchedule({ store }: Pick<RecordDeps, 'store'>, schedule: string, head: ScheduleHead): Promise<ScheduleHead> {
  const outcome = await store.putIfAbsent(scheduleKey(schedule), toJson(head)).catch(async (error: unknown) => {
    // Unclear: read back, since a creation that happened must be said.
    if (!(await readSchedule({ store }, schedule).catch(() => null))) throw error;
    await store.confirm(scheduleKey(schedule));
    return { created: false as const };
  });
  return outcome.created ? head : requireSchedule({ store }, schedule);
}

/** Writes what became of a nominal time; the first to do so wins, and all say the same. @throws AppError store_unavailable */
export async function recordFire(store: Pick<Store, 'putIfAbsent'>, fire: Fire): Promise<void> {
  await store.putIfAbsent(fireKey(fire.schedule, fire.id), toJson(fire));
}

export interface FiresQuery {
  /** Fires after this one; null: from the first. */
  after: string | null;
  limit: number;
}

/** Records of fires, in the order of their nominal times. @throws AppError store_unavailable */
export async function readFires(store: Pick<Store, 'get' | 'keys'>, schedule: string, { after, limit }: FiresQuery): Promise<Fire[]> {
  const keys: string[] = [];
  for await (const key of store.keys(firesPrefix(schedule), { limit, ...(after === null ? {} : { after: fireKey(schedule, after) }) })) keys.push(key);
  return (await inParallel(keys, READ_WIDTH, (key) => store.get(key))).flatMap((stored) => (stored ? [fromJson<Fire>(stored.body)] : []));
}

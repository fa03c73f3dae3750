// How long records of fires are kept: 90 days, and the last 10,000 of a schedule however old. Ids are in the order of nominal times, so
// the oldest are found without reading any.
import { decodeTime } from 'ulid';
import type { ScheduleHead } from '../contract/schedule.js';
import { inParallel } from '../jobs/recent.js';
import type { Store } from '../store/index.js';
import { fireKey, firesPrefix } from './names.js';

export interface Keeping {
  /** However old. */
  fires: number;
  /** However many. */
  ageMs: number;
}

const KEEPING: Keeping = { fires: 10_000, ageMs: 90 * 86_400_000 };
/** Fires between looks at what may go. */
const PRUNE_EVERY = 1_000;
/** Records deleted in one go. */
const DELETED_MAX = 5_000;
const DELETE_WIDTH = 16;

const total = ({ started, skipped, missed, failed }: ScheduleHead['counts']): number => started + skipped + missed + failed;

/** Whether enough fires came between two counts to look again. */
export const isPruningDue = (before: ScheduleHead['counts'], after: ScheduleHead['counts']): boolean => total(after) > KEEPING.fires && Math.floor(total(before) / PRUNE_EVERY) < Math.floor(total(after) / PRUNE_EVERY);

/** Deletes the oldest records that need not be kept; returns how many. @throws AppError store_unavailable */
export async function pruneFires(store: Pick<Store, 'keys' | 'delete'>, schedule: string, now: Date, { fires, ageMs }: Keeping = KEEPING): Promise<number> {
  const old: string[] = [];
  let newer = 0;
  for await (const key of store.keys(firesPrefix(schedule))) {
    const fire = key.slice(firesPrefix(schedule).length, -'.json'.length);
    const isOld = newer === 0 && old.length < DELETED_MAX && decodeTime(fire.slice('fire_'.length).toUpperCase()) < now.getTime() - ageMs;
    if (isOld) old.push(fire);
    else if (++newer >= fires) break;
  }
  const deleted = old.slice(0, Math.max(0, old.length - Math.max(0, fires - newer)));
  await inParallel(deleted, DELETE_WIDTH, (fire) => store.delete(fireKey(schedule, fire)));
  return deleted.length;
}

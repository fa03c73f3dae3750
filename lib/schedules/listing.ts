// The list of schedules, newest first: ids sort by time, and what a schedule is at is read fresh for each answer.
import type { ScheduleListItem } from '../contract/schedule.js';
import type { Clock } from '../clock.js';
import { AppError, isAppError } from '../errors.js';
import type { Page } from '../jobs/listing.js';
import { inParallel } from '../jobs/recent.js';
import type { Store } from '../store/index.js';
import { parseScheduleKey, SCHEDULES_PREFIX } from './names.js';
import { readSchedule, type ScheduleRecord } from './record.js';
import { scheduleListItem } from './view.js';

export interface SchedulesQuery {
  /** Null: any. */
  name: string | null;
  /** Schedules older than this one; null: from the newest. */
  after: string | null;
  limit: number;
}

/** Reads for one answer, whatever the name; then the page ends early and says that there is more. */
const READS_MAX = 1_000;
const READ_WIDTH = 16;

interface ListDeps {
  store: Pick<Store, 'get' | 'keys'>;
  clock: Pick<Clock, 'now'>;
  log: { warn(fields: object, message: string): void };
}

/** @throws AppError invalid_cursor (no such schedule), store_unavailable */
export async function listSchedules({ store, clock, log }: ListDeps, { name, after, limit }: SchedulesQuery): Promise<Page<ScheduleListItem>> {
  const ids: string[] = [];
  for await (const key of store.keys(SCHEDULES_PREFIX)) {
    const id = parseScheduleKey(key);
    if (id !== null) ids.push(id);
  }
  ids.reverse();
  const from = after === null ? 0 : ids.indexOf(after) + 1;
  if (after !== null && from === 0) throw new AppError('invalid_cursor', `after: no schedule has the id ${JSON.stringify(after.slice(0, 64))}`, { param: 'after' });
  const end = Math.min(ids.length, from + READS_MAX);
  const items: ScheduleListItem[] = [];
  let at = from;
  // one more than the page, to know whether there is one
  while (at < end && items.length <= limit) {
    const chunk = ids.slice(at, Math.min(end, at + limit + 1));
    const records = await inParallel(chunk, READ_WIDTH, (id) => readForList({ store, log }, id));
    chunk.forEach((id, index) => {
      const head = records[index]?.head;
      if (head && (name === null || head.spec.name === name)) items.push(scheduleListItem(id, head, clock.now()));
    });
    at += chunk.length;
  }
  if (items.length > limit) return { items: items.slice(0, limit), hasMore: true, lastId: items[limit - 1]!.id };
  const hasMore = at < ids.length;
  return { items, hasMore, lastId: hasMore ? (ids[at - 1] ?? null) : (items.at(-1)?.id ?? null) };
}

/** One that cannot be read must not take the whole list with it; asked for by its id, it is answered with the error. */
async function readForList({ store, log }: Pick<ListDeps, 'store' | 'log'>, schedule: string): Promise<ScheduleRecord | null> {
  try {
    return await readSchedule({ store }, schedule);
  } catch (error) {
    if (!isAppError(error, 'checkpoint_corrupt')) throw error;
    log.warn({ schedule, err: error }, 'HEAD cannot be read: the schedule is left out of lists');
    return null;
  }
}

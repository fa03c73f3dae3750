// The list of sweeps, newest first: the store lists their mirrored ids in that order, so that a page reads no more than it shows,
// and with a filter what it passes over; what a schedule started is known by itself.
import type { SweepListItem, SweepStatus } from '../contract/sweep-views.js';
import { AppError } from '../errors.js';
import type { Page } from '../jobs/listing.js';
import { inParallel } from '../jobs/recent.js';
import type { Store } from '../store/index.js';
import type { SweepAccess } from './access.js';
import { isSweepId, NEWEST_SWEEPS_PREFIX, newestSweepKey, sweepOfNewest } from './names.js';

export interface SweepListQuery {
  /** Null: any. */
  statuses: readonly SweepStatus[] | null;
  name: string | null;
  /** These, newest first; null: any. */
  only: readonly string[] | null;
  /** Sweeps older than this one; null: from the newest. */
  after: string | null;
  limit: number;
}

/** Sweeps looked at for one answer, whatever the filters; then the page ends early and says that there is more. */
const LOOKS_MAX = 500;
const READ_WIDTH = 8;

/** @throws AppError invalid_cursor (no such sweep), store_unavailable */
export async function listSweeps({ store, sweeps }: { store: Pick<Store, 'head' | 'keys'>; sweeps: Pick<SweepAccess, 'item'> }, query: SweepListQuery): Promise<Page<SweepListItem>> {
  const { only, after, limit } = query;
  if (after !== null && (!isSweepId(after) || !(await store.head(newestSweepKey(after))))) throw new AppError('invalid_cursor', `after: there is no sweep ${JSON.stringify(after.slice(0, 64))}`, { param: 'after' });
  const items: SweepListItem[] = [];
  let last = after;
  for (let looks = 0; looks < LOOKS_MAX; ) {
    // One more than asked for tells whether there is more.
    const ids = await idsAfter(store, only, last, limit + 1);
    const found = await inParallel(ids, READ_WIDTH, (id) => sweeps.item(id));
    items.push(...found.filter((item) => item !== null && matches(item, query)) as SweepListItem[]);
    if (items.length > limit) {
      const page = items.slice(0, limit);
      return { items: page, hasMore: true, lastId: page.at(-1)?.id ?? null };
    }
    if (ids.length <= limit) return { items, hasMore: false, lastId: items.at(-1)?.id ?? null };
    looks += ids.length;
    last = ids.at(-1) ?? last;
  }
  return { items, hasMore: true, lastId: last };
}

/** Newest first. */
async function idsAfter(store: Pick<Store, 'keys'>, only: SweepListQuery['only'], last: string | null, limit: number): Promise<string[]> {
  if (only !== null) return only.filter((id) => last === null || id < last).slice(0, limit);
  const ids: string[] = [];
  for await (const key of store.keys(NEWEST_SWEEPS_PREFIX, { limit, ...(last === null ? {} : { after: newestSweepKey(last) }) })) ids.push(sweepOfNewest(key));
  return ids;
}

const matches = (item: SweepListItem, { statuses, name }: SweepListQuery): boolean => (statuses === null || statuses.includes(item.status)) && (name === null || item.name === name);

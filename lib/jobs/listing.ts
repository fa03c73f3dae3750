// The list of jobs, newest first, from the store's markers alone: `open/` says who wants attention, `closed/` holds summaries of
// those that are over, and ids sort by time. What is open is read fresh for each answer; what is closed is read once.
import { decodeTime } from 'ulid';
import type { JobListItem, JobStatus } from '../contract/job.js';
import type { OpenMarker } from '../contract/records.js';
import type { Clock } from '../clock.js';
import { AppError, isAppError } from '../errors.js';
import type { Store } from '../store/index.js';
import type { JobAccess } from './access.js';
import { CLOSED_PREFIX, closedKey, openKey, parseMarkerKey } from './names.js';
import { firstPlace, withMore } from './newest-first.js';
import { makeOpenCount } from './open-count.js';
import { readOpenMarkers } from './open-markers.js';
import { inParallel, makeRecent } from './recent.js';
import { fromJson } from './record.js';

export interface ListQuery {
  /** Null: any. */
  statuses: readonly JobStatus[] | null;
  name: string | null;
  tags: Readonly<Record<string, string>>;
  /** These jobs; null: any. */
  only: ReadonlySet<string> | null;
  /** ISO time; null: any. */
  createdAfter: string | null;
  /** Jobs older than this one; null: from the newest. */
  after: string | null;
  limit: number;
}

/** A page of a list, newest first. */
export interface Page<T> {
  items: T[];
  hasMore: boolean;
  /** Where the next page goes on; null if nothing was looked at. May be one that did not match. */
  lastId: string | null;
}

export interface JobListing {
  /** @throws AppError invalid_cursor (no such job), store_unavailable */
  list(query: ListQuery): Promise<Page<JobListItem>>;
  /** Reads now what a first list would have to wait for: of all jobs that are over, which takes its time. */
  ahead(): void;
  /** Whether so many jobs are not over. @throws AppError store_unavailable */
  isFull(openJobs: number): Promise<boolean>;
  /** This process took a job in, or started a new generation of it: the next list shows it. */
  note(job: string, gen: number): void;
}

export interface ListingDeps {
  store: Pick<Store, 'get' | 'keys'>;
  access: Pick<JobAccess, 'items'>;
  clock: Pick<Clock, 'now' | 'monotonicMs'>;
}

/** What other processes did shows after this long. */
const REFRESH_MS = 1_000;
/** Days of `closed/` that are listed again: whoever closes a job dates it by its own clock. */
const CLOSED_DAYS_AGAIN = 2;
/** Keys of `closed/` that are taken in at a time. */
const CLOSED_CHUNK = 1_000;
/** Reads for one answer, whatever the filters; then the page ends early and says that there is more. */
const READS_MAX = 1_000;
const SCAN_CHUNK = 50;
const READ_WIDTH = 16;
const SUMMARIES_MAX = 20_000;

/** A job's id is made before its created_at, by the same clock. */
const ID_SLACK_MS = 60_000;

/** Where a job's newest generation stands. `day` is null while it is open. */
interface Entry {
  gen: number;
  day: string | null;
}

/** Reads left for an answer. */
interface Budget {
  reads: number;
}

export function makeJobListing({ store, access, clock }: ListingDeps): JobListing {
  /** Closed generations ever seen; open ones of the last look, and of this process since. */
  const closed = new Map<string, { gen: number; day: string }>();
  let open = new Map<string, number>();
  const noted = new Map<string, { gen: number; at: number }>();
  /** All of these, newest first. */
  let ids: readonly string[] = [];
  const summaries = makeRecent<JobListItem>(SUMMARIES_MAX);
  const markers = makeRecent<OpenMarker>(SUMMARIES_MAX);
  const count = makeOpenCount({ store, clock });
  /** When the last look began. */
  let lookedAt: number | null = null;
  let refreshing: Promise<void> | null = null;
  let closedFrom = '';

  const isKnown = (job: string): boolean => closed.has(job) || open.has(job);

  function entryOf(job: string): Entry {
    const [gen, over] = [open.get(job), closed.get(job)];
    return over && over.gen >= (gen ?? -1) ? over : { gen: gen ?? 0, day: null };
  }

  async function refresh(): Promise<void> {
    const at = clock.monotonicMs();
    // Open before closed: a job that closes in between is then in both, and never in neither.
    const nowOpen = await readOpenMarkers(store);
    const again = `${CLOSED_PREFIX}${new Date(clock.now().getTime() - CLOSED_DAYS_AGAIN * 86_400_000).toISOString().slice(0, 10)}`;
    let chunk: string[] = [];
    for await (const key of store.keys(CLOSED_PREFIX, closedFrom === '' ? {} : { after: closedFrom })) {
      if (chunk.push(key) < CLOSED_CHUNK) continue;
      takeClosed(chunk, again);
      chunk = [];
    }
    takeClosed(chunk, again);
    closedFrom = again;
    for (const [job, note] of noted) {
      if (note.at < at) noted.delete(job);
      else nowOpen.set(job, Math.max(nowOpen.get(job) ?? 0, note.gen));
    }
    const fresh = [...nowOpen.keys()].filter((job) => !isKnown(job));
    // A marker of what was never acknowledged goes without a trace.
    const gone = new Set([...open.keys()].filter((job) => !nowOpen.has(job) && !closed.has(job)));
    open = nowOpen;
    ids = withMore(gone.size === 0 ? ids : ids.filter((id) => !gone.has(id)), fresh);
    lookedAt = at;
  }

  /** Takes in what was closed, and from where to go on, at the latest from `again`: a walk that fails is not begun anew. */
  function takeClosed(keys: readonly string[], again: string): void {
    const fresh: string[] = [];
    for (const key of keys) {
      const marker = parseMarkerKey(key);
      if (!marker) continue;
      if (!isKnown(marker.job)) fresh.push(marker.job);
      if (marker.gen >= (closed.get(marker.job)?.gen ?? 0)) closed.set(marker.job, { gen: marker.gen, day: key.slice(CLOSED_PREFIX.length).split('/')[0] ?? '' });
    }
    ids = withMore(ids, fresh);
    const last = keys.at(-1) ?? '';
    if (last > closedFrom && last < again) closedFrom = last;
  }

  const refreshed = (): Promise<void> => (refreshing ??= refresh().finally(() => (refreshing = null)));

  async function current(youngerThanMs: number): Promise<readonly string[]> {
    if (lookedAt === null || clock.monotonicMs() - lookedAt >= youngerThanMs) await refreshed();
    return ids;
  }

  /** Null where it is not there or damaged: it only repeats what the job's own record and HEAD say, and those are read instead. */
  async function readObject<T>(key: string): Promise<T | null> {
    try {
      const stored = await store.get(key);
      return stored && fromJson<T>(stored.body);
    } catch (error) {
      if (!isAppError(error, 'checkpoint_corrupt')) throw error;
      return null;
    }
  }

  async function summary(job: string, { gen, day }: Entry, budget: Budget): Promise<JobListItem | null> {
    const key = closedKey(day ?? '', job, gen);
    const known = summaries.get(key);
    if (known) return known;
    budget.reads--;
    const item = await readObject<JobListItem>(key);
    if (item?.id !== job) return null;
    summaries.set(key, item);
    return item;
  }

  /** By its small marker, so that a filter need not read every spec. */
  async function mayMatch(job: string, { gen }: Entry, query: ListQuery, budget: Budget): Promise<boolean> {
    if (query.name === null && Object.keys(query.tags).length === 0) return true;
    const key = openKey(job, gen);
    const known = markers.get(key);
    if (known) return matchesTags(known, query);
    budget.reads--;
    const marker = await readObject<OpenMarker>(key);
    if (!marker) return true;
    markers.set(key, marker);
    return matchesTags(marker, query);
  }

  async function readChunk(chunk: readonly string[], query: ListQuery, budget: Budget): Promise<JobListItem[]> {
    const found = new Map<string, JobListItem>();
    const rest: string[] = [];
    await inParallel(chunk, READ_WIDTH, async (id) => {
      const entry = entryOf(id);
      const item = entry.day === null ? null : await summary(id, entry, budget);
      if (item) found.set(id, item);
      else if (await mayMatch(id, entry, query, budget)) rest.push(id);
    });
    budget.reads -= rest.length;
    for (const item of await access.items(rest)) if (item) found.set(item.id, item);
    return chunk.flatMap((id) => found.get(id) ?? []).filter((item) => matches(item, query));
  }

  return {
    list: async (query) => {
      let all = await current(REFRESH_MS);
      // Another process may just have taken it in.
      if (query.after !== null && !isKnown(query.after)) all = await current(0);
      if (query.after !== null && !isKnown(query.after)) throw new AppError('invalid_cursor', `after: there is no job ${query.after}`, { param: 'after' });
      const { only, after } = query;
      const asked = only === null ? all : all.filter((id) => only.has(id));
      const end = endOf(asked, query.createdAfter);
      const items: JobListItem[] = [];
      const budget: Budget = { reads: READS_MAX };
      let at = after === null ? 0 : firstPlace(asked, (id) => id < after);
      // One more than asked for tells whether there is more.
      while (at < end && items.length <= query.limit && budget.reads > 0) {
        const chunk = asked.slice(at, Math.min(end, at + Math.min(SCAN_CHUNK, query.limit + 1)));
        items.push(...(await readChunk(chunk, query, budget)));
        at += chunk.length;
      }
      if (items.length > query.limit) {
        const page = items.slice(0, query.limit);
        return { items: page, hasMore: true, lastId: page.at(-1)?.id ?? null };
      }
      const hasMore = at < end;
      return { items, hasMore, lastId: hasMore ? (asked[at - 1] ?? null) : (items.at(-1)?.id ?? null) };
    },
    ahead: () => void refreshed().catch(() => undefined),
    isFull: count.isFull,
    note: (job, gen) => {
      count.note(job);
      noted.set(job, { gen, at: clock.monotonicMs() });
      if (!isKnown(job)) ids = withMore(ids, [job]);
      open.set(job, Math.max(open.get(job) ?? 0, gen));
    },
  };
}

/** The first place whose job is certainly too old. */
function endOf(ids: readonly string[], createdAfter: string | null): number {
  if (createdAfter === null) return ids.length;
  const oldest = Date.parse(createdAfter) - ID_SLACK_MS;
  return firstPlace(ids, (id) => decodeTime(id.slice('job_'.length).toUpperCase()) < oldest);
}

function matchesTags({ name, tags }: { name: string | null; tags: Record<string, string> }, query: ListQuery): boolean {
  if (query.name !== null && name !== query.name) return false;
  return Object.entries(query.tags).every(([key, value]) => tags[key] === value);
}

function matches(item: JobListItem, query: ListQuery): boolean {
  if (query.statuses !== null && !query.statuses.includes(item.status)) return false;
  if (query.createdAfter !== null && Date.parse(item.created_at) <= Date.parse(query.createdAfter)) return false;
  return matchesTags(item, query);
}

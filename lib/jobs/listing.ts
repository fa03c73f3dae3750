// The list of jobs, newest first, from the store's markers alone: `open/` says who wants attention, `closed/` holds summaries of
// those that are over, and ids sort by time. What is open is read fresh for each answer; what is closed is read once.
import { decodeTime } from 'ulid';
import type { JobListItem, JobStatus } from '../contract/job.js';
import type { OpenMarker } from '../contract/records.js';
import type { Clock } from '../clock.js';
import { AppError, isAppError } from '../errors.js';
import type { Store } from '../store/index.js';
import type { JobAccess } from './access.js';
import { CLOSED_PREFIX, closedKey, OPEN_PREFIX, openKey, parseMarkerKey } from './names.js';
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
/** After this long a count of what is open is made anew, beside the submission that asked: where there is room it need not wait. */
const COUNT_MS = 10_000;
/** Days of `closed/` that are listed again: whoever closes a job dates it by its own clock. */
const CLOSED_DAYS_AGAIN = 2;
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

interface Index {
  entries: Map<string, Entry>;
  /** Newest first; replaced, never changed, so that a scan under way keeps its place. */
  ids: readonly string[];
  /** Entries that are open. */
  open: number;
}
/** Reads left for an answer. */
interface Budget {
  reads: number;
}

export function makeJobListing({ store, access, clock }: ListingDeps): JobListing {
  /** Closed generations ever seen; open ones of the last look, and of this process since. */
  const closed = new Map<string, { gen: number; day: string }>();
  const noted = new Map<string, { gen: number; at: number }>();
  const summaries = makeRecent<JobListItem>(SUMMARIES_MAX);
  const markers = makeRecent<OpenMarker>(SUMMARIES_MAX);
  let index: (Index & { at: number }) | null = null;
  let refreshing: Promise<void> | null = null;
  let closedFrom = '';

  async function refresh(): Promise<void> {
    const at = clock.monotonicMs();
    // Open before closed: a job that closes in between is then in both, and never in neither.
    const open = new Map<string, number>();
    for await (const key of store.keys(OPEN_PREFIX)) {
      const marker = parseMarkerKey(key);
      if (marker) open.set(marker.job, Math.max(open.get(marker.job) ?? 0, marker.gen));
    }
    const since = new Date(clock.now().getTime() - CLOSED_DAYS_AGAIN * 86_400_000).toISOString().slice(0, 10);
    for await (const key of store.keys(CLOSED_PREFIX, closedFrom === '' ? {} : { after: closedFrom })) {
      const marker = parseMarkerKey(key);
      if (marker && marker.gen >= (closed.get(marker.job)?.gen ?? 0)) closed.set(marker.job, { gen: marker.gen, day: key.slice(CLOSED_PREFIX.length).split('/')[0] ?? '' });
    }
    closedFrom = `${CLOSED_PREFIX}${since}`;
    for (const [job, note] of noted) {
      if (note.at < at) noted.delete(job);
      else open.set(job, Math.max(open.get(job) ?? 0, note.gen));
    }
    const entries = new Map<string, Entry>(closed);
    for (const [job, gen] of open) if (gen > (entries.get(job)?.gen ?? -1)) entries.set(job, { gen, day: null });
    index = { entries, ids: newestFirst(entries.keys()), open: countOpen(entries), at };
  }

  const isOlder = (ageMs: number): boolean => !index || clock.monotonicMs() - index.at >= ageMs;
  const refreshed = (): Promise<void> => (refreshing ??= refresh().finally(() => (refreshing = null)));

  async function current(youngerThanMs: number): Promise<Index> {
    if (isOlder(youngerThanMs)) await refreshed();
    return index ?? { entries: new Map(), ids: [], open: 0 };
  }

  /** What is known of open jobs, at once; only a process's first count is waited for. A failure shows where a list is waited for. */
  async function openAboutNow(): Promise<number> {
    if (!index) return (await current(COUNT_MS)).open;
    if (isOlder(COUNT_MS)) refreshed().catch(() => undefined);
    return index.open;
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

  async function readChunk(ids: readonly string[], entries: Map<string, Entry>, query: ListQuery, budget: Budget): Promise<JobListItem[]> {
    const found = new Map<string, JobListItem>();
    const open: string[] = [];
    await inParallel(ids, READ_WIDTH, async (id) => {
      const entry = entries.get(id) ?? { gen: 0, day: null };
      const item = entry.day === null ? null : await summary(id, entry, budget);
      if (item) found.set(id, item);
      else if (await mayMatch(id, entry, query, budget)) open.push(id);
    });
    budget.reads -= open.length;
    for (const item of await access.items(open)) if (item) found.set(item.id, item);
    return ids.flatMap((id) => found.get(id) ?? []).filter((item) => matches(item, query));
  }

  return {
    list: async (query) => {
      let { entries, ids: all } = await current(REFRESH_MS);
      // Another process may just have taken it in.
      if (query.after !== null && !entries.has(query.after)) ({ entries, ids: all } = await current(0));
      if (query.after !== null && !entries.has(query.after)) throw new AppError('invalid_cursor', `after: there is no job ${query.after}`, { param: 'after' });
      const { only, after } = query;
      const ids = only === null ? all : all.filter((id) => only.has(id));
      const end = endOf(ids, query.createdAfter);
      const items: JobListItem[] = [];
      const budget: Budget = { reads: READS_MAX };
      let at = after === null ? 0 : firstOlder(ids, after);
      // One more than asked for tells whether there is more.
      while (at < end && items.length <= query.limit && budget.reads > 0) {
        const chunk = ids.slice(at, Math.min(end, at + Math.min(SCAN_CHUNK, query.limit + 1)));
        items.push(...(await readChunk(chunk, entries, query, budget)));
        at += chunk.length;
      }
      if (items.length > query.limit) {
        const page = items.slice(0, query.limit);
        return { items: page, hasMore: true, lastId: page.at(-1)?.id ?? null };
      }
      const hasMore = at < end;
      return { items, hasMore, lastId: hasMore ? (ids[at - 1] ?? null) : (items.at(-1)?.id ?? null) };
    },
    isFull: async (openJobs) => (await openAboutNow()) >= openJobs && (await current(REFRESH_MS)).open >= openJobs,
    note: (job, gen) => {
      noted.set(job, { gen, at: clock.monotonicMs() });
      const before = index?.entries.get(job);
      if (!index || gen <= (before?.gen ?? -1)) return;
      const isNew = !before;
      index.entries.set(job, { gen, day: null });
      if (before?.day !== null) index.open++;
      if (isNew) index.ids = job > (index.ids[0] ?? '') ? [job, ...index.ids] : newestFirst(index.entries.keys());
    },
  };
}

function countOpen(entries: Map<string, Entry>): number {
  let open = 0;
  for (const { day } of entries.values()) if (day === null) open++;
  return open;
}

const newestFirst = (ids: Iterable<string>): string[] => [...ids].sort((a, b) => (a < b ? 1 : -1));

/** The place after that job, whether it is among these or not. */
function firstOlder(ids: readonly string[], job: string): number {
  const at = ids.findIndex((id) => id < job);
  return at < 0 ? ids.length : at;
}

/** The first place whose job is certainly too old. */
function endOf(ids: readonly string[], createdAfter: string | null): number {
  if (createdAfter === null) return ids.length;
  const oldest = Date.parse(createdAfter) - ID_SLACK_MS;
  const end = ids.findIndex((id) => decodeTime(id.slice('job_'.length).toUpperCase()) < oldest);
  return end < 0 ? ids.length : end;
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

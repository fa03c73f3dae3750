// Reading one job: record, HEAD, live facts and attempts put together as users see them, and its checkpoints, events and rows.
// Everything here is right without Redis; what never changes is read once.
import type { Attempt, Checkpoint, Job, JobListItem, JobStatus } from '../contract/job.js';
import type { AttemptEnd, AttemptStart, Head, JobRecord } from '../contract/records.js';
import type { JobEvent, LogLine } from '../contract/rows.js';
import type { Clock } from '../clock.js';
import type { DataPlaces } from '../data/places.js';
import { AppError, isAppError } from '../errors.js';
import type { JobQueue, SeriesName } from '../queue/index.js';
import type { Store } from '../store/index.js';
import { begunCourse, type Courses, makeCourses, makeManifests, type Manifests, progressAt } from './committed-progress.js';
import { readHead } from './head.js';
import type { OnDamaged } from './history.js';
import { eventsAfter } from './journal.js';
import { logLinesAfter } from './logs.js';
import { emptyHead } from './lifecycle.js';
import { statusOf } from './status.js';
import { type Asked, liveFactsOf } from './live-facts.js';
import { readRows, type RowPage, type RowsQuery } from './metrics.js';
import { attemptsPrefix } from './names.js';
import { inParallel, makeRecent } from './recent.js';
import { fromJson, loadRecord, requireRecord } from './record.js';
import { attemptView, checkpointView, jobListItem, jobView, type LiveFacts } from './view.js';

export interface JobAccessDeps {
  store: Store;
  queue: Pick<JobQueue, 'heartbeats' | 'journal' | 'logs' | 'rows'>;
  clock: Pick<Clock, 'now'>;
  /** Where this machine looks for data, to know how long a training is. */
  places: DataPlaces;
  log: { warn(fields: object, message: string): void };
}

/** All reject with AppError not_found for an unknown job, store_unavailable, and checkpoint_corrupt where a record is damaged. */
export interface JobAccess {
  job(id: string): Promise<Job>;
  /** As lists show them, in order; null for what was never acknowledged, and for a job whose own record cannot be read, which the log names. */
  items(ids: readonly string[]): Promise<(JobListItem | null)[]>;
  head(id: string): Promise<Head>;
  status(id: string): Promise<{ status: JobStatus; head: Head }>;
  attempts(id: string): Promise<Attempt[]>;
  /** Newest first. */
  checkpoints(id: string): Promise<Checkpoint[]>;
  events(id: string, after: number, limit: number): Promise<JobEvent[]>;
  /** The same, with the HEAD they were read by. */
  eventsAndHead(id: string, after: number, limit: number): Promise<{ events: JobEvent[]; head: Head }>;
  logLines(id: string, after: number, limit: number): Promise<LogLine[]>;
  rows<S extends SeriesName>(id: string, query: RowsQuery<S>): Promise<RowPage<S>>;
}

const READ_WIDTH = 16;
/** A spec may be a megabyte. */
const RECORDS_MAX = 128;
/** Reads of history that may meet a segment just merged away; the next HEAD names the merged one. */
const HISTORY_TRIES = 3;

export function makeJobAccess(deps: JobAccessDeps): JobAccess {
  const { store, clock, queue } = deps;
  const records = makeRecent<JobRecord>(RECORDS_MAX);
  const attemptFiles = makeRecent<AttemptStart | AttemptEnd>(20_000);
  const manifests: Manifests = makeManifests(store);
  const courses: Courses = makeCourses(deps.places);

  async function record(id: string): Promise<JobRecord> {
    const known = records.get(id) ?? (await requireRecord(store, id));
    records.set(id, known);
    return known;
  }

  const head = async (id: string): Promise<Head> => (await readHead({ store }, id)).head;

  /** A living owner's own word, else what is committed. */
  async function withProgress(job: JobRecord, current: Head, live: LiveFacts, courseOf: Courses['of']): Promise<LiveFacts> {
    if (live.progress) return live;
    const manifest = await manifests.latest(job.id, current);
    return { ...live, progress: progressAt(manifest?.state.cursor ?? null, begunCourse(job, current) ?? (await courseOf(job)), job.spec.training.batch_size) };
  }

  async function facts(job: JobRecord, current: Head): Promise<LiveFacts> {
    const [live] = await liveFactsOf(queue.heartbeats, [{ id: job.id, head: current }]);
    return withProgress(job, current, live ?? { signs: 'unknown', progress: null }, courses.of);
  }

  async function attempts(id: string, current: Head): Promise<Attempt[]> {
    const keys: string[] = [];
    for await (const key of store.keys(attemptsPrefix(id))) keys.push(key);
    const starts: AttemptStart[] = [];
    const ends = new Map<number, AttemptEnd>();
    await inParallel(keys, READ_WIDTH, async (key) => {
      const file = attemptFiles.get(key) ?? (await read(key));
      if (file === null) return;
      attemptFiles.set(key, file);
      if ('ended_at' in file) ends.set(file.number, file);
      else starts.push(file);
    });
    starts.sort((a, b) => a.number - b.number);
    return starts.map((start) => withOwnersFacts(attemptView(start, ends.get(start.number) ?? null), current));
  }

  async function read(key: string): Promise<AttemptStart | AttemptEnd | null> {
    const stored = await store.get(key);
    return stored && fromJson<AttemptStart | AttemptEnd>(stored.body);
  }

  /** One job that cannot be read must not take the whole list with it. */
  async function readForList(id: string): Promise<(Asked & { job: JobRecord }) | null> {
    const job = records.get(id) ?? (await recordForList(id));
    if (!job) return null;
    records.set(id, job);
    try {
      return { id, job, head: await head(id) };
    } catch (error) {
      if (!isAppError(error, 'checkpoint_corrupt')) throw error;
      deps.log.warn({ job: id, err: error }, 'HEAD cannot be read');
      return { id, job, head: { ...emptyHead(), reason: 'checkpoint_corrupt', message: 'the record of this job is damaged' } };
    }
  }

  /** Without its record there is nothing that a list could say; asked for by its id, the job is answered with the error. */
  async function recordForList(id: string): Promise<JobRecord | null> {
    try {
      return await loadRecord(store, id);
    } catch (error) {
      if (!isAppError(error, 'checkpoint_corrupt')) throw error;
      deps.log.warn({ job: id, err: error }, 'job.json cannot be read: the job is left out of lists');
      return null;
    }
  }

  async function items(ids: readonly string[]): Promise<(JobListItem | null)[]> {
    const found = await inParallel(ids, READ_WIDTH, readForList);
    const present = found.filter((job) => job !== null);
    const live = await liveFactsOf(queue.heartbeats, present);
    const views = await inParallel([...present.keys()], READ_WIDTH, async (index) => {
      const { job, head: current } = present[index]!;
      return jobListItem(job, current, await withProgress(job, current, live[index]!, courses.ifCheap), clock.now());
    });
    const byId = new Map(views.map((view) => [view.id, view]));
    return ids.map((id) => byId.get(id) ?? null);
  }

  /** History read by a HEAD that changes meanwhile is read again by the next one; what is damaged by that one too is passed by. */
  async function historyOf<T>(id: string, look: (job: JobRecord, current: Head, passBy: { onDamaged?: OnDamaged }) => Promise<T>): Promise<T> {
    const job = await record(id);
    let current = await head(id);
    for (let tries = 1; tries <= HISTORY_TRIES; tries++) {
      try {
        return await look(job, current, {});
      } catch (error) {
        if (!isAppError(error, 'checkpoint_corrupt')) throw error;
        const next = await head(id);
        if (next.version === current.version) break;
        current = next;
      }
    }
    return look(job, current, { onDamaged: ({ key, first, last }, what) => deps.log.warn({ job: id, segment: key, first, last }, `passed by: ${what}`) });
  }

  const journal = { store, journal: queue.journal, manifests };

  return {
    job: async (id) => {
      const job = await record(id);
      const current = await head(id);
      const [live, list] = await Promise.all([facts(job, current), attempts(id, current)]);
      return jobView(job, current, live, list, clock.now());
    },
    items,
    head: async (id) => {
      await record(id);
      return head(id);
    },
    status: async (id) => {
      const job = await record(id);
      const current = await head(id);
      const [live] = await liveFactsOf(queue.heartbeats, [{ id, head: current }]);
      return { status: statusOf(current, live?.signs ?? 'unknown', job.spec.run.start_after, clock.now()), head: current };
    },
    attempts: async (id) => {
      await record(id);
      return attempts(id, await head(id));
    },
    checkpoints: async (id) => {
      await record(id);
      return (await head(id)).retained.map(checkpointView).reverse();
    },
    events: (id, after, limit) => historyOf(id, (job, current, passBy) => eventsAfter({ ...journal, ...passBy }, job, current, after, limit)),
    eventsAndHead: (id, after, limit) =>
      historyOf(id, async (job, current, passBy) => ({ events: await eventsAfter({ ...journal, ...passBy }, job, current, after, limit), head: current })),
    logLines: async (id, after, limit) => {
      await record(id);
      return logLinesAfter({ store, logs: queue.logs }, id, after, limit);
    },
    rows: (id, query) => historyOf(id, (job, current, passBy) => readRows({ store, rows: queue.rows, manifests, ...passBy }, job, current, query)),
  };
}

/** What HEAD says of an attempt that has not ended. */
function withOwnersFacts(attempt: Attempt, { owner, inputs }: Head): Attempt {
  if (attempt.ended_at !== null || owner?.number !== attempt.number) return attempt;
  return { ...attempt, resumed_from: owner.resumed_from, engine: inputs?.engine ?? null, numerics_class: inputs && !inputs.mixed ? inputs.numerics_class : null };
}

/** @throws AppError not_found for anything that is no job id: such a text never becomes part of a key */
export function asJobId(text: string): string {
  if (!/^job_[0-9a-hjkmnp-tv-z]{26}$/.test(text)) throw new AppError('not_found', `no job ${JSON.stringify(text.slice(0, 64))}`, { param: 'id' });
  return text;
}

// A job's events as one line of numbers, from the three places where they are: committed segments, HEAD (not yet committed), and
// the live journal in Redis. The first two are the record; the third is early, and may be lost.
import type { JobEvent } from '../contract/rows.js';
import type { Head, JobRecord } from '../contract/records.js';
import { parseLines } from '../checkpoints/segments.js';
import type { Journal } from '../queue/index.js';
import type { Store } from '../store/index.js';
import type { Manifests } from './committed-progress.js';
import { type OnDamaged, readStretches } from './history.js';
import { EVENT_ID_STRIDE } from './lifecycle.js';
import { liveEntriesAfter } from './live-entries.js';

export interface JournalDeps {
  store: Pick<Store, 'get'>;
  journal: Pick<Journal<JobEvent>, 'read'>;
  manifests: Manifests;
  /** What is damaged is passed by; without it, it is an error (checkpoint_corrupt). */
  onDamaged?: OnDamaged;
}

/** Every job's first event; it is in no segment, because nothing but its record is needed to know it. */
function submittedEvent(record: JobRecord): JobEvent {
  return { id: 0, type: 'job.submitted', at: record.created_at, attempt: null, message: 'submitted', data: {} };
}

/** The id that follows another where nothing is missing between them: one more, or the first one after a claim's jump. */
function follows(before: number, id: number): boolean {
  return id === before + 1 || (id % EVENT_ID_STRIDE === 1 && id > before);
}

/** Whether events between two neighbours are missing. What a dead attempt said last and nobody kept cannot be told. */
export function isGap(before: number, id: number): boolean {
  return before >= 0 && !follows(before, id);
}

/** Events after an id (-1: all), at most `limit`, in order. */
export async function eventsAfter(deps: JournalDeps, record: JobRecord, head: Head, after: number, limit: number): Promise<JobEvent[]> {
  const live = await liveEntriesAfter(deps.journal, record.id, after, limit);
  // A full page of live events ends where the next page begins: later ones from elsewhere have to wait.
  const horizon = live.length < limit ? Infinity : (live.at(-1)?.id ?? Infinity);
  const events = new Map<number, JobEvent>();
  const add = (event: JobEvent): void => {
    if (event.id > after && event.id <= horizon) events.set(event.id, event);
  };
  live.forEach(add);
  head.events.forEach(add);
  add(submittedEvent(record));
  if (!isComplete(after, [...events.keys()], horizon === Infinity ? head.counters.events : horizon)) {
    const kept = await readCommitted(deps, record.id, head, after, limit);
    kept.forEach(add);
  }
  return [...events.values()].sort((a, b) => a.id - b.id).slice(0, limit);
}

/** Whether ids after `after` go up to `newest` without a hole. Across a claim's jump nobody can tell, so the answer is no. */
function isComplete(after: number, ids: readonly number[], newest: number): boolean {
  let last = after;
  for (const id of [...ids].sort((a, b) => a - b)) {
    if (id !== last + 1) return false;
    last = id;
  }
  return last >= newest;
}

/** Oldest first, and no more of them than are wanted. */
async function readCommitted({ store, manifests, onDamaged }: JournalDeps, job: string, head: Head, after: number, limit: number): Promise<JobEvent[]> {
  const manifest = await manifests.latest(job, head);
  const events: JobEvent[] = [];
  for await (const { lines } of readStretches(store, manifest?.events ?? [], { after, onDamaged })) {
    for (const event of lines ? parseLines<JobEvent>(lines) : []) if (event.id > after && events.length < limit) events.push(event);
    if (events.length >= limit) break;
  }
  return events;
}

// Following jobs' journals: everything after an event id, then what comes, until the job is over. News comes from Redis at once,
// and from the store by looking again and again, which is enough where Redis is away and where nobody announces anything. Those
// who follow one job share its news and, where they are equally far, the reading: a thousand readers cost as much as their jobs.
import type { JobEvent } from '../contract/rows.js';
import type { Clock } from '../clock.js';
import type { Journal } from '../queue/index.js';
import type { JobAccess } from './access.js';
import { isGap } from './journal.js';
import { isTerminal } from './lifecycle.js';

export type Followed = { kind: 'event'; event: JobEvent } | { kind: 'gap'; after: number; before: number };

export interface FollowDeps {
  access: Pick<JobAccess, 'eventsAndHead'>;
  journal: Pick<Journal<JobEvent>, 'subscribe'>;
  clock: Pick<Clock, 'sleep'>;
  /** How often HEAD is read while nothing is heard. */
  pollMs: number;
}

export interface Follower {
  /** Whether the job is over and nothing comes after this id. */
  isOver(job: string, after: number): Promise<boolean>;
  /**
   * Batches of what comes after an id (-1: all), each as soon as it is known; ends after the last event of a job that is over.
   * Errors of the store end it as well.
   */
  follow(job: string, after: number, signal: AbortSignal): AsyncGenerator<readonly Followed[], void, void>;
}

const BATCH = 500;

/** What comes after an event, as one read found it. */
interface Found {
  batch: readonly Followed[];
  /** The last event in it, or the one asked for. */
  upTo: number;
  more: boolean;
  over: boolean;
}

/** A job that somebody follows. */
interface Watch {
  readers: number;
  /** How often there was news, or a reason to look for some. */
  bells: number;
  /** Those who wait for the next bell. */
  waiting: Set<() => void>;
  /** Reads that have not begun, by the event they go on from: whoever comes until then shares them. */
  planned: Map<number, Promise<Found>>;
  end(): void;
}

export function makeFollower({ access, journal, clock, pollMs }: FollowDeps): Follower {
  const watches = new Map<string, Watch>();

  function watch(job: string): Watch {
    const known = watches.get(job);
    if (known) return known;
    const ended = new AbortController();
    const made: Watch = { readers: 0, bells: 0, waiting: new Set(), planned: new Map(), end: () => undefined };
    const ring = (): void => {
      made.bells += 1;
      for (const wake of [...made.waiting]) wake();
    };
    const unsubscribe = journal.subscribe(job, ring);
    made.end = () => {
      watches.delete(job);
      ended.abort();
      unsubscribe();
    };
    void (async () => {
      while (!ended.signal.aborted) {
        await clock.sleep(pollMs, ended.signal).catch(() => undefined);
        ring();
      }
    })();
    watches.set(job, made);
    return made;
  }

  async function find(job: string, after: number): Promise<Found> {
    const { events, head } = await access.eventsAndHead(job, after, BATCH);
    let upTo = after;
    const batch = events.flatMap((event): Followed[] => {
      const before = upTo;
      upTo = event.id;
      return [...(isGap(before, event.id) ? [{ kind: 'gap', after: before, before: event.id } as const] : []), { kind: 'event', event }];
    });
    const more = events.length === BATCH;
    return { batch, upTo, more, over: isTerminal(head.state) && !more };
  }

  /** A read that begins after this call: one that is under way may have missed the news. */
  function read({ planned }: Watch, job: string, after: number): Promise<Found> {
    const known = planned.get(after);
    if (known) return known;
    // By then all who were woken by the same bell are here.
    const made = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      planned.delete(after);
      return find(job, after);
    });
    planned.set(after, made);
    return made;
  }

  return {
    isOver: async (job, after) => {
      const { events, head } = await access.eventsAndHead(job, after, 1);
      return isTerminal(head.state) && events.length === 0;
    },
    follow: async function* (job, after, signal) {
      const watched = watch(job);
      watched.readers += 1;
      try {
        for (let cursor = after; ; ) {
          signal.throwIfAborted();
          const { bells } = watched;
          const { batch, upTo, more, over } = await read(watched, job, cursor);
          cursor = upTo;
          if (batch.length > 0) yield batch;
          if (over) return;
          if (!more && bells === watched.bells) await nextBell(watched, signal);
        }
      } finally {
        watched.readers -= 1;
        if (watched.readers === 0) watched.end();
      }
    },
  };
}

function nextBell({ waiting }: Watch, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      waiting.delete(wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    waiting.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    if (signal.aborted) wake();
  });
}

// Following a job's journal: everything after an event id, then what comes, until the job is over. News comes from Redis at
// once, and from the store by looking again and again, which is enough where Redis is away and where nobody announces anything.
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

const BATCH = 500;

/** Whether the job is over and nothing comes after this id. */
export async function isOver(access: FollowDeps['access'], job: string, after: number): Promise<boolean> {
  const { events, head } = await access.eventsAndHead(job, after, 1);
  return isTerminal(head.state) && events.length === 0;
}

/**
 * Batches of what comes after an id (-1: all), each as soon as it is known; ends after the last event of a job that is over.
 * Errors of the store end it as well.
 */
export async function* followEvents(deps: FollowDeps, job: string, after: number, signal: AbortSignal): AsyncGenerator<Followed[], void, void> {
  let cursor = after;
  let heard = false;
  let wake = (): void => undefined;
  const stop = deps.journal.subscribe(job, () => {
    heard = true;
    wake();
  });
  try {
    for (;;) {
      signal.throwIfAborted();
      heard = false;
      const { events, head } = await deps.access.eventsAndHead(job, cursor, BATCH);
      const batch = events.flatMap((event): Followed[] => {
        const before = cursor;
        cursor = event.id;
        return [...(isGap(before, event.id) ? [{ kind: 'gap', after: before, before: event.id } as const] : []), { kind: 'event', event }];
      });
      if (batch.length > 0) yield batch;
      if (isTerminal(head.state) && events.length < BATCH) return;
      if (events.length === BATCH || heard) continue;
      await waitForNews(deps, signal, (woken) => (wake = woken));
    }
  } finally {
    stop();
  }
}

async function waitForNews({ clock, pollMs }: FollowDeps, signal: AbortSignal, onWaiting: (wake: () => void) => void): Promise<void> {
  if (signal.aborted) return;
  const woken = new AbortController();
  const wake = (): void => woken.abort();
  onWaiting(wake);
  signal.addEventListener('abort', wake, { once: true });
  await clock.sleep(pollMs, woken.signal).catch(() => undefined);
  signal.removeEventListener('abort', wake);
  onWaiting(() => undefined);
}

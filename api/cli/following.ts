// A job watched from outside: its events as they come, and its progress looked at in between, until it is over or nobody watches.
import { pause } from '../../lib/clock.js';
import type { Job } from '../../lib/contract/job.js';
import type { Client } from '../client.js';
import { ApiError } from '../client.js';
import type { StreamedEvent } from '../client-stream.js';

export interface JobWatcher {
  onEvent?(event: StreamedEvent): void;
  /** Each time it was looked at. */
  onJob?(job: Job): void;
}

const LOOK_MS = 500;
/** Events may come after the look that saw the end. */
const LAST_EVENTS_MS = 3_000;
/** An API that restarts is waited for. */
const PATIENCE_MS = 60_000;

/** @returns the job when it is over @throws ApiError; the signal's reason */
export async function followJob(client: Client, id: string, watcher: JobWatcher, signal: AbortSignal): Promise<Job> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const events = (async () => {
    for await (const event of client.stream(id, { signal: either, patienceMs: PATIENCE_MS })) watcher.onEvent?.(event);
  })();
  // The looks below tell what is wrong with the API; the stream's end only says that there is nothing more.
  const ended = events.catch(() => undefined);
  try {
    const job = await lookUntilOver(client, id, watcher, signal);
    await Promise.race([ended, pause(LAST_EVENTS_MS, signal)]);
    return job;
  } finally {
    over.abort();
    await ended;
  }
}

async function lookUntilOver(client: Client, id: string, watcher: JobWatcher, signal: AbortSignal): Promise<Job> {
  let reached = false;
  let failingSince: number | null = null;
  for (;;) {
    signal.throwIfAborted();
    try {
      const job = await client.job(id, signal);
      reached = true;
      failingSince = null;
      watcher.onJob?.(job);
      if (job.is_terminal) return job;
    } catch (error) {
      const passing = error instanceof ApiError && (error.code === 'unreachable' || error.status === 503);
      // Whoever never reached it has the wrong address; whoever did waits for it to come back.
      if (!passing || (!reached && error.code === 'unreachable') || (failingSince ??= performance.now()) + PATIENCE_MS < performance.now()) throw error;
    }
    await pause(LOOK_MS, signal);
  }
}

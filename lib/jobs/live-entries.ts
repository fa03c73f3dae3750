// What Redis still has of a job's journal or log. It is early, and may be lost: without Redis there is nothing, and no error.
import { isAppError } from '../errors.js';
import type { Journal } from '../queue/index.js';

/** Entries after an id (-1: all), at most `limit`, in order. */
export async function liveEntriesAfter<T extends { id: number }>(journal: Pick<Journal<T>, 'read'>, job: string, after: number, limit: number): Promise<T[]> {
  try {
    return (await journal.read(job, { afterId: after < 0 ? null : after, limit })).entries;
  } catch (error) {
    if (isAppError(error, 'queue_unavailable')) return [];
    throw error;
  }
}

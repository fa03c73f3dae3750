// How many jobs are open, for whoever takes in jobs that others send: markers are counted now and then, beside what is taken in, and
// what this process takes in since is added. Room for those who start jobs by themselves is room.ts.
import type { Clock } from '../clock.js';
import type { Store } from '../store/index.js';
import { readOpenMarkers } from './open-markers.js';

export interface OpenCount {
  /** Whether so many jobs are not over. @throws AppError store_unavailable */
  isFull(openJobs: number): Promise<boolean>;
  /** This process took a job in, or started a new generation of it. */
  note(job: string): void;
}

/** A full queue is counted again after so long. */
const FULL_MS = 1_000;
/** After this long a count is made anew, beside the submission that asked: where there is room it need not wait. */
const COUNT_MS = 10_000;

export function makeOpenCount({ store, clock }: { store: Pick<Store, 'keys'>; clock: Pick<Clock, 'monotonicMs'> }): OpenCount {
  let counted: { jobs: Set<string>; at: number } | null = null;
  /** When; until a count that began later is over. */
  const noted = new Map<string, number>();
  let counting: Promise<void> | null = null;

  async function count(): Promise<void> {
    const at = clock.monotonicMs();
    const jobs = new Set((await readOpenMarkers(store)).keys());
    for (const [job, when] of noted) {
      if (when < at) noted.delete(job);
      else jobs.add(job);
    }
    counted = { jobs, at };
  }
  const isOlder = (ms: number): boolean => !counted || clock.monotonicMs() - counted.at >= ms;
  const recounted = (): Promise<void> => (counting ??= count().finally(() => (counting = null)));
  const open = (): number => counted?.jobs.size ?? 0;

  return {
    isFull: async (openJobs) => {
      // Only a process's first count is waited for. A failure shows where one is.
      if (!counted) await recounted();
      else if (isOlder(COUNT_MS)) recounted().catch(() => undefined);
      if (open() < openJobs) return false;
      if (isOlder(FULL_MS)) await recounted();
      return open() >= openJobs;
    },
    note: (job) => {
      noted.set(job, clock.monotonicMs());
      counted?.jobs.add(job);
    },
  };
}

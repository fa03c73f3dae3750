// Whether there is room for another job, for those who start jobs without being asked over HTTP (the API's own count is open-count.ts):
// open markers are counted now and then, and what this process starts since is added. So the bound holds but for what several processes
// start in the same few seconds.
import type { Clock } from '../clock.js';
import type { Store } from '../store/index.js';
import { readOpenMarkers } from './open-markers.js';

export interface JobRoom {
  /** Places for so many jobs, or for as many as may still be started; one that is not used after all is free again a little later. @throws AppError store_unavailable */
  take(wanted: number): Promise<number>;
  /** Somebody will ask soon: counts now where that was some time ago, so that nobody has to wait for it then. */
  ahead(): void;
}

export interface JobRoomOptions {
  store: Pick<Store, 'keys'>;
  clock: Pick<Clock, 'monotonicMs'>;
  /** PAWL_MAX_OPEN_JOBS */
  openJobs: number;
  log: { warn(fields: object, message: string): void };
}

/** What others did is known after this long. */
const COUNT_MS = 5_000;
/** A count that still gives what is wanted does for so long. */
const ROUGH_COUNT_MS = 15_000;

export function makeJobRoom({ store, clock, openJobs, log }: JobRoomOptions): JobRoom {
  let count: { open: number; at: number } | null = null;
  /** Since the last count began. */
  let taken = 0;
  let counting: Promise<void> | null = null;
  let wasFull = false;

  async function recount(): Promise<void> {
    const at = clock.monotonicMs();
    const before = taken;
    count = { open: (await readOpenMarkers(store)).size, at };
    taken -= before;
  }
  const isOlder = (ms: number): boolean => !count || clock.monotonicMs() - count.at >= ms;
  const free = (): number => Math.max(0, openJobs - (count?.open ?? 0) - taken);
  const counted = (): Promise<void> => (counting ??= recount().finally(() => (counting = null)));

  return {
    ahead: () => {
      if (isOlder(COUNT_MS)) counted().catch(() => undefined);
    },
    take: async (wanted) => {
      if (isOlder(free() < wanted ? COUNT_MS : ROUGH_COUNT_MS)) await counted();
      const given = Math.min(wanted, free());
      taken += given;
      if (given < wanted && !wasFull) log.warn({ open_jobs: openJobs }, 'schedules and sweeps start no more jobs until one is over (PAWL_MAX_OPEN_JOBS)');
      wasFull = given < wanted;
      return given;
    },
  };
}

// What an attempt tells the living: heartbeat, progress, events, rows, all hints. One feed speaks to Redis and shrugs when it
// is away; the other is silent, for runs without a queue. Nothing here is ever waited for by training.
import type { Progress } from '../../lib/contract/job.js';
import type { EpochRow, JobEvent, LogLine, UpdateRow } from '../../lib/contract/rows.js';
import { isAppError } from '../../lib/errors.js';
import type { OwnerPhase } from '../../lib/jobs/status.js';
import type { Log } from '../../lib/log.js';
import type { JobQueue, Tallies } from '../../lib/queue/index.js';

export interface FeedStamp {
  job: string;
  attempt: string;
  number: number;
  worker: string;
  gen: number;
  fence: number;
}

export interface LiveFeed {
  beat(stamp: FeedStamp, phase: OwnerPhase, progress: Progress | null): void;
  events(stamp: FeedStamp, events: readonly JobEvent[]): void;
  logs(stamp: FeedStamp, lines: readonly LogLine[]): void;
  rows(stamp: FeedStamp, updates: readonly UpdateRow[], epochs: readonly EpochRow[]): void;
  /** Rows beyond the checkpoint were written by an attempt that died. */
  rewind(stamp: FeedStamp, to: { update: number; epoch: number }): void;
  /** Committed rows up to here are in the store. */
  committed(job: string, updates: number, epochs: number): void;
  /** What the whole fleet's figures gain. */
  tally(gains: Tallies): void;
  end(stamp: FeedStamp, terminal: boolean): Promise<void>;
}

/** Followers of a job that is over may read its live journal this long. */
const AFTERLIFE_MS = 3_600_000;

export function makeSilentFeed(): LiveFeed {
  return {
    beat: () => undefined,
    events: () => undefined,
    logs: () => undefined,
    rows: () => undefined,
    rewind: () => undefined,
    committed: () => undefined,
    tally: () => undefined,
    end: () => Promise.resolve(),
  };
}

export function makeRedisFeed(queue: JobQueue, log: Log): LiveFeed {
  const shrug = (what: Promise<unknown>): void => {
    what.catch((error: unknown) => {
      if (!isAppError(error, 'queue_unavailable')) log.warn({ err: error }, 'live feed');
    });
  };
  return {
    beat: (stamp, phase, progress) => shrug(queue.heartbeats.beat({ ...stamp, phase, progress })),
    events: (stamp, events) => {
      if (events.length > 0) shrug(queue.journal.append(stamp.job, stamp, events));
    },
    logs: (stamp, lines) => shrug(queue.logs.append(stamp.job, stamp, lines)),
    rows: (stamp, updates, epochs) => {
      if (updates.length + epochs.length > 0) shrug(queue.rows.put(stamp.job, stamp, updates, epochs));
    },
    rewind: (stamp, to) => shrug(queue.rows.rewind(stamp.job, stamp, to)),
    committed: (job, updates, epochs) => {
      shrug(queue.rows.trim(job, 'update', updates));
      shrug(queue.rows.trim(job, 'epoch', epochs));
    },
    tally: (gains) => shrug(queue.tallies.add(gains)),
    end: async (stamp, terminal) => {
      await queue.heartbeats.end(stamp.job, stamp.attempt).catch(() => undefined);
      if (!terminal) return;
      shrug(queue.journal.expire(stamp.job, AFTERLIFE_MS));
      shrug(queue.logs.expire(stamp.job, AFTERLIFE_MS));
      shrug(queue.rows.expire(stamp.job, AFTERLIFE_MS));
    },
  };
}

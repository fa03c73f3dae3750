// What the server is built from, and what its routes share: one job access, one list of jobs, one registry of metrics.
import { monotonicFactory } from 'ulid';
import type { Clock } from '../lib/clock.js';
import { isAppError } from '../lib/errors.js';
import type { DataPlaces } from '../lib/data/places.js';
import { idRandom } from '../lib/fresh-id.js';
import { type JobAccess, makeJobAccess } from '../lib/jobs/access.js';
import type { ControlDeps } from '../lib/jobs/control.js';
import { type Follower, makeFollower } from '../lib/jobs/following.js';
import { type JobListing, makeJobListing } from '../lib/jobs/listing.js';
import type { Log } from '../lib/log.js';
import type { JobQueue } from '../lib/queue/index.js';
import type { Store } from '../lib/store/index.js';
import { makeSweepAccess, type SweepAccess } from '../lib/sweeps/access.js';
import type { Decider } from '../lib/sweeps/decider.js';
import type { Security } from './security.js';

export interface ServerTiming {
  /** How often a stream looks into the store while it hears nothing. */
  streamPollMs: number;
  /** Between comments that keep a stream's connection open. */
  streamCommentMs: number;
  /** How long a stream waits for a reader that does not read. */
  streamStallMs: number;
  /** What a client of a stream is told to wait before it connects again. */
  streamRetryMs: number;
  /** For an answer; after it the store counts as away. */
  handlerMs: number;
}

/** What one API process takes before it says 429. */
export interface Limits {
  /** Jobs that are not over. */
  openJobs: number;
  /** Of one client; null: any number. */
  requestsPerMinute: number | null;
}

export interface ServerDeps {
  store: Store;
  queue: JobQueue;
  clock: Clock;
  log: Log;
  /** Where data may be read, for a look at what is submitted. */
  places: DataPlaces;
  security: Security;
  limits: Limits;
  version: string;
  /** Decides about sweeps where that takes long; without it the event loop does. */
  decider?: Decider | null;
  timing?: Partial<ServerTiming>;
}

export interface RouteDeps {
  store: Store;
  queue: JobQueue;
  clock: Clock;
  log: Log;
  places: DataPlaces;
  version: string;
  limits: Limits;
  timing: ServerTiming;
  access: JobAccess;
  listing: JobListing;
  control: ControlDeps;
  sweeps: SweepAccess;
  follower: Follower;
  /** Lets whoever lives know that a job, sweep or schedule was changed; those who do not hear of it look by themselves, a little later. */
  tell(id: string): Promise<void>;
  /** Ids of one process sort by the order in which they were made. */
  newJobId(): string;
  newScheduleId(): string;
  newSweepId(): string;
}

const DEFAULT_TIMING: ServerTiming = { streamPollMs: 2_000, streamCommentMs: 15_000, streamStallMs: 30_000, streamRetryMs: 2_000, handlerMs: 30_000 };

export function makeRouteDeps({ store, queue, clock, log, places, limits, version, decider = null, timing: given }: ServerDeps): RouteDeps {
  const timing = { ...DEFAULT_TIMING, ...given };
  const access = makeJobAccess({ store, queue, clock, places, log });
  const monotonic = monotonicFactory(idRandom);
  const ulid = (): string => monotonic(clock.now().getTime()).toLowerCase();
  return {
    store,
    queue,
    clock,
    log,
    places,
    limits,
    version,
    timing,
    access,
    listing: makeJobListing({ store, access, clock }),
    control: { store, clock, tickets: queue.tickets, log },
    follower: makeFollower({ access, journal: queue.journal, clock, pollMs: timing.streamPollMs }),
    sweeps: makeSweepAccess({ store, clock, decider, log }),
    tell: async (id) => {
      await queue.control.nudge(id).catch((error: unknown) => {
        if (!isAppError(error, 'queue_unavailable')) log.warn({ id, err: error }, 'nobody was nudged');
      });
    },
    newJobId: () => `job_${ulid()}`,
    newSweepId: () => `swp_${ulid()}`,
    newScheduleId: () => `sch_${ulid()}`,
  };
}

// What every part of an attempt's story shares: its claim, its controls, its heartbeat, and where news comes from.
import type { Clock } from '../../lib/clock.js';
import type { Progress } from '../../lib/contract/job.js';
import type { Head, JobRecord } from '../../lib/contract/records.js';
import type { JobSpec } from '../../lib/contract/spec.js';
import type { Claim } from '../../lib/jobs/head.js';
import type { TicketIssuer } from '../../lib/jobs/handover.js';
import type { Liveness } from '../../lib/jobs/liveness.js';
import type { RunLimits } from '../../lib/jobs/lifecycle.js';
import type { OwnerPhase } from '../../lib/jobs/status.js';
import type { Log } from '../../lib/log.js';
import type { AttemptLog } from './attempt-log.js';
import type { Store } from '../../lib/store/index.js';
import type { EngineFacts } from '../protocol.js';
import type { TrainerSetup } from '../trainer-environment.js';
import type { DataMeans } from './inputs.js';
import type { FeedStamp, LiveFeed } from './live-feed.js';
import type { Notice } from './notice.js';
import type { ObjectCache } from './object-cache.js';
import type { Pace } from './pace.js';
import type { TrainerPool } from './trainer-process.js';

export interface AttemptDeps {
  store: Store;
  /** Where the jobs are whose checkpoints others begin with: the same store, unless this one is a scratch store. */
  beginnings: Store;
  clock: Clock;
  log: Log;
  tickets: TicketIssuer;
  feed: LiveFeed;
  liveness: Pick<Liveness, 'isLive' | 'account'>;
  /** By the clock that all processes share. @throws AppError store_unavailable, store_full */
  sharedNow(): Promise<Date>;
  trainers: TrainerPool;
  pace: Pace;
  /** Processes that the kernel ended for want of memory so far; null if it does not say. */
  memoryKills(): number | null;
  trainerSetup(spec: JobSpec, numericsClass: string | null): TrainerSetup;
  /** What one job may take of this machine's memory. */
  memoryMib: number;
  /** This worker's id, `wrk_…`. */
  worker: string;
  data: DataMeans;
  /** Of data objects; null: no bucket may be read. */
  copies: ObjectCache | null;
  /** Folder for spools, one an attempt. */
  spoolRoot: string;
  beatEveryMs: number;
  /** Whether this worker still says of its jobs that their owner lives. */
  isHeld(): boolean;
  /** How often HEAD is read for what is wanted, besides nudges. */
  lookEveryMs: number;
}

export interface AttemptControls {
  notice: Notice;
  /** The job is claimed: this attempt has it now. */
  onClaimed(attempt: string): void;
  /** Calls back when HEAD may want something new. Returns a function that stops it. */
  onNudge(listener: () => void): () => void;
  /** Calls back when now is a good time to save: the machine may go. Returns a function that stops it. */
  onHint(listener: () => void): () => void;
  /** The worker says of itself what its trainers run on. */
  onFacts(engine: string, device: string): void;
  /** All that was trained until so long ago is committed, or was when training began. */
  onSafe(agoMs: number): void;
}

export type AttemptOutcome =
  /** The job was not ours to run: terminal, held, stale, or finished on the spot. */
  | { kind: 'passed'; why: string }
  /** Its time has not come. */
  | { kind: 'early'; startsAt: Date }
  /** Another kind of worker has to take it. */
  | { kind: 'unsuited'; message: string }
  | { kind: 'ended'; head: Head; executed: number; wasted: number; /** A schedule started the job. */ scheduled: boolean }
  /** Another attempt took over; nothing was written since. */
  | { kind: 'fenced' }
  /** The store did not take the ending; the job is left to whoever claims it next. */
  | { kind: 'abandoned'; message: string };

/** How long the job had no worker before this attempt: until somebody knew, and then in the line. */
export interface Waited {
  detectMs: number;
  queueMs: number;
}

export interface Session {
  deps: AttemptDeps;
  record: JobRecord;
  claim: Claim;
  limits: RunLimits;
  controls: AttemptControls;
  log: AttemptLog;
  stamp: FeedStamp;
  spoolDir: string;
  startedMs: number;
  waited: Waited;
  beating: Beating;
  /** Known once the trainer is ready. */
  facts: EngineFacts | null;
  /** The checkpoint it resumed from. */
  resumedFrom: string | null;
}

/** The attempt's heartbeat: what it is doing and how far it is, every few seconds and at each change of phase. */
export interface Beating {
  phase(phase: OwnerPhase): void;
  progress(progress: Progress): void;
  stop(): void;
}

export function keepBeating(deps: Pick<AttemptDeps, 'feed' | 'beatEveryMs' | 'isHeld'>, stamp: FeedStamp): Beating {
  let phase: OwnerPhase = 'starting';
  let progress: Progress | null = null;
  const beat = (): void => {
    if (deps.isHeld()) deps.feed.beat(stamp, phase, progress);
  };
  const timer = setInterval(beat, deps.beatEveryMs);
  beat();
  return {
    phase: (next) => {
      phase = next;
      beat();
    },
    progress: (next) => {
      const first = progress === null;
      progress = next;
      if (first) beat();
    },
    stop: () => clearInterval(timer),
  };
}

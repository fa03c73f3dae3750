// What a job crashed on may be this worker: its next ticket is left to another one for a moment, if another one is free. A hint
// only, and never for long: with nobody else there, or when the moment is over, this worker takes it.
import type { Clock } from '../../lib/clock.js';
import type { StatusReason } from '../../lib/contract/records.js';
import { hasFreeSlot, type ListedWorker, type Ticket } from '../../lib/queue/index.js';
import type { AttemptOutcome } from './session.js';

export interface Yielding {
  /** An attempt here is over. `noticed`: it was told to end. */
  ended(job: string, outcome: AttemptOutcome, noticed: boolean): void;
  /** How long this ticket is to be put off before it is looked at again; 0: take it. */
  putOffMs(ticket: Ticket): Promise<number>;
}

export interface YieldingOptions {
  /** This worker. */
  worker: string;
  /** Who lives. May fail: then nobody is known. */
  list(): Promise<ListedWorker[]>;
  clock: Pick<Clock, 'monotonicMs'>;
}

/** In all, from the first time the ticket was seen here. */
const MOMENT_MS = 5_000;
/** Between two looks at it. */
const LOOK_MS = 250;
/** Jobs that are remembered; of more, the latest. */
const REMEMBERED = 1_000;
const CRASHES: readonly (StatusReason | null)[] = ['trainer_crashed', 'oom', 'engine_unavailable', 'preempted_kill'];

export function makeYielding({ worker, list, clock }: YieldingOptions): Yielding {
  /** By job: the fence of the attempt that crashed here, which its next ticket has, and when that was first seen. */
  const crashed = new Map<string, { fence: number; seenMs: number | null }>();

  return {
    ended(job, outcome, noticed) {
      crashed.delete(job);
      if (outcome.kind !== 'ended' || noticed || outcome.head.state !== 'open' || !CRASHES.includes(outcome.head.reason)) return;
      crashed.set(job, { fence: outcome.head.fence, seenMs: null });
      const [oldest] = crashed.keys();
      if (oldest !== undefined && crashed.size > REMEMBERED) crashed.delete(oldest);
    },
    async putOffMs({ job, fence }) {
      const crash = crashed.get(job);
      if (crash === undefined || crash.fence !== fence) return 0;
      crash.seenMs ??= clock.monotonicMs();
      const leftMs = crash.seenMs + MOMENT_MS - clock.monotonicMs();
      const isFree = leftMs > 0 && hasFreeSlot(await list().catch(() => []), worker);
      if (!isFree) crashed.delete(job);
      return isFree ? Math.min(leftMs, LOOK_MS) : 0;
    },
  };
}

// Jobs that this worker found it cannot run: began in another numerics class, need a GPU or more memory. Finding out takes a claim, a
// checkpoint and perhaps a trainer, and leaves an attempt behind; so for a while their tickets go on to others without. Not for ever:
// what a worker computes on may change with its trainers.
import type { Clock } from '../../lib/clock.js';
import type { Ticket } from '../../lib/queue/index.js';
import type { AttemptOutcome } from './session.js';

export interface Unsuited {
  /** An attempt here is over. */
  ended(ticket: Ticket, outcome: AttemptOutcome): void;
  /** How long this ticket is to be left to others; 0: take it. */
  putOffMs(ticket: Ticket): number;
}

/** Until it is tried again, twice as long each time. */
const FIRST_MS = 60_000;
const LONGEST_MS = 3_600_000;
/** Between two looks at its ticket: whoever is suited may take it then. */
const LOOK_MS = 3_000;
/** Jobs that are remembered; of more, the latest. */
const REMEMBERED = 10_000;

export function makeUnsuited({ monotonicMs }: Pick<Clock, 'monotonicMs'>): Unsuited {
  /** By job: of a retry everything may be another. */
  const found = new Map<string, { gen: number; waitMs: number; untilMs: number }>();

  return {
    ended({ job, gen }, outcome) {
      const before = found.get(job);
      found.delete(job);
      if (outcome.kind !== 'unsuited') return;
      const waitMs = before?.gen === gen ? Math.min(2 * before.waitMs, LONGEST_MS) : FIRST_MS;
      found.set(job, { gen, waitMs, untilMs: monotonicMs() + waitMs });
      const [oldest] = found.keys();
      if (oldest !== undefined && found.size > REMEMBERED) found.delete(oldest);
    },
    putOffMs({ job, gen }) {
      const known = found.get(job);
      return known?.gen === gen && known.untilMs > monotonicMs() ? LOOK_MS : 0;
    },
  };
}

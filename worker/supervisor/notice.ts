// A notice that an attempt has to end soon: from a signal, a drain, or the preempt call. The earliest deadline wins and only
// tightens; what came first names the reason.
import type { StatusReason } from '../../lib/contract/records.js';

export interface NoticeFacts {
  reason: Extract<StatusReason, 'preempted_notice' | 'server_shutdown'>;
  message: string;
  /** On the clock of performance.now(); null: as soon as possible, without a limit. */
  deadlineMs: number | null;
  /** No time at all: the trainer is killed where it stands. */
  immediate: boolean;
  /** The machine goes at the deadline and not before: until then there is nothing better to do than to train. */
  trainOn: boolean;
}

export interface Notice {
  /** Given until now, if any. */
  facts(): NoticeFacts | null;
  give(facts: NoticeFacts): void;
  onGiven(listener: () => void): () => void;
}

/** What is left where nobody says how much. */
const SOON_GRACE_MS = 120_000;
/** However late a notice comes, or seems to by clocks that differ, the trainer gets the chance to hear it. Too short to train on for. */
const LEAST_GRACE_MS = 1_000;

/** What a cloud's announcement gives the attempts, by what is left until then; null: it goes soon. */
export const graceOf = (leftMs: number | null): number => (leftMs === null ? SOON_GRACE_MS : Math.max(LEAST_GRACE_MS, leftMs));

const earlier = (a: number | null, b: number | null): number | null => (a === null || b === null ? (a ?? b) : Math.min(a, b));

export function makeNotice(): Notice {
  let current: NoticeFacts | null = null;
  const listeners = new Set<() => void>();
  return {
    facts: () => current,
    give: (facts) => {
      const before = current;
      current = before === null ? facts : { ...before, deadlineMs: earlier(before.deadlineMs, facts.deadlineMs), immediate: before.immediate || facts.immediate, trainOn: before.trainOn && facts.trainOn };
      if (before !== null && current.deadlineMs === before.deadlineMs && current.immediate === before.immediate && current.trainOn === before.trainOn) return;
      for (const listener of listeners) listener();
    },
    onGiven: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

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
}

export interface Notice {
  /** Given until now, if any. */
  facts(): NoticeFacts | null;
  give(facts: NoticeFacts): void;
  onGiven(listener: () => void): () => void;
}

export function makeNotice(): Notice {
  let current: NoticeFacts | null = null;
  const listeners = new Set<() => void>();
  return {
    facts: () => current,
    give: (facts) => {
      const tighter = current !== null && facts.deadlineMs !== null && (current.deadlineMs === null || facts.deadlineMs < current.deadlineMs);
      if (current === null) current = facts;
      else if (tighter || facts.immediate) current = { ...current, deadlineMs: facts.deadlineMs, immediate: current.immediate || facts.immediate };
      else return;
      for (const listener of listeners) listener();
    },
    onGiven: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

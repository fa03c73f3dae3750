// How long a job may be in attempts, all of them together (run.max_duration_seconds), whatever an attempt is doing.
import type { Ending } from '../../lib/jobs/lifecycle.js';
import type { Session } from './session.js';

/** Calls back when that time is over; at once where it is over already. Returns a function that ends the wait. */
export function onTimeOver({ deps, record, claim, startedMs }: Session, act: () => void): () => void {
  const limit = record.spec.run.max_duration_seconds;
  if (limit === null) return () => undefined;
  const waiting = new AbortController();
  const leftMs = (limit - claim.head().counters.attempt_seconds) * 1_000 - (deps.clock.monotonicMs() - startedMs);
  void deps.clock.sleep(Math.max(0, leftMs), waiting.signal).then(act, () => undefined);
  return () => waiting.abort();
}

export const timeIsOver = ({ record }: Pick<Session, 'record'>): Extract<Ending, { kind: 'stopped' }> => ({ kind: 'stopped', reason: 'max_duration', message: `run.max_duration_seconds (${record.spec.run.max_duration_seconds}) is over` });

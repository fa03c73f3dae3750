// What the API's verbs make of HEAD, as pure functions: pause, resume, cancel and kill change what is wanted, retry begins
// the next gen. control.ts does the writing.
import type { Head, JobRecord, StatusReason, Want, WantVerb } from '../contract/records.js';
import { AppError } from '../errors.js';
import { isTerminal, jumpEvents, withEvents } from './lifecycle.js';

/** A job that is to run no longer says why it was paused. */
const wanted = (head: Head, verb: WantVerb, cause: StatusReason): Head => ({ ...head, want: { verb, seq: head.want.seq + 1, cause }, ...(verb === 'run' && head.state === 'paused' ? { reason: null, message: null } : {}) });

function refuse(verb: string, head: Head): never {
  const now = head.state === 'open' ? `wanted: ${head.want.verb}` : head.state;
  throw new AppError('invalid_state', `cannot ${verb} a job that is ${now}`);
}

/**
 * HEAD after a verb, or null where it already holds. Cancel absorbs pause; resume undoes only pause.
 * @throws AppError invalid_state where the verb does not apply
 */
export function afterVerb(head: Head, verb: 'pause' | 'resume' | 'cancel' | 'kill', cause: StatusReason): Head | null {
  const is: Want['verb'] = head.want.verb;
  switch (verb) {
    case 'pause':
      if (isTerminal(head.state)) refuse(verb, head);
      if (is === 'pause') return null;
      if (is === 'run') return wanted(head, 'pause', cause);
      return refuse(verb, head);
    case 'resume':
      if (isTerminal(head.state)) refuse(verb, head);
      if (is === 'pause') return wanted(head, 'run', cause);
      if (is === 'run') return null;
      return refuse(verb, head);
    case 'cancel':
      if (head.state === 'cancelled' || (!isTerminal(head.state) && (is === 'cancel' || is === 'kill'))) return null;
      if (isTerminal(head.state)) refuse(verb, head);
      return wanted(head, 'cancel', cause);
    case 'kill':
      if (head.state === 'cancelled' || (!isTerminal(head.state) && is === 'kill')) return null;
      if (isTerminal(head.state)) refuse(verb, head);
      return wanted(head, 'kill', cause);
  }
}

/**
 * HEAD of a job that is to go on and pause by itself after that update (null: not any more), or null where it already does.
 * @throws AppError invalid_state
 */
export function goesOnUntil(head: Head, update: number | null): Head | null {
  if (isTerminal(head.state) || head.want.verb === 'cancel' || head.want.verb === 'kill') refuse('continue', head);
  if (head.want.verb === 'run' && head.pause_at?.update === update) return null;
  return { ...wanted(head, 'run', head.want.cause), pause_at: { update } };
}

/** After which update a job pauses by itself; null: it does not. */
export const pauseAtOf = (record: Pick<JobRecord, 'pause_at_update'>, head: Pick<Head, 'pause_at'>): number | null => (head.pause_at ? head.pause_at.update : record.pause_at_update);

/** HEAD after a retry of generation `fromGen`, or null where that has happened. Attempt numbers, event ids and sums go on; run.start_before is of gen 0. */
export function retried(head: Head, fromGen: number, now: Date): Head | null {
  if (head.gen > fromGen) return null;
  if (head.state !== 'failed' && head.state !== 'cancelled' && head.state !== 'expired') refuse('retry', head);
  const next: Head = {
    ...wanted(jumpEvents(head), 'run', 'user'),
    gen: head.gen + 1,
    state: 'open',
    reason: null,
    message: null,
    error: null,
    result: null,
    finished_at: null,
    counters: { ...jumpEvents(head).counters, kills_since_commit: 0, failures: 0, preemptions: 0, restarts: 0, attempt_seconds: 0 },
  };
  return withEvents(next, now, { type: 'job.retried', attempt: null, message: `retry ${next.gen}` });
}

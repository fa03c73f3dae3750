// What follows when nobody owns a job any more: the next ticket if it wants to run, closing if it is over.
// Best effort for tickets: the reconciler issues what is missing.
import type { Clock } from '../clock.js';
import type { Head, JobRecord } from '../contract/records.js';
import { isAppError } from '../errors.js';
import type { Store } from '../store/index.js';
import { closeJob } from './closing.js';
import { isTerminal, type Ticket } from './lifecycle.js';

/** Where tickets go. The queue implements it. */
export interface TicketIssuer {
  /** Idempotent: a ticket whose id exists is left alone. @throws AppError queue_unavailable */
  issue(ticket: Ticket & { priority: number; reissue: boolean; delayMs?: number }): Promise<unknown>;
  /** Takes a ticket back that nobody has in hand. @throws AppError queue_unavailable */
  withdraw(ticket: Ticket): Promise<unknown>;
}

export interface HandoverDeps {
  store: Store;
  clock: Pick<Clock, 'now'>;
  tickets: TicketIssuer;
  log: { warn(fields: object, message: string): void };
}

/** Longest pause between failures. */
const BACKOFF_CAP_SECONDS = 60;

/** Milliseconds until an attempt may follow the n-th failure: min(2ⁿ, 60) s. */
export function failureBackoffMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(2 ** failures, BACKOFF_CAP_SECONDS) * 1_000;
}

/** Whether a ticket belongs to this HEAD. */
export function wantsTicket(head: Head): boolean {
  return (head.state === 'open' || head.state === 'paused') && head.want.verb === 'run' && head.owner === null;
}

/** How long the next ticket waits: until start_after before the first attempt, the back-off after a failure. */
export function ticketDelayMs(head: Head, record: JobRecord, now: Date, afterFailure: boolean): number {
  const startAfter = record.spec.run.start_after;
  if (head.started_at === null && startAfter !== null) return Math.max(0, Date.parse(startAfter) - now.getTime());
  return afterFailure ? failureBackoffMs(head.counters.failures) : 0;
}

/** Issues the ticket that HEAD calls for, if it calls for one. False if Redis is away: the reconciler will. */
export async function issueTicket(deps: HandoverDeps, record: JobRecord, head: Head, options: { reissue: boolean; afterFailure?: boolean; delayMs?: number }): Promise<boolean> {
  if (!wantsTicket(head)) return false;
  const delayMs = Math.max(options.delayMs ?? 0, ticketDelayMs(head, record, deps.clock.now(), options.afterFailure ?? false));
  try {
    await deps.tickets.issue({ job: record.id, gen: head.gen, fence: head.fence, priority: record.spec.run.priority, reissue: options.reissue, ...(delayMs > 0 ? { delayMs } : {}) });
    return true;
  } catch (error) {
    if (!isAppError(error, 'queue_unavailable')) throw error;
    deps.log.warn({ job: record.id, error: error.message }, 'no ticket: Redis is away, the reconciler will issue it');
    return false;
  }
}

/** Takes back the ticket of a HEAD that nobody owns and that wants no worker any more: none need be started to drop it. */
export async function withdrawTicket(deps: HandoverDeps, job: string, head: Head): Promise<void> {
  try {
    await deps.tickets.withdraw({ job, gen: head.gen, fence: head.fence });
  } catch (error) {
    if (!isAppError(error, 'queue_unavailable')) deps.log.warn({ job, err: error }, 'a ticket was not withdrawn; whoever takes it drops it');
  }
}

/**
 * After an attempt's end or a finish without one: closes a terminal job, else issues the next ticket ahead of its own priority.
 * @returns whether a ticket was issued
 */
export async function handOver(deps: HandoverDeps, record: JobRecord, head: Head, options: { afterFailure?: boolean; delayMs?: number } = {}): Promise<boolean> {
  if (!isTerminal(head.state)) return issueTicket(deps, record, head, { reissue: true, ...options });
  await closeJob(deps.store, record, head, deps.clock.now());
  return false;
}

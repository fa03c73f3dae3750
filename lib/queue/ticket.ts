// A ticket as data: its id, its place in the line, and what it carries. Pure.
import { AppError } from '../errors.js';

export interface Ticket {
  job: string;
  gen: number;
  /** The fence HEAD had when the ticket was made. */
  fence: number;
}

/** What BullMQ stores with a ticket. `stalls`: how many of its stalls have been put right. */
export interface TicketData extends Ticket {
  stalls?: number;
  /** When a stalled one was put back, by the clock of whoever did. */
  since?: number;
}

/** A ticket in hand. */
export interface TakenTicket extends Ticket {
  /** When it could first be taken, by its issuer's clock. */
  sinceMs: number;
}

/** Jobs say −100 to 100, high first. */
export const PRIORITY_MIN = -100;
export const PRIORITY_MAX = 100;

/** BullMQ ignores an add whose id exists in any state, so equal tickets are one. It refuses colons. */
export function ticketId({ job, gen, fence }: Ticket): string {
  return `${job}.g${gen}.f${fence}`;
}

/** The ticket of an id; null if it is none. */
export function parseTicketId(id: string): Ticket | null {
  const match = /^(.+)\.g(\d+)\.f(\d+)$/.exec(id);
  return match ? { job: match[1]!, gen: Number(match[2]), fence: Number(match[3]) } : null;
}

/**
 * BullMQ's number for our priority: lower is first, 0 would beat all, FIFO within one.
 * Even for a first issue; one less for a re-issued ticket, so it goes ahead of its own priority and never of a higher one.
 */
export function queuePriority(priority: number, reissue: boolean): number {
  if (!Number.isInteger(priority) || priority < PRIORITY_MIN || priority > PRIORITY_MAX) {
    throw new AppError('invalid_request', `priority must be an integer from ${PRIORITY_MIN} to ${PRIORITY_MAX}`, { param: 'priority' });
  }
  return 2 * (PRIORITY_MAX - priority) + (reissue ? 1 : 2);
}

/** Back from BullMQ's number. */
export function jobPriority(number: number): { priority: number; reissue: boolean } {
  return { priority: PRIORITY_MAX - Math.ceil(number / 2) + 1, reissue: number % 2 === 1 };
}

/** The number of the same ticket when it is issued again. */
export function reissuedPriority(number: number): number {
  return number % 2 === 1 ? number : Math.max(1, number - 1);
}

/** The data of a ticket taken from Redis; null if it is not ours. */
export function parseTicketData(data: unknown): TicketData | null {
  if (typeof data !== 'object' || data === null) return null;
  const { job, gen, fence, stalls, since } = data as Record<string, unknown>;
  if (typeof job !== 'string' || job === '' || !isCount(gen) || !isCount(fence)) return null;
  return { job, gen, fence, ...(isCount(stalls) ? { stalls } : {}), ...(isCount(since) ? { since } : {}) };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

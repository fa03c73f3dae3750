// Takes tickets and hands them to a handler, one per slot. BullMQ's worker is treated as something that may stop fetching, lose
// locks or run a ticket twice: none of that matters, since a ticket is a hint and claiming a job decides.
import { DelayedError, type Job } from 'bullmq';
import { AppError } from '../errors.js';
import type { FastConnection } from './connection.js';
import { makeFetcher, type Fetcher } from './fetcher.js';
import type { QueueSettings } from './settings.js';
import { parseTicketData, reissuedPriority, type TakenTicket, type Ticket, type TicketData } from './ticket.js';
import type { Tickets } from './tickets.js';

/** `postpone`: nobody claimed; the same ticket comes back, to any worker, after the delay: ahead of its own priority, or `behind` those of it that wait. */
export type TicketOutcome = void | { postponeMs: number; behind?: boolean };

export interface ConsumerOptions {
  /** Tickets handled at a time. */
  slots: number;
  /**
   * Does whatever the ticket leads to and leaves HEAD released or terminal. An exception is logged and the ticket is over all
   * the same. The signal is aborted when the consumer closes.
   */
  handler(ticket: TakenTicket, signal: AbortSignal): Promise<TicketOutcome>;
  /** With tickets waiting and a slot free, a fetcher that takes none for so long is replaced. */
  wedgedAfterMs?: number;
}

export interface TicketConsumer {
  start(): void;
  /** Takes no further tickets; those in hand go on. */
  pause(): void;
  resume(): void;
  /** Tickets in hand. */
  running(): Ticket[];
  /** Takes no further tickets, aborts the signals, waits for the handlers up to `waitMs`, and leaves nothing behind. */
  close(options: { waitMs: number }): Promise<void>;
}

interface InHand {
  ticket: TakenTicket;
  abort: AbortController;
  fetcher: Fetcher;
}

const WEDGED_AFTER_MS = 30_000;

export function makeTicketConsumer(connection: FastConnection, tickets: Tickets, settings: QueueSettings, options: ConsumerOptions): TicketConsumer {
  const { log } = settings;
  const { slots, handler, wedgedAfterMs = WEDGED_AFTER_MS } = options;
  if (!Number.isInteger(slots) || slots < 1) throw new AppError('invalid_request', 'a consumer needs at least one slot', { param: 'slots' });
  const inHand = new Map<string, InHand>();
  const retiring = new Set<Fetcher>();
  let current: Fetcher | null = null;
  let supervisor: NodeJS.Timeout | undefined;
  let paused = false;
  let closing: Promise<void> | null = null;
  let lastTaken = performance.now();
  /** close() stops waiting for handlers: their tickets go back. */
  let abandon = (): void => undefined;
  const abandoned = new Promise<'abandoned'>((resolve) => (abandon = () => resolve('abandoned')));
  /** close() has no handler to wait for. */
  let idle = (): void => undefined;

  function fetcher(concurrency: number): Fetcher {
    const made: Fetcher = makeFetcher(settings, { concurrency, process: (job, token) => take(made, job, token) });
    return made;
  }

  /** What BullMQ runs per ticket. A return completes (and forgets) it; DelayedError says that it was put back. */
  async function take(from: Fetcher, job: Job<TicketData>, token: string): Promise<void> {
    lastTaken = performance.now();
    const id = job.id ?? '';
    const data = parseTicketData(job.data);
    if (!data) {
      log.error({ ticket: id }, 'not a ticket: dropped');
      return;
    }
    // It stalled: BullMQ put it ahead of everything. Back it goes, to its own place.
    if (job.stalledCounter > (data.stalls ?? 0)) {
      log.warn({ ticket: id, stalls: job.stalledCounter }, 'a stalled ticket is issued again');
      return putBack(from, job, token, { ...data, stalls: job.stalledCounter, since: Date.now() }, { postponeMs: 0 });
    }
    // Fetched by a read that was already under way; or the same ticket twice in one process, after a lost lock.
    if (paused || closing) return putBack(from, job, token, data, { postponeMs: 0 });
    if (inHand.has(id)) return putBack(from, job, token, data, { postponeMs: settings.timing.deadAfterMs });

    const abort = new AbortController();
    const { job: name, gen, fence } = data;
    const ticket: TakenTicket = { job: name, gen, fence, sinceMs: data.since ?? job.timestamp + (job.opts.delay ?? 0) };
    inHand.set(id, { ticket, abort, fetcher: from });
    const handled = handle(ticket, abort.signal).finally(() => {
      inHand.delete(id);
      afterwards();
    });
    const outcome = await Promise.race([handled, abandoned]);
    if (outcome === 'abandoned') return putBack(from, job, token, data, { postponeMs: 0 });
    if (outcome) return putBack(from, job, token, data, outcome);
  }

  async function handle(ticket: TakenTicket, signal: AbortSignal): Promise<TicketOutcome> {
    try {
      return await handler(ticket, signal);
    } catch (error) {
      log.error({ ...ticket, err: error }, 'a ticket handler failed');
    }
  }

  async function putBack(from: Fetcher, job: Job<TicketData>, token: string, data: TicketData, { postponeMs: delayMs, behind = false }: Exclude<TicketOutcome, void>): Promise<never> {
    try {
      await from.putBack(job, token, { priority: behind ? job.priority : reissuedPriority(job.priority), data, delayMs });
    } catch (error) {
      // The lock went to somebody else, or Redis was emptied: either way the ticket is no longer ours to return.
      log.warn({ ticket: job.id, err: error }, 'a ticket could not be put back');
    }
    throw new DelayedError();
  }

  /** A slot is free: the retired fetchers' share goes to the current one. */
  function afterwards(): void {
    if (closing) {
      if (inHand.size === 0) idle();
      return;
    }
    for (const old of retiring) if (!holds(old)) retire(old);
    current?.setConcurrency(Math.max(1, slots - elsewhere()));
  }

  const holds = (one: Fetcher): boolean => [...inHand.values()].some((entry) => entry.fetcher === one);
  const elsewhere = (): number => [...inHand.values()].filter((entry) => entry.fetcher !== current).length;

  function retire(old: Fetcher): void {
    retiring.delete(old);
    old.close().catch((error: unknown) => log.warn({ err: error }, 'an old fetcher did not close'));
  }

  /** Some BullMQ releases stop fetching after an outage and say nothing. */
  async function supervise(): Promise<void> {
    if (!current || paused || closing || inHand.size >= slots) {
      lastTaken = performance.now();
      return;
    }
    const { waiting } = await tickets.depth();
    const connectedMs = Date.now() - connection.state().since.getTime();
    if (waiting === 0 || connectedMs < wedgedAfterMs) lastTaken = performance.now();
    if (closing || performance.now() - lastTaken < wedgedAfterMs) return;
    log.error({ waiting, idleMs: Math.round(performance.now() - lastTaken) }, 'tickets wait and none is taken: starting over');
    lastTaken = performance.now();
    const old = current;
    old.pause();
    current = fetcher(Math.max(1, slots - inHand.size));
    if (holds(old)) retiring.add(old);
    else retire(old);
  }

  async function end(waitMs: number): Promise<void> {
    clearInterval(supervisor);
    const fetchers = [...retiring, ...(current ? [current] : [])];
    for (const one of fetchers) one.pause();
    for (const { abort } of inHand.values()) abort.abort(new AppError('fenced', 'the consumer is closing'));
    const done = new Promise<void>((resolve) => (idle = resolve));
    if (inHand.size === 0) idle();
    const timer = setTimeout(abandon, waitMs);
    const enough = Promise.race([done, abandoned]);
    await Promise.all(fetchers.map((one) => one.close(enough)));
    clearTimeout(timer);
  }

  return {
    start() {
      if (current || closing) return;
      lastTaken = performance.now();
      current = fetcher(slots);
      supervisor = setInterval(() => void supervise().catch(() => undefined), Math.max(100, wedgedAfterMs / 4));
    },
    pause() {
      paused = true;
      current?.pause();
    },
    resume() {
      paused = false;
      current?.resume();
    },
    running: () => [...inHand.values()].map(({ ticket: { job, gen, fence } }) => ({ job, gen, fence })),
    close: ({ waitMs }) => (closing ??= end(waitMs)),
  };
}

// The queue as the rest of Pawl sees it: tickets, signs of life, the live journal, caches and messages, over Redis and BullMQ,
// which are named nowhere else. All of it is cache and hint: HEAD in the store decides, and everything here can be rebuilt.
import type { JobEvent, LogLine } from '../contract/rows.js';
import { makeFastConnection, type QueueState } from './connection.js';
import { makeTicketConsumer, type ConsumerOptions, type TicketConsumer } from './consumer.js';
import { makeControlChannel, type ControlChannel } from './control-channel.js';
import { checkRedis, type CheckOptions, type QueueFacts } from './facts.js';
import { makeHeartbeats, type Heartbeats } from './heartbeats.js';
import { makeStallJanitor, type StallJanitor } from './janitor.js';
import { makeJobCache, type JobCache } from './job-cache.js';
import { makeJournal, type Journal } from './journal.js';
import { makeSubscriber } from './pubsub.js';
import { resetQueue } from './reset.js';
import { makeRows, type Rows } from './rows.js';
import { makeSeed, type Seed } from './seed.js';
import { resolveQueueSettings, type QueueOptions, type QueueTiming } from './settings.js';
import { makeTallyBook, type TallyBook } from './tallies.js';
import { makeTickets, type Tickets } from './tickets.js';
import { makeWorkers, type Workers } from './workers.js';

/** Every method of every part rejects with AppError `queue_unavailable` within `timing.callTimeoutMs` when Redis does not answer. */
export interface JobQueue<C = unknown> {
  tickets: Tickets;
  heartbeats: Heartbeats;
  workers: Workers;
  journal: Journal<JobEvent>;
  logs: Journal<LogLine>;
  rows: Rows;
  cache: JobCache<C>;
  control: ControlChannel;
  seed: Seed;
  tallies: TallyBook;
  readonly timing: QueueTiming;
  state(): QueueState;
  onState(listener: (state: QueueState) => void): () => void;
  check(options?: CheckOptions): Promise<QueueFacts>;
  /** Not closed with the queue: close them before it. */
  makeConsumer(options: ConsumerOptions): TicketConsumer;
  makeJanitor(onStalled?: (ticketId: string) => void): StallJanitor;
  /** Removes every key under the prefix; returns how many there were. */
  reset(): Promise<number>;
  close(): Promise<void>;
}

/** Connects in the background: Redis need not be there. `C` is what the cache holds per job. */
export function connectQueue<C = unknown>(options: QueueOptions): JobQueue<C> {
  const settings = resolveQueueSettings(options);
  const connection = makeFastConnection(settings);
  const subscriber = makeSubscriber(settings, connection);
  const tickets = makeTickets(connection, settings);
  const control = makeControlChannel(connection, subscriber, settings);
  return {
    tickets,
    heartbeats: makeHeartbeats(connection, settings),
    workers: makeWorkers(connection, settings),
    journal: makeJournal<JobEvent>(connection, subscriber, settings, 'events'),
    logs: makeJournal<LogLine>(connection, subscriber, settings, 'logs'),
    rows: makeRows(connection, settings),
    cache: makeJobCache<C>(connection, settings),
    control,
    seed: makeSeed(connection, settings),
    tallies: makeTallyBook(connection, settings),
    timing: settings.timing,
    state: connection.state,
    onState: connection.onState,
    check: (how) => checkRedis(connection, settings, how),
    makeConsumer: (how) => makeTicketConsumer(connection, tickets, settings, how),
    makeJanitor: (onStalled) => makeStallJanitor(settings, onStalled),
    reset: () => resetQueue(connection, settings),
    async close() {
      await control.close();
      await Promise.all([tickets.close(), subscriber.close()]);
      await connection.close();
    },
  };
}

export type { QueueState } from './connection.js';
export type { ConsumerOptions, TicketConsumer, TicketOutcome } from './consumer.js';
export type { QueueFacts } from './facts.js';
export type { Beat, HeardBeat, Heartbeats } from './heartbeats.js';
export type { StallJanitor } from './janitor.js';
export type { Journal } from './journal.js';
export type { Rows, RowSeries, SeriesName } from './rows.js';
export { checkAtStart } from './start-check.js';
export { DEFAULT_TIMING, type QueueLog, type QueueOptions, type QueueTiming } from './settings.js';
export { TALLIES, type Tallies } from './tallies.js';
export type { TakenTicket, Ticket } from './ticket.js';
export { drainOrder, hasFreeSlot, hasNeighbour, jobsInHand, type ListedWorker, workersFor } from './workers.js';

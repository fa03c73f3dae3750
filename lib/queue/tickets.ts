// Issues tickets and answers questions about those that exist. A ticket is a hint that a job wants a worker; taking one is
// consumer.ts, and what a job is or wants is decided elsewhere.
import { Queue, type JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import type { FastConnection } from './connection.js';
import { TICKET_QUEUE } from './keys.js';
import { runScript, script } from './scripts.js';
import type { QueueSettings } from './settings.js';
import { jobPriority, parseTicketData, queuePriority, ticketId, type Ticket, type TicketData } from './ticket.js';

export interface TicketRequest extends Ticket {
  /** −100 to 100, high first. */
  priority: number;
  /** Issued again after an attempt ended early: ahead of its own priority, never of a higher one. */
  reissue?: boolean;
  /** Not to be taken before so many milliseconds have passed. */
  delayMs?: number;
}

export type TicketState = 'waiting' | 'delayed' | 'active';

export interface TicketInfo extends Ticket {
  id: string;
  state: TicketState;
  priority: number;
  reissue: boolean;
}

export interface Depth {
  /** Could be taken now. */
  waiting: number;
  delayed: number;
  /** Taken, by a worker that may be dead. */
  active: number;
}

export interface Tickets {
  /** Idempotent: a ticket that exists in any state stays as it is. May take effect after it was reported unavailable. */
  issue(request: TicketRequest): Promise<void>;
  issueMany(requests: readonly TicketRequest[]): Promise<void>;
  has(ticket: Ticket): Promise<boolean>;
  /** Which of these exist, in their order. */
  hasMany(tickets: readonly Ticket[]): Promise<boolean[]>;
  find(ticket: Ticket): Promise<TicketInfo | null>;
  /** Removes a ticket that nobody has taken; false if there is none or it is taken. */
  withdraw(ticket: Ticket): Promise<boolean>;
  /** The next tickets in the order they will be taken. */
  next(limit: number): Promise<TicketInfo[]>;
  depth(): Promise<Depth>;
  /** Of the delayed, those whose time will have come by then. */
  dueWithin(ms: number): Promise<number>;
  /** Age of the oldest ticket that could be taken, by its issuer's clock; null if none waits. */
  oldestWaitMs(): Promise<number | null>;
  close(): Promise<void>;
}

/** Tickets added in one round trip. */
const CHUNK = 500;

/** BullMQ's score of a delayed ticket is its time × 2^12 + a counter. */
const DELAYED_SCORES_PER_MS = 4_096;

/**
 * The oldest waiting ticket without reading them all: FIFO holds within a priority, so it is the first of one of at most
 * 402 numbers. BullMQ's score is priority × 2^32 + counter; `wait` holds what stalled.
 * KEYS prioritized, wait. ARGV key prefix of the tickets.
 */
const OLDEST = script(`
local oldest = nil
local function look(id)
  local made = tonumber(redis.call('HGET', ARGV[1] .. id, 'timestamp'))
  if made and (not oldest or made < oldest) then oldest = made end
end
local from = '-inf'
while true do
  local first = redis.call('ZRANGEBYSCORE', KEYS[1], from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if #first == 0 then break end
  look(first[1])
  from = string.format('%.0f', (math.floor(tonumber(first[2]) / 4294967296) + 1) * 4294967296)
end
for _, id in ipairs(redis.call('LRANGE', KEYS[2], -100, -1)) do look(id) end
return oldest and string.format('%.0f', oldest) or false
`);

export function makeTickets(connection: FastConnection, settings: QueueSettings): Tickets {
  let queue: Queue<TicketData> | null = null;

  /** Made on first use, over the process' own socket. Without its version check and meta write it sends nothing by itself, so it cannot be left half made. */
  function over(redis: Redis): Queue<TicketData> {
    queue ??= makeQueue(redis, settings);
    return queue;
  }

  const call = <T>(what: string, run: (queue: Queue<TicketData>, redis: Redis) => Promise<T>): Promise<T> =>
    connection.call(what, (redis) => run(over(redis), redis));

  async function issueMany(requests: readonly TicketRequest[]): Promise<void> {
    const jobs = requests.map((request) => ({ name: 'ticket', data: dataOf(request), opts: optionsOf(request) }));
    for (let from = 0; from < jobs.length; from += CHUNK) {
      await call('issue tickets', (tickets) => tickets.addBulk(jobs.slice(from, from + CHUNK)));
    }
  }

  function hasMany(tickets: readonly Ticket[]): Promise<boolean[]> {
    if (tickets.length === 0) return Promise.resolve([]);
    return call('look up tickets', async (all, redis) => {
      const pipeline = redis.pipeline();
      for (const ticket of tickets) pipeline.exists(all.toKey(ticketId(ticket)));
      return answers(await pipeline.exec()).map((found) => found === 1);
    });
  }

  return {
    async issue(request) {
      const options = optionsOf(request);
      await call('issue a ticket', (tickets) => tickets.add('ticket', dataOf(request), options));
    },
    issueMany,
    hasMany,
    has: async (ticket) => (await hasMany([ticket]))[0] === true,
    find: (ticket) =>
      call('find a ticket', async (tickets) => {
        const found = await tickets.getJob(ticketId(ticket));
        if (!found) return null;
        const state = ticketState(await found.getState());
        return state && { ...infoOf(found.id ?? '', found.data, found.priority), state };
      }),
    withdraw: (ticket) =>
      call('withdraw a ticket', async (tickets) => {
        const found = await tickets.getJob(ticketId(ticket));
        if (!found) return false;
        try {
          await found.remove();
          return true;
        } catch (error) {
          // An active one is locked by whoever took it.
          if (error instanceof Error && error.message.includes('locked')) return false;
          throw error;
        }
      }),
    next: (limit) =>
      call('list tickets', async (tickets) => {
        if (limit <= 0) return [];
        const waiting = await tickets.getJobs(['wait', 'prioritized'], 0, limit - 1, true);
        return waiting.slice(0, limit).map((found) => ({ ...infoOf(found.id ?? '', found.data, found.priority), state: 'waiting' as const }));
      }),
    depth: () =>
      call('count tickets', async (tickets) => {
        const counts = await tickets.getJobCounts('wait', 'prioritized', 'delayed', 'active');
        return { waiting: (counts['wait'] ?? 0) + (counts['prioritized'] ?? 0), delayed: counts['delayed'] ?? 0, active: counts['active'] ?? 0 };
      }),
    dueWithin: (ms) => call('count tickets that are due', (tickets, redis) => redis.zcount(tickets.toKey('delayed'), 0, (Date.now() + ms + 1) * DELAYED_SCORES_PER_MS - 1)),
    oldestWaitMs: () =>
      call('look at the oldest ticket', async (tickets, redis) => {
        const made = await runScript(redis, OLDEST, [tickets.toKey('prioritized'), tickets.toKey('wait')], [tickets.toKey('')]);
        return typeof made === 'string' ? Math.max(0, Date.now() - Number(made)) : null;
      }),
    async close() {
      // The socket is not the queue's own, so this sends nothing.
      await queue?.close().catch(() => undefined);
    },
  };
}

function makeQueue(redis: Redis, settings: QueueSettings): Queue<TicketData> {
  const queue = new Queue<TicketData>(TICKET_QUEUE, {
    connection: redis,
    prefix: settings.prefix,
    skipVersionCheck: true,
    skipWaitingForReady: true,
    skipMetasUpdate: true,
  });
  // The connection reports its own errors.
  queue.on('error', () => undefined);
  return queue;
}

function dataOf({ job, gen, fence }: Ticket): TicketData {
  return { job, gen, fence };
}

function optionsOf(request: TicketRequest): JobsOptions {
  return {
    jobId: ticketId(request),
    priority: queuePriority(request.priority, request.reissue ?? false),
    // BullMQ must forget an id once its ticket is over, or the same ticket could never be issued again.
    removeOnComplete: true,
    removeOnFail: true,
    ...(request.delayMs !== undefined && request.delayMs > 0 ? { delay: Math.ceil(request.delayMs) } : {}),
  };
}

function infoOf(id: string, data: unknown, number: number): Omit<TicketInfo, 'state'> {
  const { job, gen, fence } = parseTicketData(data) ?? { job: '', gen: 0, fence: 0 };
  return { id, job, gen, fence, ...jobPriority(number) };
}

function ticketState(state: string): TicketState | null {
  switch (state) {
    case 'waiting':
    case 'prioritized':
      return 'waiting';
    case 'delayed':
    case 'active':
      return state;
    default:
      return null;
  }
}

/** The answers of a pipeline; its first error is thrown. */
export function answers(results: [Error | null, unknown][] | null): unknown[] {
  return (results ?? []).map(([error, value]) => {
    if (error) throw error;
    return value;
  });
}

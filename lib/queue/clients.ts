// The patient connections: those that wait for Redis however long it takes (BullMQ's workers, the subscriber), and how any
// connection is ended for good, whatever state it is in.
import { Redis } from 'ioredis';
import { isReadOnly } from './redis-errors.js';
import type { QueueSettings } from './settings.js';

/** For whatever should be over soon when something is closed. */
const CLOSE_LIMIT_MS = 1_000;

/** A client and every duplicate that BullMQ makes of it, so that all can be ended. */
export interface PatientClient {
  redis: Redis;
  /** How long last answers are worth waiting for: hardly, while there is no connection. */
  answerLimitMs(): number;
  /** Ends the client and its duplicates. */
  end(): Promise<void>;
}

export function makePatientClient(settings: QueueSettings, name: string): PatientClient {
  const { timing } = settings;
  const redis = new Redis(settings.url, {
    // BullMQ's rule for workers: commands wait for Redis. https://docs.bullmq.io/guide/going-to-production
    maxRetriesPerRequest: null,
    connectTimeout: timing.commandTimeoutMs,
    disconnectTimeout: 100,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), timing.retryCapMs),
    reconnectOnError: isReadOnly,
    connectionName: `${settings.prefix}:${name}`,
  });
  const all = [redis];
  trackDuplicates(redis, all);
  return {
    redis,
    answerLimitMs: () => (redis.status === 'ready' ? CLOSE_LIMIT_MS : CLOSE_LIMIT_MS / 10),
    end: async () => void (await Promise.all(all.map(endClient))),
  };
}

/** BullMQ duplicates the client it is given for its blocking reads, and keeps the copy to itself. */
function trackDuplicates(redis: Redis, all: Redis[]): void {
  const duplicate = redis.duplicate.bind(redis);
  redis.duplicate = (override) => {
    const copy = duplicate(override);
    trackDuplicates(copy, all);
    all.push(copy);
    return copy;
  };
}

/**
 * Ends a client within a second. ioredis leaves commands that wait for a reconnect unanswered when it is disconnected while
 * it has no socket; one last try to connect makes it end properly and reject them.
 */
export async function endClient(redis: Redis): Promise<void> {
  redis.on('error', () => undefined);
  if (redis.status === 'end') return;
  const ended = new Promise<void>((resolve) => void redis.once('end', resolve));
  redis.options.retryStrategy = null;
  if (redis.status === 'reconnecting' || redis.status === 'close') {
    redis.disconnect();
    redis.once('ready', () => redis.disconnect());
    redis.connect().catch(() => undefined);
  } else {
    redis.disconnect();
  }
  await within(CLOSE_LIMIT_MS, ended);
}

/** Waits for something, but not longer. */
export async function within(limitMs: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, limitMs)));
  await Promise.race([done, late]);
  clearTimeout(timer);
}

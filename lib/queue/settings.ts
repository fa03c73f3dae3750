// What every part of the queue is told: where Redis is, the key prefix, how long to wait, where to log.
import { wrongPrefix, wrongRedisUrl } from '../config.js';
import { AppError } from '../errors.js';

/** What the queue logs to; any pino logger fits. */
export interface QueueLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Every wait in milliseconds. Processes that share a prefix must share all but the first four. */
export interface QueueTiming {
  /** One command of a fast connection. */
  commandTimeoutMs: number;
  /** A whole call through a fast connection, waiting for its first connect included. */
  callTimeoutMs: number;
  /** Longest pause between two tries to connect. */
  retryCapMs: number;
  /** How often idle connections are asked whether they still work. */
  pingEveryMs: number;
  /** How often an owner beats. */
  beatEveryMs: number;
  /** Silence after which an owner counts as dead. */
  deadAfterMs: number;
  /** How long a worker is listed after its last beat. */
  workerTtlMs: number;
  /** BullMQ's lock: long enough to ride out a failover. */
  lockDurationMs: number;
  /** BullMQ's stall check; its throttle lives as long as whichever process ran it last said, so all must agree. */
  stalledIntervalMs: number;
}

export const DEFAULT_TIMING: QueueTiming = {
  commandTimeoutMs: 1_500,
  callTimeoutMs: 2_000,
  retryCapMs: 2_000,
  pingEveryMs: 5_000,
  beatEveryMs: 2_000,
  deadAfterMs: 8_000,
  workerTtlMs: 30_000,
  lockDurationMs: 60_000,
  stalledIntervalMs: 15_000,
};

export interface QueueOptions {
  /** `redis://` or `rediss://`. */
  url: string;
  /** Every key starts with it. In braces (`{pawl}`) it is a hash tag: all keys then share one slot of a cluster. */
  prefix?: string;
  log?: QueueLog;
  timing?: Partial<QueueTiming>;
}

export interface QueueSettings {
  url: string;
  prefix: string;
  log: QueueLog;
  timing: QueueTiming;
}

const DEFAULT_PREFIX = 'pawl';

/** @throws AppError invalid_request on a URL or prefix that cannot work */
export function resolveQueueSettings(options: QueueOptions): QueueSettings {
  const prefix = options.prefix ?? DEFAULT_PREFIX;
  for (const [param, wrong] of [['REDIS_URL', wrongRedisUrl(options.url)], ['PAWL_QUEUE_PREFIX', wrongPrefix(prefix)]] as const) {
    if (wrong !== null) throw new AppError('invalid_request', `${param} ${wrong}`, { param });
  }
  return { url: options.url, prefix, log: options.log ?? silentLog, timing: { ...DEFAULT_TIMING, ...options.timing } };
}

/** Where Redis is, for people: never a credential. */
export function describeUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

const silentLog: QueueLog = { info: () => undefined, warn: () => undefined, error: () => undefined };

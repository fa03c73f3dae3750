// One queue over a real Redis per test, under a prefix of its own. When the test is over nothing of it may be left: no key, no
// connection, no consumer.
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { connectQueue, type ConsumerOptions, type JobQueue, type QueueLog, type QueueTiming, type Ticket, type TicketConsumer } from '../../../lib/queue/index.js';
import { startRedis, type RedisServer } from '../../support/redis.js';

/** Short enough for tests, in the proportions of the defaults. */
export const QUICK: Partial<QueueTiming> = {
  commandTimeoutMs: 500,
  callTimeoutMs: 700,
  pingEveryMs: 500,
  beatEveryMs: 100,
  deadAfterMs: 1_000,
  lockDurationMs: 1_000,
  stalledIntervalMs: 500,
};

export interface LogLine {
  level: 'info' | 'warn' | 'error';
  message: string;
  fields: Record<string, unknown>;
}

export function memoryLog(): QueueLog & { lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (level: LogLine['level']) => (fields: object, message: string) => void lines.push({ level, message, fields: fields as LogLine['fields'] });
  return { lines, info: write('info'), warn: write('warn'), error: write('error') };
}

export const uniquePrefix = (): string => `t${randomBytes(6).toString('hex')}`;

export interface TestQueue extends JobQueue {
  prefix: string;
  log: ReturnType<typeof memoryLog>;
  consume(options: Partial<ConsumerOptions> & Pick<ConsumerOptions, 'handler'>): TicketConsumer;
  /** Names of the connections Redis has under this prefix. */
  connections(): Promise<string[]>;
  /** Whether a consumer waits in a blocking read. */
  blocked(): Promise<boolean>;
  /** Another process' view of the same queue. */
  another(timing?: Partial<QueueTiming>): JobQueue;
}

export function testQueue(url: string, options: { timing?: Partial<QueueTiming>; prefix?: string; checkLeftovers?: boolean } = {}): TestQueue {
  const prefix = options.prefix ?? uniquePrefix();
  const log = memoryLog();
  const timing = { ...QUICK, ...options.timing };
  const queue = connectQueue({ url, prefix, log, timing });
  const others: JobQueue[] = [];
  const consumers: TicketConsumer[] = [];
  const connections = () => withRedis(url, async (redis) => names(String(await redis.client('LIST')), prefix));

  onTestFinished(async () => {
    await Promise.all(consumers.map((consumer) => consumer.close({ waitMs: 2_000 })));
    if (options.checkLeftovers === false) {
      await Promise.all([queue, ...others].map((each) => each.close()));
      return;
    }
    await queue.reset();
    await Promise.all([queue, ...others].map((each) => each.close()));
    await until('no connection is left', async () => (await connections()).length === 0);
    await withRedis(url, async (redis) => expect(await redis.keys(`${prefix}*`)).toEqual([]));
  });

  return {
    ...queue,
    prefix,
    log,
    connections,
    blocked: () => withRedis(url, async (redis) => String(await redis.client('LIST')).split('\n').some((line) => line.includes(` name=${prefix}:`) && line.includes('cmd=bzpopmin'))),
    another: (more) => {
      const made = connectQueue({ url, prefix, log, timing: { ...timing, ...more } });
      others.push(made);
      return made;
    },
    consume: (how) => {
      const consumer = queue.makeConsumer({ slots: 1, ...how });
      consumers.push(consumer);
      consumer.start();
      return consumer;
    },
  };
}

/** The Redis of a test file: that of REDIS_URL, or one that is started for it. To be called at the file's top. */
export function redisOfFile(): { readonly url: string } {
  let started: RedisServer | null = null;
  beforeAll(async () => {
    if (process.env['REDIS_URL'] === undefined) started = await startRedis();
  });
  afterAll(() => started?.stop());
  return {
    get url() {
      return process.env['REDIS_URL'] ?? started!.url;
    },
  };
}

/** One use of a connection that no test owns. */
export async function withRedis<T>(url: string, run: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { connectionName: 'test-admin' });
  try {
    return await run(redis);
  } finally {
    redis.disconnect();
  }
}

function names(list: string, prefix: string): string[] {
  // BullMQ renames its blocking copy to `<prefix>:<base64 of the queue's name>`.
  return [...list.matchAll(/ name=(\S*)/g)].map((match) => match[1] ?? '').filter((name) => name.startsWith(`${prefix}:`));
}

/** Waits for a condition, not for a time. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await delay(10);
  }
}

/** A promise and its resolver. */
export function gate<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => (open = resolve));
  return { promise, open };
}

let made = 0;
/** A job id as the contract wants them, new each time. */
export function jobId(): string {
  made += 1;
  return `job_01j${made.toString().padStart(23, '0')}`;
}

export const ticket = (job: string, fence = 0, gen = 0): Ticket => ({ job, gen, fence });

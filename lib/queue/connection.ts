// The fast connection: one socket per process for everything that must answer soon or fail. It owns the bounds on every call,
// the translation of errors to queue_unavailable, and the state of Redis as this process sees it.
import { Redis } from 'ioredis';
import { AppError, messageOf } from '../errors.js';
import { endClient } from './clients.js';
import { isReadOnly, translateRedisError } from './redis-errors.js';
import { describeUrl, type QueueSettings } from './settings.js';

export type QueueState = { status: 'connecting' | 'connected' | 'away'; /** When it became so. */ since: Date };

export interface FastConnection {
  /**
   * Runs Redis commands within `callTimeoutMs`, the first connect included.
   * After a timeout the commands may still take effect: only idempotent work belongs here.
   * @throws AppError queue_unavailable
   */
  call<T>(what: string, run: (redis: Redis) => Promise<T>): Promise<T>;
  state(): QueueState;
  /** Calls back on every change; returns how to stop. */
  onState(listener: (state: QueueState) => void): () => void;
  close(): Promise<void>;
}

export function makeFastConnection(settings: QueueSettings): FastConnection {
  const { log, timing } = settings;
  const where = describeUrl(settings.url);
  const listeners = new Set<(state: QueueState) => void>();
  let state: QueueState = { status: 'connecting', since: new Date() };
  let closed = false;
  /** What the last try to connect said. */
  let why = '';
  /** Counts sockets, so that a late timeout never cuts the connection after the one it waited on. */
  let epoch = 0;

  const redis = new Redis(settings.url, {
    // Fail at once while Redis is away, and never send a command twice: what was in flight when the socket closed is rejected.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: timing.commandTimeoutMs,
    connectTimeout: timing.commandTimeoutMs,
    // A socket that got no answer is destroyed soon, not after a polite two seconds.
    disconnectTimeout: 100,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), timing.retryCapMs / 2),
    // A replica answers READONLY after a failover: look for the new primary.
    reconnectOnError: isReadOnly,
    connectionName: `${settings.prefix}:fast`,
  });
  redis.on('error', (error: Error) => {
    why = ` (${messageOf(error)})`;
    become('away', error);
  });
  redis.on('close', () => {
    epoch += 1;
    become('away');
  });
  redis.on('ready', () => become('connected'));

  function become(status: QueueState['status'], error?: Error): void {
    if (closed || state.status === status) return;
    const before = state;
    state = { status, since: new Date() };
    if (status === 'away') log.warn({ redis: where, err: error }, 'Redis is away');
    else log.info({ redis: where, awayMs: before.status === 'away' ? Date.now() - before.since.getTime() : 0 }, 'Redis is connected');
    for (const listener of [...listeners]) listener(state);
  }

  /** Only the first connect is waited for; later, away means fail now. */
  function ready(): Promise<void> {
    if (redis.status === 'ready') return Promise.resolve();
    if (state.status !== 'connecting') return Promise.reject(new Error(`not connected to ${where}${why}`));
    return new Promise((resolve, reject) => {
      const stop = onState(({ status }) => {
        stop();
        if (status === 'connected') resolve();
        else reject(new Error(`not connected to ${where}${why}`));
      });
    });
  }

  function onState(listener: (state: QueueState) => void): () => void {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  async function call<T>(what: string, run: (redis: Redis) => Promise<T>): Promise<T> {
    if (closed) throw new AppError('queue_unavailable', `${what}: the queue is closed`);
    const begun = epoch;
    let timer: NodeJS.Timeout | undefined;
    const overall = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('Command timed out')), timing.callTimeoutMs);
    });
    try {
      return await Promise.race([ready().then(() => run(redis)), overall]);
    } catch (error) {
      // A half-open socket looks ready for a quarter of an hour: no answer means a new one.
      if (isTimeout(error) && redis.status === 'ready' && epoch === begun) {
        epoch += 1;
        become('away', error);
        redis.disconnect(true);
      }
      throw translateRedisError(error, what);
    } finally {
      clearTimeout(timer);
    }
  }

  const pinger = setInterval(() => void call('ping', (client) => client.ping()).catch(() => undefined), timing.pingEveryMs);

  return {
    call,
    state: () => state,
    onState,
    async close() {
      if (closed) return;
      clearInterval(pinger);
      closed = true;
      await endClient(redis);
      listeners.clear();
    },
  };
}

function isTimeout(error: unknown): error is Error {
  return error instanceof Error && error.message === 'Command timed out';
}

// BullMQ's Worker and its sockets as one thing that can be given up: built, paused, closed within a bound whatever Redis does.
// What happens with a ticket is the consumer's business.
import { RedisConnection, Worker, type Job } from 'bullmq';
import { makePatientClient, within } from './clients.js';
import { REDIS_MINIMUM } from './facts.js';
import { TICKET_QUEUE } from './keys.js';
import { isOfSocket } from './redis-errors.js';
import type { QueueSettings } from './settings.js';
import { sparingly } from './sparing-log.js';
import type { TicketData } from './ticket.js';

export interface FetcherOptions {
  concurrency: number;
  process(job: Job<TicketData>, token: string): Promise<void>;
}

export interface Fetcher {
  setConcurrency(concurrency: number): void;
  pause(): void;
  resume(): void;
  /** Returns a ticket in one step, with a new place in the line. @throws if this fetcher no longer holds it */
  putBack(job: Job<TicketData>, token: string, how: { priority: number; data: TicketData; delayMs: number }): Promise<void>;
  /** Waits for tickets in hand until they are done or `enough` resolves, then ends the sockets. */
  close(enough?: Promise<unknown>): Promise<void>;
}

/** The counter is for life, and over it BullMQ fails the ticket; how often a job may crash is counted in HEAD. */
export const MAX_STALLED_COUNT = 1_000_000_000;

const FIRST_REST_MS = 100;

// What BullMQ takes a Redis to be that it does not ask. By its own default it would wait for whole seconds only, and take a ticket that
// was put back for a quarter of a second a second later.
RedisConnection.minimumVersion = `${REDIS_MINIMUM.join('.')}.0`;

export function makeFetcher(settings: QueueSettings, { concurrency, process }: FetcherOptions): Fetcher {
  const { log, prefix, timing } = settings;
  const client = makePatientClient(settings, 'consumer');
  client.redis.on('error', () => undefined);

  // Three parameters: only then does BullMQ track the ticket as one that can be cancelled. https://docs.bullmq.io/guide/workers/cancelling-jobs
  const processor = async (job: Job<TicketData>, token?: string, _signal?: AbortSignal): Promise<void> => process(job, token ?? '');
  const worker = new Worker<TicketData, void>(TICKET_QUEUE, processor, {
    connection: client.redis,
    prefix,
    concurrency,
    autorun: false,
    // A user may not be allowed to ask (INFO is among ACL's @dangerous), and BullMQ never gets over the refusal; start-check.ts asks.
    skipVersionCheck: true,
    lockDuration: timing.lockDurationMs,
    stalledInterval: timing.stalledIntervalMs,
    maxStalledCount: MAX_STALLED_COUNT,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
    // Between two tries after an error; 15 s by default.
    runRetryDelay: timing.retryCapMs,
  });
  const report = sparingly(log, 'the ticket worker reports an error');
  worker.on('error', (error) => {
    report(error);
    if (!isOfSocket(error)) rest();
  });
  // Locks only keep a ticket from being handed out twice. Losing one costs a second worker a look at HEAD.
  worker.on('lockRenewalFailed', (ids) => log.warn({ tickets: ids }, 'ticket locks were not renewed'));
  worker.run().catch((error: unknown) => log.warn({ err: error }, 'the ticket worker ended'));

  /** Somebody wants it paused. */
  let isPaused = false;
  let resting: NodeJS.Timeout | undefined;
  let restMs = FIRST_REST_MS;
  let restedAt = -Infinity;
  let closing = false;

  /**
   * BullMQ asks again at once after an error reply (memory full, no permission): at the speed of Redis, or, where it fails before it
   * has asked anything, without ever letting go of the event loop. Each rest is twice as long as the last one if that did not help.
   */
  function rest(): void {
    if (resting || closing) return;
    restMs = performance.now() - restedAt > timing.retryCapMs ? FIRST_REST_MS : Math.min(2 * restMs, timing.retryCapMs);
    void worker.pause(true);
    resting = setTimeout(() => {
      resting = undefined;
      restedAt = performance.now();
      if (!isPaused) void worker.resume();
    }, restMs);
  }

  async function close(enough: Promise<unknown> = Promise.resolve()): Promise<void> {
    closing = true;
    clearTimeout(resting);
    // Not awaited first: closing is also what keeps BullMQ from fetching the next ticket when one in hand ends.
    const closed = worker.close().catch((error: unknown) => log.warn({ err: error }, 'the ticket worker did not close'));
    await Promise.race([closed, enough]);
    await within(client.answerLimitMs(), closed);
    // Without sockets everything BullMQ still waits for fails, and it ends.
    await client.end();
  }

  return {
    setConcurrency(next) {
      worker.concurrency = next;
    },
    pause() {
      isPaused = true;
      void worker.pause(true);
    },
    resume() {
      isPaused = false;
      if (!resting) void worker.resume();
    },
    async putBack(job, token, { priority, data, delayMs }) {
      // A timestamp long past: whoever looks next may take it, whatever its clock says.
      const from = delayMs > 0 ? Date.now() : 1;
      await worker.getBackend().moveToDelayed(job.id ?? '', from, Math.max(0, Math.ceil(delayMs)), token, {
        skipAttempt: true,
        fieldsToUpdate: { priority, data: JSON.stringify(data) },
      });
    },
    close,
  };
}

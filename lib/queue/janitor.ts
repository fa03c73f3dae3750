// The second net under dead workers: brings back tickets whose taker died before it claimed anything. It takes none itself.
import { Worker } from 'bullmq';
import { makePatientClient, within } from './clients.js';
import { MAX_STALLED_COUNT } from './fetcher.js';
import { TICKET_QUEUE } from './keys.js';
import type { QueueSettings } from './settings.js';
import { sparingly } from './sparing-log.js';

export interface StallJanitor {
  start(): void;
  close(): Promise<void>;
}

/** A ticket comes back within the lock's duration and two stall checks. `onStalled` is told its id. */
export function makeStallJanitor(settings: QueueSettings, onStalled?: (ticketId: string) => void): StallJanitor {
  const { log, prefix, timing } = settings;
  const client = makePatientClient(settings, 'janitor');
  client.redis.on('error', () => undefined);
  // Without a processor a Worker only checks for stalls.
  const worker = new Worker(TICKET_QUEUE, undefined, {
    connection: client.redis,
    prefix,
    autorun: false,
    // As the fetcher's.
    skipVersionCheck: true,
    lockDuration: timing.lockDurationMs,
    stalledInterval: timing.stalledIntervalMs,
    maxStalledCount: MAX_STALLED_COUNT,
  });
  worker.on('error', sparingly(log, 'the stall check reports an error'));
  worker.on('stalled', (id) => {
    log.warn({ ticket: id }, 'a ticket stalled');
    onStalled?.(id);
  });
  return {
    start: () => void worker.startStalledCheckTimer().catch((error: unknown) => log.warn({ err: error }, 'the stall check did not start')),
    async close() {
      await within(client.answerLimitMs(), worker.close().catch(() => undefined));
      await client.end();
    },
  };
}

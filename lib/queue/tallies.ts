// Sums over everything that the fleet does, for whoever watches it. They begin at nothing when Redis is emptied, as counters may.
import type { FastConnection } from './connection.js';
import { queueKeys } from './keys.js';
import type { QueueSettings } from './settings.js';
import { answers } from './tickets.js';

/** Names of sums; `attempts_ended:` goes before the reason. */
export const TALLIES = [
  'executed_micro_batches', 'kept_micro_batches', 'wasted_micro_batches', 'executed_seconds', 'kept_seconds', 'wasted_seconds',
  'commits', 'commit_bytes', 'commit_seconds', 'recoveries', 'detect_seconds', 'queue_seconds', 'load_seconds', 'warmup_seconds',
] as const;
export type Tally = (typeof TALLIES)[number] | `attempts_ended:${string}`;
export type Tallies = Partial<Record<Tally, number>>;

export interface TallyBook {
  add(gains: Tallies): Promise<void>;
  read(): Promise<Tallies>;
}

export function makeTallyBook(connection: FastConnection, { prefix }: QueueSettings): TallyBook {
  const key = queueKeys(prefix).tallies;
  return {
    add: async (gains) => {
      const changed = Object.entries(gains).filter((entry): entry is [string, number] => entry[1] !== undefined && entry[1] !== 0);
      if (changed.length === 0) return;
      await connection.call('add to the tallies', async (redis) => {
        const pipeline = redis.pipeline();
        for (const [name, gain] of changed) pipeline.hincrbyfloat(key, name, gain);
        answers(await pipeline.exec());
      });
    },
    read: () => connection.call('read the tallies', async (redis) => Object.fromEntries(Object.entries(await redis.hgetall(key)).map(([name, sum]) => [name, Number(sum)])) as Tallies),
  };
}

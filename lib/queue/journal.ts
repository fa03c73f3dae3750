// The live end of a job's journal and of its log: the newest entries in a Redis stream, and word of news to whoever follows. What
// the store holds is the record; what is gone here is read there.
import type { FastConnection } from './connection.js';
import { queueKeys } from './keys.js';
import type { Subscriber } from './pubsub.js';
import { runScript, script } from './scripts.js';
import type { QueueSettings } from './settings.js';
import { STALE_LUA, type Fencing } from './stamp.js';

/** Numbered within its job, in the order of being written. */
interface Numbered {
  id: number;
}

export interface LiveEntries<T> {
  /** In order of id. */
  entries: T[];
  /** The oldest and newest id that Redis holds; null if it holds none. Older ones are in the store. */
  oldestId: number | null;
  newestId: number | null;
}

export interface Journal<T extends Numbered> {
  /**
   * Adds entries; those whose id is not above the newest are already there and ignored.
   * False: a newer claim has written, and nothing was added.
   */
  append(job: string, stamp: Fencing, entries: readonly T[]): Promise<boolean>;
  /** Entries after an id (null: from the oldest held). */
  read(job: string, range: { afterId: number | null; limit: number }): Promise<LiveEntries<T>>;
  /** Calls back when there may be news of entries (of the journal: or of rows): once listening, on each append, and after every gap. Read again then. */
  subscribe(job: string, onNews: () => void): () => void;
  /** Lets a terminal job's entries go after a while. */
  expire(job: string, afterMs: number): Promise<void>;
}

/** Kept per job; Redis trims whole nodes of its tree, so some more may stay. */
const ENTRIES_MAX = 10_000;
/** A job that nobody writes about for so long is read from the store. */
export const KEEP_MS = 7 * 24 * 3_600_000;

/** KEYS entries, stamp. ARGV gen, fence, max, keepMs, channel, id, entry, id, entry, … */
const APPEND = script(STALE_LUA, `
local gen, fence = tonumber(ARGV[1]), tonumber(ARGV[2])
if stale(KEYS[2], gen, fence) then return 0 end
redis.call('HSET', KEYS[2], 'gen', gen, 'fence', fence)
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local newest = last[1] and tonumber(string.match(last[1][1], '^%d+')) or -1
for i = 6, #ARGV, 2 do
  local id = tonumber(ARGV[i])
  if id > newest then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], ARGV[i] .. '-0', 'e', ARGV[i + 1])
    newest = id
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('PUBLISH', ARGV[5], 'entries')
return 1
`);

/** @param kind events: the journal itself, whose news are the job's; logs: its log, with news of its own */
export function makeJournal<T extends Numbered>(connection: FastConnection, subscriber: Subscriber, { prefix }: QueueSettings, kind: 'events' | 'logs'): Journal<T> {
  const names = queueKeys(prefix);
  const keys = kind === 'events' ? names : { events: names.logs, eventsStamp: names.logsStamp, news: names.logNews };
  return {
    async append(job, { gen, fence }, entries) {
      const written = await connection.call(`append ${kind}`, (redis) =>
        runScript(
          redis,
          APPEND,
          [keys.events(job), keys.eventsStamp(job)],
          [gen, fence, ENTRIES_MAX, KEEP_MS, keys.news(job), ...entries.flatMap((entry) => [entry.id, JSON.stringify(entry)])],
        ),
      );
      return written === 1;
    },
    read: (job, { afterId, limit }) =>
      connection.call(`read ${kind}`, async (redis) => {
        const key = keys.events(job);
        const [found, oldest, newest] = await Promise.all([
          limit > 0 ? redis.xrange(key, afterId === null ? '-' : `(${afterId}-0`, '+', 'COUNT', limit) : [],
          redis.xrange(key, '-', '+', 'COUNT', 1),
          redis.xrevrange(key, '+', '-', 'COUNT', 1),
        ]);
        return {
          entries: found.map(([, fields]) => JSON.parse(fields[1] ?? 'null') as T),
          oldestId: idOf(oldest[0]),
          newestId: idOf(newest[0]),
        };
      }),
    subscribe: (job, onNews) => subscriber.subscribe(keys.news(job), { message: onNews, resync: onNews }),
    async expire(job, afterMs) {
      await connection.call(`expire ${kind}`, (redis) => redis.multi().pexpire(keys.events(job), afterMs).pexpire(keys.eventsStamp(job), afterMs).exec());
    },
  };
}

function idOf(entry: [string, string[]] | undefined): number | null {
  return entry ? Number(entry[0].split('-')[0]) : null;
}

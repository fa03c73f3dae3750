// One stamped value per job, so that a list of jobs need not read every HEAD. A cache: an older stamp never replaces a newer
// one, equal ones overwrite, and whatever is missing is read from the store.
import type { FastConnection } from './connection.js';
import { queueKeys } from './keys.js';
import { runScript, script } from './scripts.js';
import type { QueueSettings } from './settings.js';
import { STALE_LUA, type Stamp } from './stamp.js';
import { answers } from './tickets.js';

export interface Cached<T> {
  stamp: Stamp;
  value: T;
}

export interface JobCache<T> {
  /** False: what is there is newer. */
  put(job: string, stamp: Stamp, value: T): Promise<boolean>;
  get(job: string): Promise<Cached<T> | null>;
  /** In the order of `jobs`. */
  getMany(jobs: readonly string[]): Promise<(Cached<T> | null)[]>;
  drop(job: string): Promise<void>;
}

const KEEP_MS = 7 * 24 * 3_600_000;

/** KEYS cache. ARGV gen, fence, seq, value, keepMs. */
const PUT = script(STALE_LUA, `
local gen, fence, seq = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if stale(KEYS[1], gen, fence) then return 0 end
local held = redis.call('HMGET', KEYS[1], 'gen', 'fence', 'seq')
if tonumber(held[1] or '') == gen and tonumber(held[2] or '') == fence and tonumber(held[3] or '') > seq then return 0 end
redis.call('HSET', KEYS[1], 'gen', gen, 'fence', fence, 'seq', seq, 'value', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
`);

export function makeJobCache<T>(connection: FastConnection, { prefix }: QueueSettings): JobCache<T> {
  const keys = queueKeys(prefix);

  function getMany(jobs: readonly string[]): Promise<(Cached<T> | null)[]> {
    if (jobs.length === 0) return Promise.resolve([]);
    return connection.call('read the job cache', async (redis) => {
      const pipeline = redis.pipeline();
      for (const job of jobs) pipeline.hmget(keys.cache(job), 'gen', 'fence', 'seq', 'value');
      return answers(await pipeline.exec()).map((fields) => {
        const [gen, fence, seq, value] = fields as (string | null)[];
        return typeof value === 'string' ? { stamp: { gen: Number(gen), fence: Number(fence), seq: Number(seq) }, value: JSON.parse(value) as T } : null;
      });
    });
  }

  return {
    getMany,
    get: async (job) => (await getMany([job]))[0] ?? null,
    async put(job, { gen, fence, seq }, value) {
      const written = await connection.call('write the job cache', (redis) => runScript(redis, PUT, [keys.cache(job)], [gen, fence, seq, JSON.stringify(value), KEEP_MS]));
      return written === 1;
    },
    async drop(job) {
      await connection.call('drop from the job cache', (redis) => redis.del(keys.cache(job)));
    },
  };
}

// The live rows of a job: the uncommitted tail of both series and some recent rows, keyed by update or epoch so that a redone
// one overwrites. Committed rows are in the store's segments.
import type { EpochRow, UpdateRow } from '../contract/rows.js';
import type { FastConnection } from './connection.js';
import { KEEP_MS } from './journal.js';
import { queueKeys } from './keys.js';
import { runScript, script } from './scripts.js';
import type { QueueSettings } from './settings.js';
import { STALE_LUA, type Fencing } from './stamp.js';

export interface RowSeries {
  update: UpdateRow;
  epoch: EpochRow;
}
export type SeriesName = keyof RowSeries;

export interface LiveRows<S extends SeriesName> {
  rows: RowSeries[S][];
  /** The first and last update (epoch) that Redis holds; null if it holds none. */
  oldest: number | null;
  newest: number | null;
}

export interface Rows {
  /** Writes rows over whatever an earlier attempt wrote. False: a newer claim has written, and nothing was. */
  put(job: string, stamp: Fencing, updates: readonly UpdateRow[], epochs: readonly EpochRow[]): Promise<boolean>;
  /** At a resume: drops what earlier attempts wrote beyond the checkpoint. False as above. */
  rewind(job: string, stamp: Fencing, to: { update: number; epoch: number }): Promise<boolean>;
  /** Rows after an update or epoch (null: from the oldest held). */
  list<S extends SeriesName>(job: string, series: S, range: { after: number | null; limit: number }): Promise<LiveRows<S>>;
  /** What was committed up to here may go, but for a recent part. */
  trim(job: string, series: SeriesName, upTo: number): Promise<void>;
  expire(job: string, afterMs: number): Promise<void>;
}

/** Committed rows kept for followers, so that most reads need no segment. */
const RECENT_MAX = 1_000;
/** Of a series, however long the store is away. */
const ROWS_MAX = 100_000;
/** Rows written in one script: Redis serves nobody else meanwhile. */
const CHUNK = 1_000;

const SERIES: readonly SeriesName[] = ['update', 'epoch'];

/** KEYS stamp, series. ARGV gen, fence, max, keepMs, channel, number, row, number, row, … */
const PUT = script(STALE_LUA, `
local gen, fence = tonumber(ARGV[1]), tonumber(ARGV[2])
if stale(KEYS[1], gen, fence) then return 0 end
redis.call('HSET', KEYS[1], 'gen', gen, 'fence', fence)
for i = 6, #ARGV, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[2], ARGV[i], ARGV[i])
  redis.call('ZADD', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('PUBLISH', ARGV[5], 'rows')
return 1
`);

/** KEYS stamp, updates, epochs. ARGV gen, fence, update, epoch, keepMs, channel. */
const REWIND = script(STALE_LUA, `
local gen, fence = tonumber(ARGV[1]), tonumber(ARGV[2])
if stale(KEYS[1], gen, fence) then return 0 end
redis.call('HSET', KEYS[1], 'gen', gen, 'fence', fence)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '(' .. ARGV[3], '+inf')
redis.call('ZREMRANGEBYSCORE', KEYS[3], '(' .. ARGV[4], '+inf')
redis.call('PUBLISH', ARGV[6], 'rows')
return 1
`);

/** KEYS series. ARGV upTo, keep. */
const TRIM = script(`
local committed = redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[1])
local spare = committed - tonumber(ARGV[2])
if spare > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, spare - 1) end
return spare
`);

export function makeRows(connection: FastConnection, { prefix }: QueueSettings): Rows {
  const keys = queueKeys(prefix);

  async function putSeries(job: string, { gen, fence }: Fencing, series: SeriesName, rows: readonly (readonly [number, object])[]): Promise<boolean> {
    for (let from = 0; from < rows.length; from += CHUNK) {
      const args = rows.slice(from, from + CHUNK).flatMap(([number, row]) => [number, JSON.stringify(row)]);
      const written = await connection.call('write rows', (redis) =>
        runScript(redis, PUT, [keys.rowsStamp(job), keys.rows(job, series)], [gen, fence, ROWS_MAX, KEEP_MS, keys.news(job), ...args]),
      );
      if (written !== 1) return false;
    }
    return true;
  }

  return {
    async put(job, stamp, updates, epochs) {
      return (
        (await putSeries(job, stamp, 'update', updates.map((row) => [row.update, row]))) &&
        (await putSeries(job, stamp, 'epoch', epochs.map((row) => [row.epoch, row])))
      );
    },
    async rewind(job, { gen, fence }, to) {
      const written = await connection.call('rewind rows', (redis) =>
        runScript(redis, REWIND, [keys.rowsStamp(job), keys.rows(job, 'update'), keys.rows(job, 'epoch')], [gen, fence, to.update, to.epoch, KEEP_MS, keys.news(job)]),
      );
      return written === 1;
    },
    list: <S extends SeriesName>(job: string, series: S, { after, limit }: { after: number | null; limit: number }) =>
      connection.call('read rows', async (redis): Promise<LiveRows<S>> => {
        const key = keys.rows(job, series);
        const [rows, first, last] = await Promise.all([
          limit > 0 ? redis.zrangebyscore(key, after === null ? '-inf' : `(${after}`, '+inf', 'LIMIT', 0, limit) : [],
          redis.zrange(key, '0', '0', 'WITHSCORES'),
          redis.zrange(key, '-1', '-1', 'WITHSCORES'),
        ]);
        return { rows: rows.map((row) => JSON.parse(row) as RowSeries[S]), oldest: scoreOf(first), newest: scoreOf(last) };
      }),
    async trim(job, series, upTo) {
      await connection.call('trim rows', (redis) => runScript(redis, TRIM, [keys.rows(job, series)], [upTo, RECENT_MAX]));
    },
    async expire(job, afterMs) {
      await connection.call('expire rows', (redis) => {
        const all = redis.multi().pexpire(keys.rowsStamp(job), afterMs);
        for (const series of SERIES) all.pexpire(keys.rows(job, series), afterMs);
        return all.exec();
      });
    },
  };
}

function scoreOf(pair: readonly string[]): number | null {
  return pair[1] === undefined ? null : Number(pair[1]);
}

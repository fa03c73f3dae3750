// The registry of live workers: what each says of itself, for people and for counting capacity. Nothing is decided by it.
import type { FastConnection } from './connection.js';
import { queueKeys } from './keys.js';
import { runScript, script } from './scripts.js';
import type { QueueSettings } from './settings.js';

export interface WorkerInfo {
  id: string;
  engine: string | null;
  device: string | null;
  /** Jobs it can run at a time. */
  slots: number;
  /** Jobs it runs now. */
  jobs: string[];
  draining: boolean;
  /** Of training that no commit has yet, all its jobs together: what is lost if it vanishes. */
  uncommitted_seconds: number;
  /** How long its latest attempt has been there; null: it has none. */
  youngest_seconds: number | null;
  /** ISO time, the worker's clock. */
  started_at: string;
  host: string;
  /** The same for all on one machine, and for nobody else. */
  machine: string;
  pid: number;
  version: string;
}

export interface ListedWorker extends WorkerInfo {
  /** Since its last beat, by Redis' clock. */
  silentMs: number;
}

export interface Workers {
  beat(info: WorkerInfo): Promise<void>;
  end(id: string): Promise<void>;
  /** Those that beat within `workerTtlMs`, by id. */
  list(): Promise<ListedWorker[]>;
}

/** A worker beats every two seconds; one that missed two beats may have gone. */
const FRESH_MS = 5_000;

/** Whether another worker than this one is there to take a ticket now. */
export const hasFreeSlot = (workers: readonly ListedWorker[], but: string): boolean =>
  workers.some(({ id, draining, silentMs, jobs, slots }) => id !== but && !draining && silentMs < FRESH_MS && jobs.length < slots);

/** Whether another worker lives on this one's machine, as far as is known. */
export const hasNeighbour = (workers: readonly ListedWorker[], of: Pick<WorkerInfo, 'id' | 'machine'>): boolean => workers.some(({ id, machine }) => id !== of.id && machine === of.machine);

/** How many jobs live workers say that they have: their tickets may be lost while they run. */
export const jobsInHand = (workers: readonly ListedWorker[]): number => new Set(workers.filter(({ silentMs }) => silentMs < FRESH_MS).flatMap(({ jobs }) => jobs)).size;

/** How many workers so many jobs keep busy, if each takes as many as the live ones do; one each where none lives. */
export function workersFor(jobs: number, workers: readonly ListedWorker[]): number {
  const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
  return Math.ceil(jobs / (slots === 0 ? 1 : slots / workers.length));
}

/** A job that has just been loaded and warmed up: to hand it over now would waste that. */
const SETTLED_SECONDS = 120;

/**
 * Which worker to let go first, if there are too many: those that go already, then those that have nothing to do, then those whose jobs
 * have been there for a while and lose least should the commit fail; those with a job that has just come last.
 */
export function drainOrder(workers: readonly ListedWorker[]): string[] {
  const place = ({ draining, jobs, youngest_seconds: youngest }: ListedWorker): number => (draining ? 0 : jobs.length === 0 ? 1 : (youngest ?? 0) >= SETTLED_SECONDS ? 2 : 3);
  return [...workers].sort((a, b) => place(a) - place(b) || a.uncommitted_seconds - b.uncommitted_seconds || (a.id < b.id ? -1 : 1)).map(({ id }) => id);
}

/** Lua: Redis' milliseconds. */
const NOW_LUA = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
`;

/** KEYS worker, workers. ARGV id, info, ttlMs. */
const BEAT = script(NOW_LUA, `
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return redis.call('ZADD', KEYS[2], now, ARGV[1])
`);

/** KEYS workers. ARGV ttlMs. Returns id, silence, id, silence, … */
const LIST = script(NOW_LUA, `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - tonumber(ARGV[1])))
local out = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 2, #out, 2 do out[i] = now - tonumber(out[i]) end
return out
`);

export function makeWorkers(connection: FastConnection, { prefix, timing }: QueueSettings): Workers {
  const keys = queueKeys(prefix);
  return {
    async beat(info) {
      await connection.call('announce a worker', (redis) => runScript(redis, BEAT, [keys.worker(info.id), keys.workers], [info.id, JSON.stringify(info), timing.workerTtlMs]));
    },
    async end(id) {
      await connection.call('sign a worker off', (redis) => redis.multi().del(keys.worker(id)).zrem(keys.workers, id).exec());
    },
    list: () =>
      connection.call('list workers', async (redis) => {
        const flat = (await runScript(redis, LIST, [keys.workers], [timing.workerTtlMs])) as (string | number)[];
        const silent = new Map<string, number>();
        for (let i = 0; i + 1 < flat.length; i += 2) silent.set(String(flat[i]), Number(flat[i + 1]));
        const ids = [...silent.keys()].sort();
        if (ids.length === 0) return [];
        const infos = await redis.mget(ids.map(keys.worker));
        return infos.flatMap((info, index) => (info === null ? [] : [{ ...(JSON.parse(info) as WorkerInfo), silentMs: silent.get(ids[index] ?? '') ?? 0 }]));
      }),
  };
}

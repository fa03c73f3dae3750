// Signs of life of the attempts that own a job. All times are Redis' own, so that no local clock matters, and silence is
// counted only while Redis could be heard: an outage never makes the living look dead. HEAD says who owns a job; this says
// only whether that owner still speaks.
import type { Progress } from '../contract/job.js';
import type { FastConnection } from './connection.js';
import { queueKeys } from './keys.js';
import { runScript, script } from './scripts.js';
import type { QueueSettings } from './settings.js';
import { STALE_LUA, type Fencing } from './stamp.js';

/** What an owner says it does. */
export type BeatPhase = 'starting' | 'running' | 'preempting';

export interface Beat extends Fencing {
  job: string;
  /** The attempt's random value in HEAD. */
  attempt: string;
  /** The attempt's number. */
  number: number;
  worker: string;
  phase: BeatPhase;
  progress: Progress | null;
}

export interface HeardBeat extends Beat {
  /** Since the last beat, as far as Redis was there to hear one. */
  silentMs: number;
  /** Not silent for too long. */
  alive: boolean;
}

/** What is known of the owner that HEAD names. `unknown`: not heard, but not listened for long enough either. */
export type OwnerSigns = BeatPhase | 'silent' | 'unknown';

export interface Heartbeats {
  /** False: a newer claim has been heard (or another attempt of this one, or this attempt has ended), and nothing was written. */
  beat(beat: Beat): Promise<boolean>;
  /** The last beat of a job's owner; null if none is known or it ended. */
  read(job: string): Promise<HeardBeat | null>;
  readMany(jobs: readonly string[]): Promise<(HeardBeat | null)[]>;
  /**
   * Judges the owner that HEAD names. Ask again: an owner never heard turns silent `deadAfterMs` after the first question.
   * One that has ended is silent at once.
   */
  signs(job: string, attempt: string): Promise<OwnerSigns>;
  /** The attempt is over. Its fence stays guarded for a while. False if another attempt has beaten since. */
  end(job: string, attempt: string): Promise<boolean>;
  /**
   * Owners that were heard and have gone silent, longest first; if there are more than `limit`, some of them, in time all.
   * Stays true until their `end` or a newer beat.
   * To be asked at least every `beatEveryMs`: silence counts only while someone listens.
   */
  dead(limit: number): Promise<HeardBeat[]>;
}

/** Owners asked for in one call, which has to be answered in time however many jobs are open. */
const CHUNK = 500;
/** How long the stamp of an ended attempt guards, and how long a silent one is remembered. */
const REMEMBER_MS = 3_600_000;

/**
 * watched(key, gapMs): Redis' now, and since when without a gap anyone has beaten or looked. A longer gap means Redis was
 * away (or nobody ran), so nobody's silence before it counts.
 */
const WATCH_LUA = `
local function watched(key, gapMs)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local held = redis.call('HMGET', key, 'since', 'last')
  local since, last = tonumber(held[1] or ''), tonumber(held[2] or '')
  if not since or not last or now - last > gapMs or now < last then
    since = now
    redis.call('HSET', key, 'since', since, 'last', now)
  elseif now - last > 100 then
    redis.call('HSET', key, 'last', now)
  end
  return now, since
end
`;

/** KEYS beat, beats, watch. ARGV gen, fence, gapMs, rememberMs, job, attempt, rest (JSON). */
const BEAT = script(WATCH_LUA, STALE_LUA, `
local now = watched(KEYS[3], tonumber(ARGV[3]))
local gen, fence = tonumber(ARGV[1]), tonumber(ARGV[2])
if stale(KEYS[1], gen, fence) then return 0 end
local held = redis.call('HMGET', KEYS[1], 'gen', 'fence', 'attempt', 'ended')
if tonumber(held[1] or '') == gen and tonumber(held[2] or '') == fence and (held[3] ~= ARGV[6] or held[4] == '1') then return 0 end
redis.call('HSET', KEYS[1], 'gen', gen, 'fence', fence, 'attempt', ARGV[6], 'ended', '0', 'rest', ARGV[7])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], now, ARGV[5])
return 1
`);

/** KEYS beat, beats. ARGV job, attempt, rememberMs. */
const END = script(`
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'ended', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
`);

/** KEYS beats, watch. ARGV gapMs, jobs… Returns now, since, and the last beat of each. */
const HEARD = script(WATCH_LUA, `
local now, since = watched(KEYS[2], tonumber(ARGV[1]))
local out = { string.format('%.0f', now), string.format('%.0f', since) }
for i = 2, #ARGV do out[i + 1] = redis.call('ZSCORE', KEYS[1], ARGV[i]) or '' end
return out
`);

/** KEYS beats, watch. ARGV gapMs, deadAfterMs, limit, where to begin if there are more (0 to 1). Returns jobs. */
const DEAD = script(WATCH_LUA, `
local now, since = watched(KEYS[2], tonumber(ARGV[1]))
local deadAfter = tonumber(ARGV[2])
if now - since < deadAfter then return {} end
local upTo, limit = string.format('%.0f', now - deadAfter), tonumber(ARGV[3])
local all = redis.call('ZCOUNT', KEYS[1], '-inf', upTo)
local from = all > limit and math.floor(tonumber(ARGV[4]) * all) or 0
local jobs = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', upTo, 'LIMIT', from, limit)
if from > 0 and #jobs < limit then
  for _, job in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', upTo, 'LIMIT', 0, limit - #jobs)) do jobs[#jobs + 1] = job end
end
return jobs
`);

/** KEYS watch, asked. ARGV gapMs, rememberMs. How long this owner has been asked for in vain. */
const ASKED = script(WATCH_LUA, `
local now, since = watched(KEYS[1], tonumber(ARGV[1]))
local first = tonumber(redis.call('GET', KEYS[2]) or '')
if not first or first > now then
  first = now
  redis.call('SET', KEYS[2], string.format('%.0f', now), 'PX', ARGV[2])
end
return now - math.max(first, since)
`);

export function makeHeartbeats(connection: FastConnection, { prefix, timing }: QueueSettings): Heartbeats {
  const keys = queueKeys(prefix);
  // An outage shorter than this adds at most itself to a beat's age: beatEvery + gap stays below deadAfter.
  const gapMs = timing.deadAfterMs / 2;

  const readMany = async (jobs: readonly string[]): Promise<(HeardBeat | null)[]> =>
    (await hear(jobs)).map((heard) => (heard === null || heard.ended ? null : heard.beat));

  type Heard = { beat: HeardBeat; ended: boolean } | null;

  async function hear(jobs: readonly string[]): Promise<Heard[]> {
    const heard: Heard[] = [];
    for (let from = 0; from < jobs.length; from += CHUNK) heard.push(...(await hearSome(jobs.slice(from, from + CHUNK))));
    return heard;
  }

  function hearSome(jobs: readonly string[]): Promise<Heard[]> {
    return connection.call('read heartbeats', async (redis) => {
      const [heard, ...hashes] = await Promise.all([
        runScript(redis, HEARD, [keys.beats, keys.watch], [gapMs, ...jobs]) as Promise<string[]>,
        ...jobs.map((job) => redis.hgetall(keys.beat(job))),
      ]);
      const now = Number(heard[0]);
      const since = Number(heard[1]);
      return jobs.map((job, index) => {
        const hash = hashes[index] ?? {};
        const beat = parseBeat(job, hash);
        if (!beat) return null;
        const silentMs = Math.max(0, now - Math.max(Number(heard[index + 2] || 0), since));
        return { beat: { ...beat, silentMs, alive: silentMs < timing.deadAfterMs }, ended: hash['ended'] === '1' };
      });
    });
  }

  return {
    readMany,
    read: async (job) => (await readMany([job]))[0] ?? null,
    async beat({ job, attempt, gen, fence, ...rest }) {
      const written = await connection.call('beat', (redis) =>
        runScript(redis, BEAT, [keys.beat(job), keys.beats, keys.watch], [gen, fence, gapMs, REMEMBER_MS, job, attempt, JSON.stringify(rest)]),
      );
      return written === 1;
    },
    async end(job, attempt) {
      const ended = await connection.call('end a heartbeat', (redis) => runScript(redis, END, [keys.beat(job), keys.beats], [job, attempt, REMEMBER_MS]));
      return ended === 1;
    },
    async signs(job, attempt) {
      const [heard] = await hear([job]);
      if (heard?.beat.attempt === attempt) return heard.beat.alive && !heard.ended ? heard.beat.phase : 'silent';
      const askedMs = await connection.call('ask for an owner', (redis) =>
        runScript(redis, ASKED, [keys.watch, keys.asked(job, attempt)], [gapMs, REMEMBER_MS]),
      );
      return Number(askedMs) >= timing.deadAfterMs ? 'silent' : 'unknown';
    },
    async dead(limit) {
      if (limit <= 0) return [];
      const jobs = await connection.call('look for dead owners', (redis) =>
        runScript(redis, DEAD, [keys.beats, keys.watch], [gapMs, timing.deadAfterMs, limit, Math.random()]),
      );
      const names = jobs as string[];
      const beats = await readMany(names);
      // A hash that outlived its welcome leaves only its place in the line.
      const forgotten = names.filter((_, index) => beats[index] === null);
      if (forgotten.length > 0) await connection.call('forget dead owners', (redis) => redis.zrem(keys.beats, ...forgotten));
      return beats.filter((beat) => beat !== null && !beat.alive) as HeardBeat[];
    },
  };
}

function parseBeat(job: string, hash: Record<string, string>): Beat | null {
  const { gen, fence, attempt, rest } = hash;
  if (attempt === undefined || rest === undefined) return null;
  return { job, gen: Number(gen), fence: Number(fence), attempt, ...(JSON.parse(rest) as Pick<Beat, 'number' | 'worker' | 'phase' | 'progress'>) };
}

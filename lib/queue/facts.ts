// What Redis says about itself, and whether it can be trusted with the queue: for start-up and `doctor`.
import type { FastConnection } from './connection.js';
import { describeUrl, type QueueSettings } from './settings.js';

export interface QueueProblem {
  /** `error`: jobs cannot be relied on. */
  level: 'error' | 'warning';
  /** Nothing starts with it. */
  isRefused: boolean;
  message: string;
  /** What to do about it. */
  fix: string;
}

export interface QueueFacts {
  redis: string;
  version: string;
  kind: 'redis' | 'valkey' | 'dragonfly';
  maxmemoryPolicy: string | null;
  maxmemoryBytes: number | null;
  appendonly: boolean | null;
  usedMemoryBytes: number | null;
  roundTripMs: number;
  problems: QueueProblem[];
}

export interface CheckOptions {
  /** Without an append-only file a crash of Redis loses tickets until the next reconcile: refuse, or only warn. */
  appendonly?: 'error' | 'warning';
}

/** XRANGE with exclusive ids; BullMQ asks for no more. */
export const REDIS_MINIMUM = [6, 2] as const;

export async function checkRedis(connection: FastConnection, settings: QueueSettings, options: CheckOptions = {}): Promise<QueueFacts> {
  const { info, roundTripMs } = await connection.call('check Redis', async (redis) => {
    const text = await redis.info();
    const begun = performance.now();
    await redis.ping();
    return { info: text, roundTripMs: performance.now() - begun };
  });
  return factsOf(info, describeUrl(settings.url), roundTripMs, options);
}

/** Reads INFO, which managed services answer where they refuse CONFIG. */
export function factsOf(info: string, redis: string, roundTripMs: number, { appendonly = 'warning' }: CheckOptions = {}): QueueFacts {
  const fields = new Map<string, string>();
  for (const line of info.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  const number = (name: string): number | null => (fields.has(name) ? Number(fields.get(name)) : null);
  const kind = fields.has('valkey_version') ? 'valkey' : fields.has('dragonfly_version') ? 'dragonfly' : 'redis';
  const facts = {
    redis,
    version: fields.get(`${kind}_version`) ?? fields.get('redis_version') ?? 'unknown',
    kind,
    maxmemoryPolicy: fields.get('maxmemory_policy') ?? null,
    maxmemoryBytes: number('maxmemory'),
    appendonly: fields.has('aof_enabled') ? fields.get('aof_enabled') === '1' : null,
    usedMemoryBytes: number('used_memory'),
    roundTripMs: Math.round(roundTripMs * 100) / 100,
  } as const;

  const problems: QueueProblem[] = [];
  // Valkey and Dragonfly both say which Redis they speak like.
  const spoken = fields.get('redis_version') ?? facts.version;
  const [major = 0, minor = 0] = spoken.split('.').map(Number);
  if (!(major > REDIS_MINIMUM[0] || (major === REDIS_MINIMUM[0] && minor >= REDIS_MINIMUM[1]))) {
    problems.push({ level: 'error', isRefused: true, message: `Redis ${spoken} is too old: at least ${REDIS_MINIMUM.join('.')} is needed`, fix: 'install Redis 7 or Valkey' });
  }
  if (facts.maxmemoryPolicy !== null && facts.maxmemoryPolicy !== 'noeviction') {
    problems.push({ level: 'error', isRefused: false, message: `maxmemory-policy is ${facts.maxmemoryPolicy}: it must be noeviction, or Redis drops tickets when memory is short`, fix: 'redis-cli CONFIG SET maxmemory-policy noeviction, and `maxmemory-policy noeviction` in redis.conf' });
  }
  if (facts.appendonly === false) {
    problems.push({ level: appendonly, isRefused: false, message: 'appendonly is off: a restart of Redis empties the queue until it is rebuilt from the store', fix: 'redis-cli CONFIG SET appendonly yes, and `appendonly yes` in redis.conf' });
  }
  return { ...facts, problems };
}

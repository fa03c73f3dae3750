// Whether Redis holds what the store says it should: a marker that is set after a reconcile and gone when Redis was emptied.
import { randomUUID } from 'node:crypto';
import type { FastConnection } from './connection.js';
import { queueKeys } from './keys.js';
import { runScript, script } from './scripts.js';
import type { QueueSettings } from './settings.js';

export interface Seed {
  /** The marker's random value, which tells one filling from the next; null: emptied, or never filled. */
  current(): Promise<string | null>;
  isSeeded(): Promise<boolean>;
  /** Before a reconcile. The token proves at the end that Redis was not emptied meanwhile. */
  begin(): Promise<string>;
  /** After a reconcile. False: Redis was emptied since `begin`, so reconcile again. */
  markSeeded(token: string): Promise<boolean>;
}

const RECONCILE_LIMIT_MS = 3_600_000;

/** KEYS seed, seeding. ARGV value. An existing seed stays: it is as good. */
const MARK = script(`
if redis.call('DEL', KEYS[2]) == 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return 1
`);

export function makeSeed(connection: FastConnection, { prefix }: QueueSettings): Seed {
  const keys = queueKeys(prefix);
  const current = () => connection.call('read the seed', (redis) => redis.get(keys.seed));
  return {
    current,
    isSeeded: async () => (await current()) !== null,
    async begin() {
      const token = randomUUID();
      await connection.call('begin seeding', (redis) => redis.set(keys.seeding(token), '1', 'PX', RECONCILE_LIMIT_MS));
      return token;
    },
    async markSeeded(token) {
      const marked = await connection.call('set the seed', (redis) => runScript(redis, MARK, [keys.seed, keys.seeding(token)], [randomUUID()]));
      return marked === 1;
    },
  };
}

// Removes everything under a prefix: for tests and for starting over. Jobs are in the store and come back by reconciling.
import type { FastConnection } from './connection.js';
import type { QueueSettings } from './settings.js';

const SCAN_COUNT = 1_000;

async function listKeys(connection: FastConnection, { prefix }: QueueSettings): Promise<string[]> {
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, keys] = await connection.call('list keys', (redis) => redis.scan(cursor, 'MATCH', `${prefix}:*`, 'COUNT', SCAN_COUNT));
    cursor = next;
    for (const key of keys) found.add(key);
  } while (cursor !== '0');
  return [...found].sort();
}

/** Returns how many keys there were. */
export async function resetQueue(connection: FastConnection, settings: QueueSettings): Promise<number> {
  const keys = await listKeys(connection, settings);
  for (let from = 0; from < keys.length; from += SCAN_COUNT) {
    await connection.call('remove keys', (redis) => redis.unlink(...keys.slice(from, from + SCAN_COUNT)));
  }
  return keys.length;
}

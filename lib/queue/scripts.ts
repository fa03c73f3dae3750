// Runs Lua scripts: by hash, and with the text when Redis does not know it yet (after a restart it knows none).
// The callers own their scripts.
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

export interface Script {
  text: string;
  sha1: string;
}

export function script(...parts: string[]): Script {
  const text = parts.join('\n');
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}

export async function runScript(redis: Redis, { text, sha1 }: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
  try {
    return await redis.evalsha(sha1, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return redis.eval(text, keys.length, ...keys, ...args);
  }
}

// A Redis that answers and cannot serve is as good as away, whatever words its version has for it; a replica is left for the primary.
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { type FastConnection, makeFastConnection } from '../../../lib/queue/connection.js';
import { resolveQueueSettings } from '../../../lib/queue/settings.js';
import { startRedis, type RedisServer } from '../../support/redis.js';
import { QUICK, uniquePrefix, until } from './setup.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: false });
});
afterAll(() => redis.stop());

function connected(): FastConnection {
  const connection = makeFastConnection(resolveQueueSettings({ url: redis.url, prefix: uniquePrefix(), timing: { ...QUICK, commandTimeoutMs: 5_000, callTimeoutMs: 5_000 } }));
  onTestFinished(() => connection.close());
  return connection;
}

/** Gives this reply, word for word. */
const refused = (connection: FastConnection, reply: string): Promise<unknown> => connection.call('a call', (client) => client.eval('return redis.error_reply(ARGV[1])', 0, reply));

/** As Redis before 7 tells of a script that was refused on its way. */
const inScript = (reply: string): string => `ERR Error running script (call to f_36d98f8ca4bf1b7ea9f1cd4ba1a41c6dd4d0cb6b): @user_script:3: @user_script: 3: -${reply}`;

const OOM = "OOM command not allowed when used memory > 'maxmemory'.";
const READONLY = "READONLY You can't write against a read only replica.";

it.each([inScript(OOM), inScript('MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.'), inScript(READONLY), 'MOVED 3999 127.0.0.1:6381', 'ASK 3999 127.0.0.1:6381', 'CLUSTERDOWN The cluster is down', 'TRYAGAIN Multiple keys request during rehashing of slot'])('%s', async (reply) => {
  await expect(refused(connected(), reply)).rejects.toMatchObject({ code: 'queue_unavailable', retryable: true });
});

it.each([inScript("ERR Unknown Redis command called from Lua script OOM"), "WRONGTYPE Operation against a key holding the wrong kind of value", 'ERR ASK for something else'])('is a mistake of ours: %s', async (reply) => {
  await expect(refused(connected(), reply)).rejects.toMatchObject({ name: 'ReplyError', message: reply });
});

it.each([READONLY, inScript(READONLY)])('connects anew after: %s', async (reply) => {
  const connection = connected();
  const id = (): Promise<unknown> => connection.call('id', (client) => client.client('ID'));
  const before = await id();
  await expect(refused(connection, reply)).rejects.toMatchObject({ code: 'queue_unavailable' });
  await until('another connection', () => id().then((now) => now !== before, () => false));
});

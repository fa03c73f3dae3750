// The queue's settings, what counts as Redis being away, and how INFO is judged.
import { describe, expect, it } from 'vitest';
import { AppError, isAppError } from '../../../lib/errors.js';
import { factsOf } from '../../../lib/queue/facts.js';
import { translateRedisError } from '../../../lib/queue/redis-errors.js';
import { describeUrl, resolveQueueSettings } from '../../../lib/queue/settings.js';

const url = 'redis://127.0.0.1:6379';

describe('queue settings', () => {
  it('have defaults and take a prefix, or one as a hash tag', () => {
    expect(resolveQueueSettings({ url })).toMatchObject({ prefix: 'pawl', timing: { beatEveryMs: 2_000, deadAfterMs: 8_000 } });
    for (const prefix of ['a', 'team-1:pawl_x.y', '{pawl}']) expect(resolveQueueSettings({ url, prefix }).prefix).toBe(prefix);
    expect(resolveQueueSettings({ url, timing: { deadAfterMs: 5 } }).timing).toMatchObject({ beatEveryMs: 2_000, deadAfterMs: 5 });
  });

  it('refuse a prefix that would match the keys of others, and a URL of something else', () => {
    for (const prefix of ['', '*', 'a b', 'a[b]', '{a', 'a}', 'x{a}', '{}', 'a'.repeat(65)]) {
      expect(() => resolveQueueSettings({ url, prefix })).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'PAWL_QUEUE_PREFIX' }));
    }
    for (const bad of ['', 'localhost:6379', 'http://x']) expect(() => resolveQueueSettings({ url: bad })).toThrow(expect.objectContaining({ param: 'REDIS_URL' }));
  });

  it('name Redis without its credentials', () => {
    expect(describeUrl('rediss://user:secret@redis.example:6380/2')).toBe('rediss://redis.example:6380/2');
    expect(describeUrl('redis://:secret@127.0.0.1:6379')).toBe('redis://127.0.0.1:6379');
  });
});

describe('an error of Redis', () => {
  const named = (name: string, message: string) => Object.assign(new Error(message), { name });

  it('is queue_unavailable when Redis is away or cannot serve', () => {
    const away = [
      new Error('Command timed out'),
      new Error('Connection is closed.'),
      new Error("Stream isn't writeable and enableOfflineQueue options is false"),
      named('MaxRetriesPerRequestError', 'Reached the max retries per request limit'),
      Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { syscall: 'connect', code: 'ECONNREFUSED' }),
      Object.assign(new Error('getaddrinfo ENOTFOUND nowhere'), { syscall: 'getaddrinfo', code: 'ENOTFOUND' }),
      ...['LOADING Redis is loading', 'READONLY You can not', 'OOM command not allowed', 'NOAUTH Authentication required.', 'WRONGPASS x', 'MISCONF x'].map((text) => named('ReplyError', text)),
    ];
    for (const error of away) {
      const translated = translateRedisError(error, 'issue a ticket');
      expect(isAppError(translated, 'queue_unavailable') && translated.cause === error && translated.message.startsWith('issue a ticket: ')).toBe(true);
    }
  });

  it('stays what it is when the mistake is ours', () => {
    const ours = [named('ReplyError', 'WRONGTYPE Operation against a key'), named('ReplyError', 'BUSYGROUP x'), named('ReplyError', 'ERR user_script:1'), new TypeError('x is undefined'), new Error('other'), new AppError('fenced', 'x'), 'text'];
    for (const error of ours) expect(translateRedisError(error, 'x')).toBe(error);
  });
});

describe('the facts about Redis', () => {
  const info = (lines: Record<string, string>) => ['# Server', ...Object.entries(lines).map(([key, value]) => `${key}:${value}`)].join('\r\n');
  const good = { redis_version: '7.0.15', maxmemory_policy: 'noeviction', aof_enabled: '1', maxmemory: '0', used_memory: '1024' };
  const judge = (lines: Record<string, string>, appendonly?: 'error' | 'warning') => factsOf(info(lines), 'redis://x', 0.123, appendonly ? { appendonly } : {});

  it('are read from INFO', () => {
    expect(judge(good)).toEqual({ redis: 'redis://x', version: '7.0.15', kind: 'redis', maxmemoryPolicy: 'noeviction', maxmemoryBytes: 0, appendonly: true, usedMemoryBytes: 1024, roundTripMs: 0.12, problems: [] });
  });

  it('refuse a Redis older than 6.2 and one that evicts', () => {
    for (const redis_version of ['6.0.16', '5.0.7', 'x']) expect(judge({ ...good, redis_version }).problems).toMatchObject([{ level: 'error' }]);
    for (const redis_version of ['6.2.0', '7.4.1', '8.0.0', '10.0']) expect(judge({ ...good, redis_version }).problems).toEqual([]);
    expect(judge({ ...good, maxmemory_policy: 'volatile-lru' }).problems).toMatchObject([{ level: 'error' }]);
  });

  it('say what Valkey is, by its own version and the Redis it speaks like', () => {
    expect(judge({ ...good, redis_version: '7.2.4', valkey_version: '9.0.1' })).toMatchObject({ kind: 'valkey', version: '9.0.1', problems: [] });
  });

  it('warn without an append-only file or refuse, as told, and leave open what is not said', () => {
    expect(judge({ ...good, aof_enabled: '0' }).problems).toMatchObject([{ level: 'warning' }]);
    expect(judge({ ...good, aof_enabled: '0' }, 'error').problems).toMatchObject([{ level: 'error' }]);
    expect(judge({ redis_version: '7.0.0' })).toMatchObject({ maxmemoryPolicy: null, appendonly: null, problems: [] });
  });
});

import { describe, expect, test } from 'vitest';
import { ownFolders, readConfig } from '../../lib/config.js';
import { isAppError } from '../../lib/errors.js';

describe('the environment', () => {
  test('has defaults for everything', () => {
    expect(readConfig({}, '/home/me')).toMatchObject({ redisUrl: null, store: 'file:/home/me/.pawl/store', dataDir: '/home/me/.pawl', dataRoots: ['/home/me'], dataMemoryBytes: null, port: 8787, host: '127.0.0.1', url: 'http://127.0.0.1:8787', apiTokens: [] });
  });
  test('reports every problem at once, by name', () => {
    const wrong = { REDIS_URL: 'localhost:6379', PAWL_STORE: 'ftp://x', PAWL_PORT: '99999', PAWL_API_TOKEN: 'short', PAWL_ENGINE: 'caffe', PAWL_DATA_MEMORY_MIB: '1.5', PAWL_UNSAVED_SECONDS: '0', PAWL_SIGNAL_GRACE_SECONDS: '2.5', PAWL_DATA_BUCKETS: 'good,s3://bad', PAWL_LOG_LEVEL: 'loud', PAWL_QUEUE_PREFIX: 'my prefix', PAWL_URL: 'http://localhost:99999', S3_ENDPOINT: 'https://:9000' };
    try {
      readConfig(wrong, '/');
      expect.fail('accepted');
    } catch (error) {
      if (!isAppError(error, 'invalid_request')) throw error;
      expect(error.details.map(({ param }) => param).sort()).toEqual(Object.keys(wrong).sort());
      expect(error.message).not.toContain('short');
    }
  });
  test.each([
    'redis://localhost:99999', 'redis://:pa#ss@host:6379', 'redis://:pa/ss@host:6379', 'redis://:pa?ss@host:6379', 'redis://:pa%ss@host:6379',
    // what ends the host here is a password's
    'redis://user:12#ss@host:6379', 'redis://user:12/ss@host:6379', 'redis://user:12?ss@host:6379', 'redis://host/one',
  ])('names REDIS_URL, and nothing of it, where it is %s', (url) => {
    expect(() => readConfig({ REDIS_URL: url }, '/')).toThrow(expect.objectContaining({ code: 'invalid_request', message: expect.not.stringMatching(/ss@|99999/), details: [{ param: 'REDIS_URL', message: expect.stringMatching(/^must be redis:\/\/user:password@host:port\/database .*# is written as %23/) }] }));
  });
  test.each(['redis://localhost', 'rediss://user:p%23ss@redis.example:6380/2', 'redis://[::1]:6379/', 'redis://h?family=6'])('takes %s', (url) => {
    expect(readConfig({ REDIS_URL: url }, '/').redisUrl).toBe(url);
  });
  test('says which folders hold no data', () => {
    const of = (env: Record<string, string>) => ownFolders(readConfig(env, '/home/me'));
    expect(of({})).toEqual(['/home/me/.pawl/store', '/home/me/.pawl/store', '/home/me/.pawl/spool', '/home/me/.pawl/redis']);
    expect(of({ PAWL_STORE: 'file:jobs', PAWL_DATA_DIR: '/data' })).toEqual(['/home/me/jobs', '/data/store', '/data/spool', '/data/redis']);
    expect(of({ PAWL_STORE: 's3://bucket/jobs' })).toEqual(['/home/me/.pawl/store', '/home/me/.pawl/spool', '/home/me/.pawl/redis']);
  });
  test('takes memory in MiB', () => {
    expect(readConfig({ PAWL_DATA_MEMORY_MIB: '512' }, '/').dataMemoryBytes).toBe(512 * 1024 ** 2);
    for (const wrong of ['0', '-1', 'all', '1e400']) expect(() => readConfig({ PAWL_DATA_MEMORY_MIB: wrong }, '/')).toThrow(`PAWL_DATA_MEMORY_MIB must be a positive whole number of MiB, not "${wrong}"`);
  });
  test('takes seconds to save in after a signal', () => {
    expect(readConfig({}, '/').signalGraceMs).toBe(25_000);
    expect(readConfig({ PAWL_SIGNAL_GRACE_SECONDS: '85' }, '/').signalGraceMs).toBe(85_000);
    expect(readConfig({ PAWL_SIGNAL_GRACE_SECONDS: '86400' }, '/').signalGraceMs).toBe(86_400_000);
    for (const wrong of ['0', '-1', 'long']) expect(() => readConfig({ PAWL_SIGNAL_GRACE_SECONDS: wrong }, '/')).toThrow(`PAWL_SIGNAL_GRACE_SECONDS must be a positive whole number, not "${wrong}"`);
    expect(() => readConfig({ PAWL_SIGNAL_GRACE_SECONDS: '86401' }, '/')).toThrow('PAWL_SIGNAL_GRACE_SECONDS must be at most 86400');
  });
  test('takes several tokens, data roots and buckets', () => {
    expect(readConfig({ PAWL_DATA_BUCKETS: 'sets, more.sets-2' }, '/').dataBuckets).toEqual(['sets', 'more.sets-2']);
    const config = readConfig({ PAWL_API_TOKEN: `${'a'.repeat(32)}, ${'b'.repeat(40)}`, PAWL_DATA_ROOTS: 'x:/y' }, '/home');
    expect(config.apiTokens.length).toBe(2);
    expect(config.dataRoots).toEqual(['/home/x', '/y']);
  });
});

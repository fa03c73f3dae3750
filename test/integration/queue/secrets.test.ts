// A password that Redis refuses is the operator's to see in the settings, and nobody's to read in a log.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectQueue } from '../../../lib/queue/index.js';
import { startRedis } from '../../support/redis.js';
import { makeTempDir } from '../../support/temp.js';
import { jobId, memoryLog, QUICK, ticket, uniquePrefix, until } from './setup.js';

const DIST = join(import.meta.dirname, '../../../dist');
const PASSWORD = 'correct-horse-battery-staple';

/** All that a process writes, as it comes. */
async function start(entry: string, redisUrl: string): Promise<() => string> {
  const folder = await makeTempDir('secrets');
  const env = { PATH: process.env['PATH'], PAWL_PORT: '0', PAWL_NOTICES: 'none', PAWL_ENGINE: 'wasm', PAWL_LOG_LEVEL: 'trace', REDIS_URL: redisUrl };
  const child = fork(join(DIST, entry), [], { cwd: folder.path, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise((resolve) => child.on('exit', resolve));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    await folder.remove();
  });
  return () => said;
}

describe.each([
  ['refuses it', ['--requirepass', 'another one'], 'WRONGPASS'],
  // like Redis before version 6, or one behind a proxy: it repeats what it did not understand
  ['does not know the commands that carry it', ['--rename-command', 'HELLO', '', '--rename-command', 'AUTH', ''], 'unknown command'],
])('the password of a Redis that %s', (_, args, said) => {
  it.each(['api/main.js', 'worker/main.js', 'worker/controller/main.js'])('is in no line that %s writes', async (entry) => {
    const redis = await startRedis({ args });
    onTestFinished(redis.stop);
    const output = await start(entry, `redis://:${PASSWORD}@127.0.0.1:${redis.port}`);
    await until('it says why', () => output().includes('Redis is away') && output().includes(said), 30_000);
    // of the ticket worker, and of the check for stalled tickets
    if (entry !== 'api/main.js') await until('BullMQ says so too', () => output().split('\n').filter((line) => line.includes(said)).length > 1, 30_000);
    expect(output()).not.toContain(PASSWORD);
  });

  it('is not in what callers are told', async () => {
    const redis = await startRedis({ args });
    onTestFinished(redis.stop);
    const log = memoryLog();
    const queue = connectQueue({ url: `redis://:${PASSWORD}@127.0.0.1:${redis.port}`, prefix: uniquePrefix(), log, timing: QUICK });
    onTestFinished(queue.close);
    const told: unknown = await queue.tickets.issue({ ...ticket(jobId()), priority: 1 }).then(() => 'done', (error: unknown) => error);
    expect(told).toMatchObject({ code: 'queue_unavailable' });
    expect((told as Error).message).toContain(said);
    expect((told as Error).message).not.toContain(PASSWORD);
  });
});

// What API, workers and controllers do at start with a Redis that is too old, or set up in a way that loses tickets. The old one
// is a real one whose answers say another version.
import { type ChildProcess, fork } from 'node:child_process';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../api/cli/redis-server.js';
import { type RedisServer, startRedis } from '../../support/redis.js';
import { makeTempDir } from '../../support/temp.js';

const dist = join(import.meta.dirname, '../../../dist');
const PARTS = { api: 'api/main.js', worker: 'worker/main.js', controller: 'worker/controller/main.js' };

async function redisWith(args: readonly string[] = [], appendonly = true): Promise<RedisServer> {
  const redis = await startRedis({ appendonly, args });
  onTestFinished(redis.stop);
  return redis;
}

/** As long as the true version, because INFO says beforehand how long it is. */
const older = (info: string): string => info.replace(/(?<=redis_version:)[\d.]+/, (version) => `6.0.${'9'.repeat(version.length - 4)}`);

async function agedOn(port: number, redis: RedisServer): Promise<void> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const upstream = connect(redis.port, '127.0.0.1');
    for (const each of [socket, upstream]) sockets.add(each.on('error', () => undefined));
    socket.pipe(upstream);
    upstream.on('data', (data) => socket.write(Buffer.from(older(data.toString('latin1')), 'latin1')));
    upstream.on('close', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

async function start(part: keyof typeof PARTS, port: number): Promise<{ child: ChildProcess; said(): string; ready: Promise<'ready'>; ended: Promise<number | null> }> {
  const folder = await makeTempDir('start-check');
  const child = fork(join(dist, PARTS[part]), [], { cwd: folder.path, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PAWL_PORT: '0', PAWL_NOTICES: 'none', REDIS_URL: `redis://127.0.0.1:${port}` } });
  let text = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (data: Buffer) => (text += data.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const ready = new Promise<'ready'>((resolve) => child.on('message', ({ type }: { type: string }) => type === 'ready' && resolve('ready')));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    await folder.remove();
  });
  return { child, said: () => text, ready, ended };
}

const refusal = (port: number): RegExp => new RegExp(`^Redis 6\\.0\\.9+ is too old: at least 6\\.2 is needed: install Redis 7 or Valkey \\(REDIS_URL is redis://127\\.0\\.0\\.1:${port}\\)$`, 'm');

it.each(['api', 'worker', 'controller'] as const)('the %s does not start with a Redis that is too old', async (part) => {
  const port = await freePort();
  await agedOn(port, await redisWith());
  const { said, ready, ended } = await start(part, port);
  expect(await Promise.race([ready, ended])).toBe(2);
  expect(said()).toMatch(refusal(port));
});

it('one that is away is looked at when it comes', async () => {
  const port = await freePort();
  const { said, ready, ended } = await start('api', port);
  expect(await Promise.race([ready, ended])).toBe('ready');
  await agedOn(port, await redisWith());
  expect(await ended).toBe(2);
  expect(said()).toMatch(refusal(port));
});

it.each(['api', 'worker', 'controller'] as const)('the %s starts with one that may lose tickets, and says so once', async (part) => {
  const { port } = await redisWith(['--maxmemory-policy', 'allkeys-lru'], false);
  const { said, ready, ended } = await start(part, port);
  expect(await Promise.race([ready, ended])).toBe('ready');
  expect(said().match(/maxmemory-policy is allkeys-lru/g)).toHaveLength(1);
  expect(said().match(/appendonly is off/g)).toHaveLength(1);
});

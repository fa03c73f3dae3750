// `pawl up` and the demo ended in the middle of their start, as by Ctrl-C, a closed terminal or `kill -9`: nothing outlives them; and
// what is written down of its Redis, so that the next one finds it.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, readlink, rmdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findRedisServer } from '../../api/cli/redis-server.js';
import { isRunning, waitFor } from '../support/system.js';
import { makeTempDir, type TempDir } from '../support/temp.js';

const dist = join(import.meta.dirname, '../../dist');
/** By what they are started with. */
const PARTS = { Redis: /\bredis-server\b|\bvalkey-server\b/, 'the API': /api\/main\.js/, 'the worker': /worker\/main\.js/ } as const;
type Moment = keyof typeof PARTS;

let folder: TempDir;
const started: ChildProcess[] = [];
beforeEach(async () => {
  folder = await makeTempDir('interrupted');
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  for (const { pid } of await processes()) process.kill(pid, 'SIGKILL');
  await folder.remove();
});

/** Whatever runs in this test's folder, as all that `up` and the demo start does; Redis overwrites its environment. */
async function processes(): Promise<{ pid: number; command: string }[]> {
  const found: { pid: number; command: string }[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const place = await readlink(`/proc/${name}/cwd`).catch(() => '');
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (command !== '' && place.startsWith(folder.path)) found.push({ pid: Number(name), command: command.replaceAll('\0', ' ') });
  }
  return found;
}

interface Started {
  child: ChildProcess;
  said(): string;
  exited: Promise<number | string | null>;
}

function start(entry: string, args: readonly string[] = [], path = process.env['PATH']): Started {
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: path, TMPDIR: folder.path, PAWL_LOG_LEVEL: 'error' };
  for (const name of ['REDIS_URL', 'PAWL_STORE', 'PAWL_DATA_DIR']) delete env[name];
  const child = spawn(process.execPath, [join(dist, entry), ...args], { cwd: folder.path, env, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (text += data.toString()));
  return { child, said: () => text, exited: new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal))) };
}
const startUp = (path?: string): Started => start('api/cli/main.js', ['up', '--port', '0', '--data', join(folder.path, 'data')], path);

const appears = (moment: Moment): Promise<unknown> => waitFor(`${moment} appears`, async () => (await processes()).find(({ command }) => PARTS[moment].test(command)), 60_000);
const nothingRuns = (): Promise<unknown> => waitFor('nothing is left', async () => (await processes()).length === 0, 15_000).catch(async () => expect(await processes(), 'what is left').toEqual([]));

test.each([
  ['Redis', 'SIGINT'],
  ['Redis', 'SIGHUP'],
  ['the API', 'SIGINT'],
  ['the worker', 'SIGHUP'],
  ['the worker', 'SIGTERM'],
] as const)('`up`, while %s is just starting, by %s', async (moment, signal) => {
  const up = startUp();
  await appears(moment);
  up.child.kill(signal);
  expect(await up.exited).toBe(1);
  expect(up.said()).toBe('stopped before it was up\n');
  expect(await processes(), 'what is left').toEqual([]);
  expect(await readdir(join(folder.path, 'data'))).not.toContain('up.lock');
  expect(existsSync(join(folder.path, 'data/redis/redis.json'))).toBe(false);
});

test('`up` killed while its parts are just starting: all but Redis notice it', async () => {
  const up = startUp();
  await appears('the API');
  up.child.kill('SIGKILL');
  expect(await up.exited).toBe('SIGKILL');
  expect(up.said()).toBe('');
  const others = async (): Promise<string[]> => (await processes()).map(({ command }) => command).filter((command) => !PARTS.Redis.test(command));
  await waitFor('only Redis is left', async () => (await others()).length === 0, 40_000).catch(async () => expect(await others(), 'what is left').toEqual([]));
});

/** A Redis that takes as long to start as with a large log of writes. */
async function slowRedis(): Promise<string> {
  const server = join(folder.path, 'redis-server');
  await writeFile(server, `#!/bin/sh\nsleep 2\nexec ${await findRedisServer(process.env)} "$@"\n`);
  await chmod(server, 0o755);
  return `${folder.path}${delimiter}${process.env['PATH']}`;
}

test('`up` killed while its Redis does not answer yet: the next one ends that Redis', async () => {
  const up = startUp(await slowRedis());
  await appears('Redis');
  const record = await waitFor('it is written down', () => readFile(join(folder.path, 'data/redis/redis.json'), 'utf8').then((text) => JSON.parse(text) as { pid: number }, () => null), 1_000);
  up.child.kill('SIGKILL');
  expect(await up.exited).toBe('SIGKILL');
  expect(isRunning(record.pid), 'Redis was left behind').toBe(true);

  const next = startUp();
  await waitFor('the next one is up', () => Promise.resolve(next.said().includes('Pawl is up')), 60_000);
  expect(isRunning(record.pid), 'the Redis that was left behind').toBe(false);
  next.child.kill('SIGINT');
  expect(await next.exited).toBe(0);
});

test('a terminal that is closed ends a system that is up', async () => {
  const up = startUp();
  await waitFor('it is up', () => Promise.resolve(up.said().includes('Pawl is up')), 60_000);
  // What it says now can no longer be written.
  up.child.stdout!.destroy();
  up.child.stderr!.destroy();
  up.child.kill('SIGHUP');
  expect(await up.exited).toBe(0);
  expect(await processes(), 'what is left').toEqual([]);
});

test('an `up` that breaks takes its Redis with it', async () => {
  const up = startUp();
  up.child.stdout!.destroy(); // so it cannot say where it is
  await appears('the worker');
  expect(await up.exited).toBe(0);
  await nothingRuns();
});

describe('the record of Redis', () => {
  const redis = (): string => join(folder.path, 'data/redis');
  const redisPid = async (): Promise<number | undefined> => (await processes()).find(({ command }) => PARTS.Redis.test(command))?.pid;
  const isUp = ({ said }: Started): Promise<unknown> => waitFor('it is up', () => Promise.resolve(said().includes('Pawl is up')), 60_000);
  const end = async ({ child, exited }: Started): Promise<void> => {
    child.kill('SIGINT');
    expect(await exited).toBe(0);
  };

  test.each(['{"pid": 12', '{"pid": -1, "started": "1"}'])('that is %j keeps no `up` from starting', async (text) => {
    await mkdir(redis(), { recursive: true });
    await writeFile(join(redis(), 'redis.json'), text);
    const up = startUp();
    await isUp(up);
    expect(JSON.parse(await readFile(join(redis(), 'redis.json'), 'utf8'))).toMatchObject({ pid: await redisPid() });
    await end(up);
  });

  test('that cannot be written ends the start, and nothing is left', async () => {
    await mkdir(join(redis(), 'redis.json.new'), { recursive: true });
    const up = startUp();
    expect(await up.exited).toBe(1);
    expect(up.said()).toMatch(/^error: EISDIR.*redis\.json\.new'\n$/);
    expect(await processes(), 'what is left').toEqual([]);
  });

  test('that cannot be written for a while keeps a Redis that died away so long, and `up` goes on', async () => {
    const up = startUp();
    await isUp(up);
    await mkdir(join(redis(), 'redis.json.new'));
    process.kill((await redisPid())!, 'SIGKILL');
    await waitFor('it says so', () => Promise.resolve(/Redis ended \(SIGKILL\).*\n.*Redis cannot be started again: EISDIR/.test(up.said())));
    await rmdir(join(redis(), 'redis.json.new'));
    await waitFor('it is there again', async () => existsSync(join(redis(), 'redis.json')) && (await redisPid()));
    expect(up.child.exitCode).toBeNull();
    await end(up);
    expect(await processes(), 'what is left').toEqual([]);
  });
});

describe('the demo', () => {
  test.each([['Redis', 'SIGINT', 130], ['the API', 'SIGHUP', 129], ['the worker', 'SIGTERM', 143]] as const)('while %s is just starting, by %s', async (moment, signal, code) => {
    const demo = start('infra/demo/main.js');
    await appears(moment);
    demo.child.kill(signal);
    expect(await demo.exited).toBe(code);
    expect(demo.said()).toBe('Starting Redis, API, controller and a worker …\n');
    expect(await processes(), 'what is left').toEqual([]);
    expect(await readdir(folder.path)).toEqual([]);
  });
});

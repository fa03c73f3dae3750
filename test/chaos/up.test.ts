// `pawl up` as a user runs it, and everything of it killed at once in the middle of a window.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type Client, makeClient } from '../../api/client.js';
import { childrenOf, isRunning, waitFor } from '../support/system.js';
import { makeTempDir, type TempDir } from '../support/temp.js';
import { recipe, type Reference, undisturbed } from './recipe.js';

const CLI = join(import.meta.dirname, '../../dist/api/cli/main.js');
const spec = recipe();
let reference: Reference;
let folder: TempDir;
const started: ChildProcess[] = [];

beforeAll(async () => {
  reference = await undisturbed(spec);
});
afterEach(async () => {
  for (const up of started.splice(0)) if (up.exitCode === null && up.signalCode === null) await end(up);
  await folder.remove();
});

async function end(up: ChildProcess): Promise<void> {
  const exited = new Promise<void>((resolve) => up.once('exit', () => resolve()));
  up.kill('SIGINT');
  await exited;
}

async function startUp(args: readonly string[] = []): Promise<{ up: ChildProcess; client: Client }> {
  const env: NodeJS.ProcessEnv = { ...process.env, PAWL_LOG_LEVEL: 'error' };
  delete env['REDIS_URL'];
  delete env['PAWL_STORE'];
  const up = spawn(process.execPath, [CLI, 'up', '--port', '0', '--data', folder.path, ...args], { cwd: folder.path, env, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(up);
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    const read = (data: Buffer): void => {
      text += data.toString();
      const found = /Pawl is up at (\S+)/.exec(text)?.[1];
      if (found) resolve(found);
    };
    up.stdout.on('data', read);
    up.stderr.on('data', read);
    up.once('exit', () => reject(new Error(text)));
  });
  return { up, client: makeClient({ url }) };
}

async function treeOf(pid: number): Promise<number[]> {
  const children = await childrenOf(pid);
  return [pid, ...(await Promise.all(children.map(treeOf))).flat()];
}
const commandOf = async (pid: number): Promise<string> => (await import('node:fs/promises')).readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');

test('SIGKILL of the whole system: the next `up` goes on to the same bits', async () => {
  folder = await makeTempDir('up');
  const { up, client } = await startUp();
  const { job } = await client.submit(spec);
  await waitFor('it trains', async () => ((await client.job(job.id)).checkpoint?.micro_batches ?? 0) > 40, 60_000);
  const pids = await treeOf(up.pid!);
  const commands = await Promise.all(pids.map(commandOf));
  const doomed = pids.filter((_, index) => !/redis-server|valkey-server/.test(commands[index]!));
  expect(doomed.length, 'up, api, controller, worker, trainer').toBe(5);
  for (const pid of doomed) process.kill(pid, 'SIGKILL');
  await waitFor('all are dead', () => Promise.resolve(doomed.slice(1).every((pid) => !isRunning(pid)) && up.signalCode === 'SIGKILL'));
  const [redis] = pids.filter((_, index) => /redis-server|valkey-server/.test(commands[index]!));
  expect(isRunning(redis!), 'Redis was left behind').toBe(true);

  const { client: again } = await startUp();
  expect(isRunning(redis!), 'the Redis that was left behind is ended').toBe(false);
  const ended = await waitFor('it ends', async () => {
    const seen = await again.job(job.id);
    return seen.is_terminal && seen;
  }, 120_000);
  expect(ended.status).toBe('succeeded');
  expect(ended.result!.weights_sha256).toBe(reference.weights);
  expect(ended.result!.state_sha256).toBe(reference.state);
  expect(ended.attempts.length).toBeGreaterThanOrEqual(2);

  const verified = execFileSync(process.execPath, [CLI, 'verify', job.id, '--json'], { env: { ...process.env, PAWL_URL: again.url }, encoding: 'utf8' });
  expect(JSON.parse(verified)).toMatchObject({ id: job.id, same: true });
});

test('a data folder serves one `up` at a time', async () => {
  folder = await makeTempDir('up');
  await startUp();
  await expect(startUp()).rejects.toThrow(/is in use by process \d+/);
});

test('several workers run a job each, and Ctrl-C lets all of them commit', async () => {
  folder = await makeTempDir('up');
  await expect(startUp(['--workers', '0'])).rejects.toThrow('--workers: takes a number from 1 to 64, got 0');
  const { up, client } = await startUp(['--workers', '2']);
  const long = { ...spec, training: { ...spec.training, epochs: 1_000 }, checkpoint: { every_seconds: 3_600 } };
  const jobs = [await client.submit(long), await client.submit(long)].map(({ job }) => job.id);
  await waitFor('both train', async () => (await Promise.all(jobs.map((job) => client.job(job)))).every(({ progress }) => (progress?.micro_batches ?? 0) > 20), 60_000);
  expect(new Set((await client.workers()).data.flatMap(({ jobs: running }) => running))).toEqual(new Set(jobs));
  await end(up);
  const { client: again } = await startUp();
  for (const job of jobs) {
    const { attempts, checkpoint } = await again.job(job);
    expect(attempts[0]).toMatchObject({ end_reason: 'server_shutdown', wasted_micro_batches: 0 });
    expect(checkpoint!.micro_batches).toBeGreaterThan(20);
  }
});

test('what dies is started again', async () => {
  folder = await makeTempDir('up');
  const { up, client } = await startUp();
  const before = await treeOf(up.pid!);
  for (const pid of before.slice(1)) process.kill(pid, 'SIGKILL');
  await waitFor('the API answers', async () => client.ready().then(({ redis }) => redis === 'ok' || redis === 'connected', () => false), 30_000);
  const { job } = await client.submit({ ...spec, training: { ...spec.training, epochs: 1 } });
  await waitFor('a job succeeds', async () => (await client.job(job.id)).status === 'succeeded', 60_000);
});

test.each(['SIGHUP', 'SIGINT'] as const)('%s twice at once, as shells and npm pass it on, is one: what trains is committed', async (signal) => {
  folder = await makeTempDir('up');
  const { up, client } = await startUp();
  const { job } = await client.submit({ ...spec, training: { ...spec.training, epochs: 100_000 } });
  await waitFor('it trains', async () => (await client.job(job.id)).status === 'running' && (await client.updateRows(job.id, { limit: 1 })).data.length > 0, 60_000);
  const exited = new Promise<number | null>((resolve) => up.once('exit', resolve));
  up.kill(signal);
  await sleep(50);
  up.kill(signal);
  expect(await exited).toBe(0);

  const { client: again } = await startUp();
  const [attempt] = (await again.attempts(job.id, { limit: 1 })).data;
  expect(attempt).toMatchObject({ number: 1, end_reason: 'server_shutdown' });
  await again.verb(job.id, 'cancel');
});

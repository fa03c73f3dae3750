// The Redis that `up` owns: finding a server program, starting it on a free loopback port with its data in the data folder,
// and ending one that an earlier `up` left behind there. Two servers on one append-only file would lose data.
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { AppError } from '../../lib/errors.js';
import { startTime } from '../../lib/process-files.js';
import type { Environment } from './processes.js';

const PROGRAMS = ['redis-server', 'valkey-server'];
const START_MS = 15_000;
const END_MS = 10_000;
const RESTART_MS = 300;

/** On PATH, else where set-up puts one. @throws AppError invalid_request with the remedy */
export async function findRedisServer(env: Environment): Promise<string> {
  const cache = join(env['XDG_CACHE_HOME'] || join(env['HOME'] ?? homedir(), '.cache'), 'pawl', 'bin');
  for (const folder of [...(env['PATH'] ?? '').split(delimiter), cache]) {
    for (const program of PROGRAMS) {
      const path = join(folder, program);
      if (folder !== '' && (await access(path, constants.X_OK).then(() => true, () => false))) return path;
    }
  }
  throw new AppError('invalid_request', 'no Redis: set REDIS_URL, or put redis-server or valkey-server on the PATH (`npm run setup` installs one)');
}

export interface OwnedRedis {
  url: string;
  pid(): number;
  end(): Promise<void>;
}

interface Recorded {
  pid: number;
  /** As `ps` tells it, so that another process with the same number is not taken for it. */
  started: string;
}

/**
 * Starts it, and again on the same port whenever it dies.
 * @param folder for its append-only file; nobody else may use it meanwhile
 * @throws AppError queue_unavailable if it does not start
 */
export async function keepRedis(folder: string, configFile: string, env: Environment, onRestart: (why: string) => void): Promise<OwnedRedis> {
  const program = await findRedisServer(env);
  await mkdir(folder, { recursive: true });
  await endRecorded(folder);
  let ending = false;
  let server: Server | null = null;
  for (let tries = 0; server === null; tries++) {
    server = await startServer(program, folder, configFile, await freePort());
    // Somebody took the port in between; anything else will be the same next time.
    if (server === null && tries >= 2) throw new AppError('queue_unavailable', `Redis did not start; see ${join(folder, 'redis.log')}`);
  }
  const { port } = server;
  void (async () => {
    while (server !== null) {
      const how: string = await server.exited;
      if (ending) return;
      onRestart(how);
      do {
        await new Promise((resolve) => setTimeout(resolve, RESTART_MS));
        server = ending ? null : await startServer(program, folder, configFile, port);
      } while (server === null && !ending);
    }
  })();
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: () => server?.child.pid ?? -1,
    end: async () => {
      ending = true;
      if (server === null) return;
      server.child.kill('SIGTERM');
      const timer = setTimeout(() => server?.child.kill('SIGKILL'), END_MS);
      await server.exited;
      clearTimeout(timer);
      await rm(recordOf(folder), { force: true });
    },
  };
}

interface Server {
  child: ChildProcess;
  port: number;
  /** How it exited. */
  exited: Promise<string>;
}

/** Null if it exits or does not answer in time. */
async function startServer(program: string, folder: string, configFile: string, port: number): Promise<Server | null> {
  const log = await open(join(folder, 'redis.log'), 'a');
  // Of a process group of its own: Ctrl-C is for `up`, which ends Redis last.
  const child = spawn(program, [configFile, '--port', String(port), '--dir', folder], { stdio: ['ignore', log.fd, log.fd], detached: true });
  await log.close();
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });
  if (await answers(port, exited)) {
    await writeFile(recordOf(folder), JSON.stringify({ pid: child.pid!, started: await startTime(child.pid!) } satisfies Recorded));
    return { child, port, exited };
  }
  child.kill('SIGKILL');
  return null;
}

const recordOf = (folder: string): string => join(folder, 'redis.json');

/** Ends the server that an `up` which was killed left in this folder. */
async function endRecorded(folder: string): Promise<void> {
  const text = await readFile(recordOf(folder), 'utf8').catch(() => null);
  if (text === null) return;
  const { pid, started } = JSON.parse(text) as Recorded;
  if ((await startTime(pid)) === started) {
    process.kill(pid, 'SIGTERM');
    for (let waited = 0; (await startTime(pid)) === started; waited += 50) {
      if (waited > END_MS) process.kill(pid, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  await rm(recordOf(folder), { force: true });
}

/** A loopback port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether it says PONG before it exits or the time is up. */
async function answers(port: number, exited: Promise<unknown>): Promise<boolean> {
  let over = false;
  void exited.then(() => (over = true));
  for (const until = Date.now() + START_MS; !over && Date.now() < until; ) {
    const reply = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
      socket.setTimeout(1_000, () => socket.destroy());
      socket.once('data', (data) => {
        resolve(data.toString());
        socket.destroy();
      });
      socket.once('close', () => resolve(''));
      socket.once('error', () => resolve(''));
    });
    if (reply.startsWith('+PONG')) return true;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return false;
}

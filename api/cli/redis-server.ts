// The Redis that `up` owns: finding a server program, starting it on a free loopback port with its data in the data folder,
// and ending one that an earlier `up` left behind there. Two servers on one append-only file would lose data.
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, messageOf } from '../../lib/errors.js';
import { fateOf, identify, parseIdentity } from '../../lib/process-identity.js';
import type { Environment } from './processes.js';

const PROGRAMS = ['redis-server', 'valkey-server'];
const START_MS = 15_000;
const END_MS = 10_000;
/** Before it is started again, and twice as long after every try that fails. */
const RESTART_MS = 300;
const RESTART_MAX_MS = 5_000;

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

export interface RedisOptions {
  /** For its append-only file; nobody else may use it meanwhile. */
  folder: string;
  configFile: string;
  env: Environment;
  /** That it died, and what keeps it from starting again. */
  say(line: string): void;
  /** Breaks the start off; afterwards there is `end`. */
  signal?: AbortSignal | undefined;
}

/**
 * Starts it, and again on the same port whenever it dies. Whatever ends this process but SIGKILL ends it too.
 * @throws AppError queue_unavailable if it does not start, and the signal's reason; nothing runs then
 */
export async function keepRedis({ folder, configFile, env, say, signal }: RedisOptions): Promise<OwnedRedis> {
  const program = await findRedisServer(env);
  await mkdir(folder, { recursive: true });
  await endRecorded(folder, say, signal);
  const ending = new AbortController();
  const over = signal ? AbortSignal.any([signal, ending.signal]) : ending.signal;
  const start = (port: number): Promise<Server | null> => startServer(program, folder, configFile, port, over);
  let first: Server | null = null;
  for (let tries = 0; first === null; tries++) {
    first = await start(await freePort());
    signal?.throwIfAborted();
    // Somebody took the port in between; anything else will be the same next time.
    if (first === null && tries >= 2) throw new AppError('queue_unavailable', `Redis did not start; see ${join(folder, 'redis.log')}`);
  }
  const { port } = first;
  let server = first;
  const kept = (async () => {
    for (;;) {
      const how = await server.exited;
      if (over.aborted) return;
      say(`Redis ended (${how}); starting it again`);
      for (let next: Server | null = null, pauseMs = RESTART_MS; next === null; pauseMs = Math.min(2 * pauseMs, RESTART_MAX_MS)) {
        await sleep(pauseMs, undefined, { signal: over }).catch(() => undefined);
        if (over.aborted) return;
        next = await start(port).catch((error: unknown) => {
          say(`Redis cannot be started again: ${messageOf(error)}`);
          return null;
        });
        if (next) server = next;
      }
    }
  })();
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: () => server.child.pid ?? -1,
    end: async () => {
      ending.abort();
      const timer = setTimeout(() => server.child.kill('SIGKILL'), END_MS);
      await kept;
      clearTimeout(timer);
      await rm(recordOf(folder), { force: true });
    },
  };
}

interface Server {
  child: ChildProcess;
  /** How it exited. */
  exited: Promise<string>;
  port: number;
}

/**
 * Null if it exits, does not answer in time, or is told to end before it does; it does not run then.
 * @param over ends it, whenever that comes
 */
async function startServer(program: string, folder: string, configFile: string, port: number, over: AbortSignal): Promise<Server | null> {
  const log = await open(join(folder, 'redis.log'), 'a');
  // Of a process group of its own: Ctrl-C is for `up`, which ends Redis last.
  const child = spawn(program, [configFile, '--port', String(port), '--dir', folder], { stdio: ['ignore', log.fd, log.fd], detached: true });
  const end = (): void => void child.kill('SIGTERM');
  process.on('exit', end);
  over.addEventListener('abort', end);
  if (over.aborted) end();
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once('error', (error) => resolve(error.message));
  });
  void exited.then(() => {
    process.off('exit', end);
    over.removeEventListener('abort', end);
  });
  const endAtOnce = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
    await rm(recordOf(folder), { force: true });
  };
  try {
    await log.close();
    // Written down before it is waited for: if this process is killed meanwhile, the next `up` has to find it.
    if (child.pid !== undefined) await record(folder, child.pid);
    if ((await answers(port, exited, over)) && !over.aborted) return { child, port, exited };
  } catch (error) {
    await endAtOnce();
    throw error;
  }
  await endAtOnce();
  return null;
}

const recordOf = (folder: string): string => join(folder, 'redis.json');

/** By rename: a disk that is full, or a machine that goes down, leaves no half of it. */
async function record(folder: string, pid: number): Promise<void> {
  const unfinished = `${recordOf(folder)}.new`;
  await writeFile(unfinished, JSON.stringify(await identify(pid)));
  await rename(unfinished, recordOf(folder));
}

/** Ends the server that an `up` which was killed left in this folder. What cannot be read names none. */
async function endRecorded(folder: string, say: (line: string) => void, signal?: AbortSignal): Promise<void> {
  const recorded = parseIdentity(await readFile(recordOf(folder), 'utf8').catch(() => ''), await identify(process.pid));
  if (recorded === null) return;
  const { pid, host } = recorded;
  // The folder is held, so the `up` that started it is gone; its machine or container mostly with it, and nobody can ask.
  if ((await fateOf(recorded)) === 'elsewhere') say(`an \`up\` on ${host} that is gone had its Redis here: if that server (process ${pid} then) still runs there, end it`);
  for (let waited = 0; (await fateOf(recorded)) === 'running'; waited += 50) {
    try {
      if (waited === 0 || waited > END_MS) process.kill(pid, waited === 0 ? 'SIGTERM' : 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it went meanwhile
    }
    signal?.throwIfAborted();
    await sleep(50);
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

/** Whether it says PONG before it exits, is told to end, or the time is up. */
async function answers(port: number, exited: Promise<unknown>, over: AbortSignal): Promise<boolean> {
  let gone = false;
  void exited.then(() => (gone = true));
  for (const until = Date.now() + START_MS; !gone && !over.aborted && Date.now() < until; ) {
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

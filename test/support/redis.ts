// A real Redis for tests: one redis-server (or valkey-server) on a free loopback port with its own folder. It can be stopped,
// killed, frozen and started again on the same port, and is ended by its pid.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, mkdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { makeTempDir } from './temp.js';

const START_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 5_000;
const PORT_TRIES = 5;

export interface RedisServer {
  url: string;
  port: number;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Ends the process in an orderly way and removes its folder. */
  stop(): Promise<void>;
  /** SIGTERM; the folder stays. */
  end(): Promise<void>;
  /** SIGKILL; the folder stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port, ending it first if it runs; `empty` without what it held. */
  restart(options?: { empty?: boolean }): Promise<void>;
  /** SIGSTOP: it accepts connections and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** FLUSHALL. */
  flush(): Promise<void>;
}

export interface RedisServerOptions {
  /** Default true, as in production. */
  appendonly?: boolean;
  /** Instead of a temporary folder; it is not removed. */
  dir?: string;
  /** More of redis.conf, as arguments. */
  args?: readonly string[];
}

export async function startRedis({ appendonly = true, dir, args = [] }: RedisServerOptions = {}): Promise<RedisServer> {
  const binary = await findServer();
  if (binary === null) throw new Error('no redis-server or valkey-server on PATH or in the pawl cache (npm run setup says how to get one)');
  const temp = dir === undefined ? await makeTempDir('redis') : null;
  const folder = temp?.path ?? dir ?? '';
  const start = (port: number): Promise<ChildProcess> =>
    startProcess(binary, port, ['--dir', folder, '--appendonly', appendonly ? 'yes' : 'no', '--save', '', '--maxmemory-policy', 'noeviction', ...args]);

  const { child: first, port } = await onFreePort(start);
  let child = first;
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid ?? 0;
    },
    async stop() {
      await endProcess(child, 'SIGTERM');
      await temp?.remove();
    },
    end: () => endProcess(child, 'SIGTERM'),
    kill: () => endProcess(child, 'SIGKILL'),
    async restart({ empty = false } = {}) {
      await endProcess(child, 'SIGTERM');
      if (empty) {
        await rm(folder, { recursive: true, force: true });
        await mkdir(folder, { recursive: true });
      }
      child = await start(port);
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async flush() {
      const redis = new Redis(port, '127.0.0.1');
      await redis.flushall();
      redis.disconnect();
    },
  };
}

async function findServer(): Promise<string | null> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), join(cache, 'pawl', 'bin')];
  for (const folder of folders) {
    for (const name of ['redis-server', 'valkey-server']) {
      if (folder === '') continue;
      const path = join(folder, name);
      if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
    }
  }
  return null;
}

/** Between finding a port free and taking it somebody else may. */
async function onFreePort(start: (port: number) => Promise<ChildProcess>): Promise<{ child: ChildProcess; port: number }> {
  for (let tried = 1; ; tried += 1) {
    const port = await freePort();
    try {
      return { child: await start(port), port };
    } catch (error) {
      if (tried === PORT_TRIES) throw error;
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function startProcess(binary: string, port: number, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(binary, ['--port', String(port), '--bind', '127.0.0.1', '--protected-mode', 'no', '--daemonize', 'no', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const failed = once(child, 'error').then(([error]) => error as Error, () => null);
  const deadline = performance.now() + START_LIMIT_MS;
  while (performance.now() < deadline) {
    if (child.pid === undefined) throw (await failed) ?? new Error('redis-server did not start');
    if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}: ${said.slice(-500)}`);
    if (said.includes('eady to accept connections')) return child;
    await delay(5);
  }
  await endProcess(child, 'SIGKILL');
  throw new Error(`redis-server was not ready within ${START_LIMIT_MS} ms: ${said.slice(-500)}`);
}

async function endProcess(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  // A frozen process gets no other signal.
  child.kill('SIGCONT');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await ended;
  clearTimeout(timer);
}

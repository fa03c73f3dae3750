// A real S3 server for tests: one versitygw process over a temporary folder on a free loopback port.
// It can be killed and started again on the same data and port, and is ended by its pid.

import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeTempDir } from './temp.js';

const START_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 5_000;

export interface S3Server {
  endpoint: string;
  bucket: string;
  region: string;
  accessKey: string;
  secretKey: string;
  /** The folder whose subfolders are the buckets. */
  dataDir: string;
  /** Ends the process and removes its folders. */
  stop(): Promise<void>;
  /** SIGKILL; the data stays. */
  kill(): Promise<void>;
  /** Starts the server again on the same port and data, after `kill` or in place of the running one. */
  restart(): Promise<void>;
}

/** Whether a suite that needs S3 can run here. Says so loudly if not; with REQUIRE_S3=1 its absence is a failure. */
export async function s3ServerAvailable(): Promise<boolean> {
  if ((await findServer()) !== null) return true;
  const advice = 'no versitygw on PATH or in the pawl cache (npm run setup -- --s3 installs it)';
  if (process.env['REQUIRE_S3'] === '1') throw new Error(`REQUIRE_S3=1, but ${advice}`);
  console.warn(`\n*** S3 TESTS SKIPPED: ${advice} ***\n`);
  return false;
}

export interface S3ServerOptions {
  /**
   * Keeps metadata in files beside the objects. They change at another moment than the objects do, so that a read can
   * pair a body with the tag of the next one: such a server must be refused. Otherwise they are extended attributes.
   */
  sidecar?: boolean;
  /** Instead of a temporary folder; it is not removed. */
  dir?: string;
}

export async function startS3Server({ sidecar = false, dir }: S3ServerOptions = {}): Promise<S3Server> {
  const binary = await findServer();
  if (binary === null) throw new Error('versitygw was not found; call s3ServerAvailable() first');
  const folder = dir === undefined ? await makeTempDir('s3') : { path: dir, remove: () => Promise.resolve() };
  const dataDir = join(folder.path, 'data');
  const bucket = 'pawl';
  await mkdir(join(dataDir, bucket), { recursive: true });
  const port = await freePort();
  const accessKey = `test${randomBytes(6).toString('hex')}`;
  const secretKey = randomBytes(16).toString('hex');

  const beside = join(folder.path, 'sidecar');
  if (sidecar) await mkdir(beside);
  const start = (): Promise<ChildProcess> =>
    startProcess(binary, port, ['posix', ...(sidecar ? ['--sidecar', beside] : []), dataDir], {
      ROOT_ACCESS_KEY: accessKey,
      ROOT_SECRET_KEY: secretKey,
    });
  let child = await start().catch(async (error: unknown) => {
    await folder.remove();
    throw error;
  });

  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket,
    region: 'us-east-1',
    accessKey,
    secretKey,
    dataDir,
    stop: async () => {
      await endProcess(child, 'SIGTERM');
      await folder.remove();
    },
    kill: () => endProcess(child, 'SIGKILL'),
    restart: async () => {
      await endProcess(child, 'SIGKILL');
      child = await start();
    },
  };
}

async function findServer(): Promise<string | null> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), join(cache, 'pawl', 'bin')];
  for (const folder of folders) {
    if (folder === '') continue;
    const path = join(folder, 'versitygw');
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
  return null;
}

async function startProcess(
  binary: string,
  port: number,
  args: readonly string[],
  secrets: Record<string, string>,
): Promise<ChildProcess> {
  const child = spawn(binary, ['--quiet', '--keep-alive', '--port', `127.0.0.1:${port}`, ...args], {
    env: { ...process.env, ...secrets },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs); // where a test did not come to stop it
  child.once('exit', () => process.off('exit', endWithUs));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const failed = once(child, 'error').then(([error]) => error as Error, () => null);
  const deadline = performance.now() + START_LIMIT_MS;
  while (performance.now() < deadline) {
    if (child.pid === undefined) throw (await failed) ?? new Error('versitygw did not start');
    if (child.exitCode !== null) throw new Error(`versitygw ended with ${child.exitCode}: ${complaint}`);
    if (await accepts(port)) return child;
    await delay(20);
  }
  await endProcess(child, 'SIGKILL');
  throw new Error(`versitygw did not listen within ${START_LIMIT_MS} ms: ${complaint}`);
}

async function endProcess(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await ended;
  clearTimeout(timer);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

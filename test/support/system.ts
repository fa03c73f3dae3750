// A whole system of real processes for tests: Redis, a store (folder or S3 server), workers and a controller forked from
// dist/. What a test kills is really killed; whatever is left at the end is ended, and a test can ask that nothing was.
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { packageRoot } from '../../api/cli/package-root.js';
import { systemClock } from '../../lib/clock.js';
import type { AttemptEnd, AttemptStart, Head, Manifest } from '../../lib/contract/records.js';
import type { JobEvent, UpdateRow } from '../../lib/contract/rows.js';
import type { JobSpecInput } from '../../lib/contract/spec.js';
import type { Beginning } from '../../lib/jobs/beginnings.js';
import { readSegments } from '../../lib/jobs/history.js';
import { readHead } from '../../lib/jobs/head.js';
import { isTerminal } from '../../lib/jobs/lifecycle.js';
import { loadAttempts } from '../../lib/jobs/record.js';
import { resolveSpec } from '../../lib/jobs/spec/resolve.js';
import { BY_A_USER, submitJob } from '../../lib/jobs/submit.js';
import { childrenOf } from '../../lib/process-files.js';
import { connectQueue, type JobQueue } from '../../lib/queue/index.js';
import type { Store } from '../../lib/store/index.js';
import { openStore } from '../../lib/store/open.js';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';
import { type RedisServer, startRedis } from './redis.js';
import { type S3Server, startS3Server } from './s3-server.js';
import { makeTempDir } from './temp.js';
import { type Watcher, watchJob } from './watcher.js';

const dist = join(packageRoot(), 'dist');
export const TRAINER_ENTRY = join(dist, 'worker/trainer/main.js');

export interface Proc {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** With its exit code; null: by a signal. */
  exited: Promise<number | null>;
  isAlive(): boolean;
}

export interface TestSystem {
  folder: string;
  store: Store;
  queue: JobQueue;
  redis: RedisServer;
  s3: S3Server | null;
  storeUrl: string;
  env: Record<string, string>;
  startWorker(args?: readonly string[]): Promise<Proc>;
  startController(): Promise<Proc>;
  /** On a free port of loopback. */
  startApi(): Promise<Proc & { url: string }>;
  /** A command of `pawl` as a process, for the API at `url`. */
  pawl(url: string, args: readonly string[], env?: Record<string, string>): Promise<{ code: number | string; out: string; err: string }>;
  /** `beginning`: as an admission found it. */
  submit(spec: JobSpecInput, beginning?: Beginning | null, pauseAtUpdate?: number | null): Promise<string>;
  head(job: string): Promise<Head>;
  /** Polls HEAD until it satisfies; fails with the last one seen after `ms`. */
  until(job: string, what: string, satisfied: (head: Head) => boolean, ms?: number): Promise<Head>;
  terminal(job: string, ms?: number): Promise<Head>;
  attempts(job: string): Promise<{ start: AttemptStart; end: AttemptEnd | null }[]>;
  /** Committed update rows without `wall_time`. */
  rows(job: string): Promise<Omit<UpdateRow, 'wall_time'>[]>;
  events(job: string): Promise<JobEvent[]>;
  manifest(job: string): Promise<Manifest>;
  /** Ends everything; fails if a watcher saw an invariant of durability broken. */
  stop(): Promise<void>;
}

export { childrenOf };

/** A worker's trainer; between two attempts there may be none yet. */
export async function trainerOf(worker: Proc): Promise<number> {
  return waitFor('the worker has a trainer', async () => (await childrenOf(worker.pid))[0]);
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function waitFor<T>(what: string, look: () => Promise<T | null | undefined | false>, ms = 30_000): Promise<T> {
  const until = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > until) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function startTestSystem({ store: kind = 'file', env: extra = {}, storeUrl: givenStore }: { store?: 'file' | 's3'; env?: Record<string, string>; storeUrl?: string } = {}): Promise<TestSystem> {
  const temp = await makeTempDir('system');
  const redis = await startRedis();
  const s3 = kind === 's3' ? await startS3Server() : null;
  const storeUrl = givenStore ?? (s3 ? `s3://${s3.bucket}/jobs-of-test` : `file:${join(temp.path, 'store')}`);
  const s3Options = s3 ? { s3: { endpoint: s3.endpoint, region: s3.region, credentials: { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey } } } : {};
  const store = await openStore(storeUrl, s3Options);
  const prefix = `t${ulid().toLowerCase()}`;
  const queue = connectQueue({ url: redis.url, prefix });
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', PAWL_LOG_LEVEL: process.env['PAWL_TEST_LOG_LEVEL'] ?? 'error', REDIS_URL: redis.url, PAWL_QUEUE_PREFIX: prefix, PAWL_STORE: storeUrl, PAWL_DATA_DIR: join(temp.path, 'data'), PAWL_PORT: '0', PAWL_NOTICES: 'none',
    PAWL_DATA_ROOTS: join(packageRoot(), 'test/fixtures'),
    ...(s3 ? { S3_ENDPOINT: s3.endpoint, AWS_REGION: s3.region, AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: s3.secretKey } : {}),
    ...extra,
  };
  const procs: Proc[] = [];
  const watchers = new Map<string, Watcher>();

  async function start(entry: string, args: readonly string[], more: Record<string, string> = {}): Promise<Proc & { said: { url?: string } }> {
    const child: ChildProcess = fork(join(dist, entry), [...args], { env: { ...env, ...more }, cwd: temp.path, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    const proc: Proc = { pid: child.pid!, kill: (signal) => void child.kill(signal), exited, isAlive: () => child.exitCode === null && child.signalCode === null };
    procs.push(proc);
    const said = await new Promise<{ url?: string }>((resolve, reject) => {
      let complaint = '';
      child.on('message', (message: { type?: string; url?: string; message?: string }) => {
        if (message.type === 'ready') resolve(message);
        if (message.type === 'failed') complaint = message.message ?? '';
      });
      child.once('exit', (code, signal) => reject(new Error(`${entry} ended before it was ready (${signal ?? code}): ${complaint}`)));
    });
    return { ...proc, said };
  }

  const system: TestSystem = {
    folder: temp.path, store, queue, redis, s3, storeUrl, env,
    startWorker: (args = []) => start('worker/main.js', args),
    startController: () => start('worker/controller/main.js', []),
    startApi: async () => {
      const { said, ...proc } = await start('api/main.js', [], { PAWL_PORT: '0' });
      return { ...proc, url: said.url! };
    },
    pawl: (url, args, more = {}) =>
      new Promise((resolve) => {
        execFile(process.execPath, [join(dist, 'api/cli/main.js'), ...args], { env: { ...env, PAWL_URL: url, ...more }, cwd: temp.path }, (error, out, err) => resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? ''), out, err }));
      }),
    submit: async (input, beginning = null, pauseAtUpdate = null) => {
      const resolved = resolveSpec(input);
      if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
      const { record } = await submitJob({ store, clock: systemClock, tickets: queue.tickets, log: { warn: () => undefined } }, { id: `job_${ulid().toLowerCase()}`, spec: resolved.spec, origin: { ...BY_A_USER, pause_at_update: pauseAtUpdate }, beginning, principal: 'test', key: null, bodySha256: '' });
      watchers.set(record.id, watchJob(store, record.id));
      return record.id;
    },
    head: async (job) => (await readHead({ store }, job)).head,
    until: async (job, what, satisfied, ms = 60_000) => {
      let last: Head | null = null;
      return waitFor(`${job} ${what}`, async () => {
        last = await readHead({ store }, job).then(({ head }) => head, () => null);
        return last && satisfied(last) ? last : null;
      }, ms).catch((error: unknown) => {
        throw new Error(`${(error as Error).message}; HEAD: ${JSON.stringify(last && { ...last, retained: last.retained.length, events: last.events.slice(-3) })}`);
      });
    },
    terminal: async (job, ms = 120_000) => {
      const head = await system.until(job, 'ends', (seen) => isTerminal(seen.state), ms);
      // Its marker goes last: after that nothing more is written about this gen.
      await waitFor(`${job} is closed`, async () => (await store.head(`open/${job}.${head.gen}`)) === null);
      return head;
    },
    attempts: (job) => loadAttempts(store, job),
    rows: async (job) => (await readSegments<UpdateRow>(store, (await system.manifest(job)).rows.update)).map(({ wall_time: _wallTime, ...row }) => row),
    events: async (job) => [...(await readSegments<JobEvent>(store, (await system.manifest(job)).events)), ...(await system.head(job)).events],
    manifest: async (job) => JSON.parse((await store.get((await system.head(job)).manifest!))!.body.toString()) as Manifest,
    stop: async () => {
      const wrong: string[] = [];
      for (const [job, watcher] of watchers) wrong.push(...(await watcher.stop()).map((problem) => `${job}: ${problem}`));
      for (const proc of procs) {
        if (!proc.isAlive()) continue;
        proc.kill('SIGCONT');
        proc.kill('SIGTERM');
        const timer = setTimeout(() => proc.kill('SIGKILL'), 20_000);
        await proc.exited;
        clearTimeout(timer);
      }
      await queue.close();
      await store.close();
      await redis.stop();
      await s3?.stop();
      await temp.remove();
      if (wrong.length > 0) throw new Error(`seen from outside: ${wrong.join('; ')}`);
    },
  };
  return system;
}

/** On an S3 server, which every process that is started from now on reaches through a proxy; the caller stops that too. */
export async function startBehindFaultProxy(env: Record<string, string> = {}): Promise<{ system: TestSystem; proxy: FaultProxy }> {
  const system = await startTestSystem({ store: 's3', env });
  const proxy = await startFaultProxy(system.s3!.endpoint);
  system.env['S3_ENDPOINT'] = proxy.endpoint;
  return { system, proxy };
}

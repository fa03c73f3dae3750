// The whole system on one machine: Redis (unless REDIS_URL names one), API, controller and workers as processes of this one.
// What dies is started again; ending drains the workers first, so that nothing they did is lost.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../lib/config.js';
import { holdFolder } from './data-folder.js';
import { type Environment, type Kept, keepRunning, type Role } from './processes.js';
import { freePort, keepRedis } from './redis-server.js';

export interface SystemOptions {
  config: Config;
  env: Environment;
  /** redis.conf of the package. */
  redisConfig: string;
  /** Lines for people: what was started, what died. */
  say(line: string): void;
  /** Standard error of the processes: a file in the data folder, or ours. */
  logs: 'file' | 'inherit';
  /** 1 unless given. */
  workers?: number;
  /** Breaks the start off: what was started is ended, and the signal's reason thrown. */
  signal?: AbortSignal;
}

export interface System {
  url: string;
  redisUrl: string;
  pids(): Record<string, number | null>;
  /** In order: the workers commit, then the rest goes. */
  drain(): Promise<void>;
  /** At once. */
  kill(): Promise<void>;
}

/** What the processes log. */
export const logFile = ({ dataDir }: Pick<Config, 'dataDir'>): string => join(dataDir, 'pawl.log');

/** What a worker needs to end after the time in which its jobs are saved. */
const END_MS = 5_000;
const GO_MS = 5_000;

/** @throws AppError if the data folder is held by another, or a part does not start; nothing is left running then */
export async function startSystem({ config, env, redisConfig, say, logs, workers: count = 1, signal }: SystemOptions): Promise<System> {
  const letGo = await holdFolder(config.dataDir, { say, signal });
  const undo: (() => Promise<unknown>)[] = [letGo];
  try {
    const redis = config.redisUrl === null ? await keepRedis({ folder: join(config.dataDir, 'redis'), configFile: redisConfig, env, say, signal }) : null;
    if (redis) undo.unshift(() => redis.end());
    const redisUrl = redis?.url ?? config.redisUrl!;
    // Chosen once: an API that is started again has to be found where it was.
    const port = config.port === 0 ? await freePort() : config.port;
    const output = logs === 'inherit' ? null : await open(logFile(config), 'a');
    if (output) undo.unshift(() => output.close());
    const environment = { ...env, REDIS_URL: redisUrl, PAWL_STORE: config.store, PAWL_DATA_DIR: config.dataDir, PAWL_PORT: String(port), PAWL_HOST: config.host, PAWL_DATA_ROOTS: config.dataRoots.join(':') };
    signal?.throwIfAborted();
    const keep = (role: Role, args: readonly string[] = []): Kept => keepRunning({ role, args, env: environment, output: output?.fd ?? 'inherit', onRestart: (name, why) => say(`the ${name} ended (${why}); starting it again`) });
    const [api, controller] = [keep('api'), keep('controller')];
    const workers = Array.from({ length: count }, () => keep('worker'));
    const kept = [api, controller, ...workers];
    // A worker may have begun a job while another part was still starting.
    undo.unshift(() => Promise.all(kept.map((part) => part.end(GO_MS))));
    const [announced] = await orAborted(Promise.all([api.ready, ...kept.map(({ ready }) => ready)]), signal);
    const finish = async (): Promise<void> => {
      await redis?.end();
      await output?.close();
      await letGo();
    };
    return {
      url: String(announced['url']),
      redisUrl,
      pids: () => ({ api: api.pid(), controller: controller.pid(), ...Object.fromEntries(workers.map((worker, index) => [index === 0 ? 'worker' : `worker ${index + 1}`, worker.pid()])), redis: redis?.pid() ?? null }),
      drain: async () => {
        await Promise.all(workers.map((worker) => worker.end(config.signalGraceMs + END_MS)));
        await Promise.all([api.end(GO_MS), controller.end(GO_MS)]);
        await finish();
      },
      kill: async () => {
        await Promise.all(kept.map((part) => part.end(0)));
        await finish();
      },
    };
  } catch (error) {
    for (const step of undo) await step().catch(() => undefined);
    throw error;
  }
}

/** What comes first. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return Promise.race([work, new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))]);
}

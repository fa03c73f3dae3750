// A really running system for the benchmarks: Redis, API, controller and a worker with its trainers as `pawl up` starts them,
// on free ports of loopback, in a folder of its own on the checkout's disk; and the proof that nothing of it is left.
import { mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { packageRoot } from '../../api/cli/package-root.js';
import { startSystem, type System } from '../../api/cli/system.js';
import { makeClient } from '../../api/client.js';
import { readConfig } from '../../lib/config.js';
import { childrenOf, isRunning } from '../support/system.js';
import type { BenchSystem } from './benchmark.js';
import { sleep } from './jobs.js';
import type { Undo } from './undo.js';

const GONE_MS = 5_000;
/** Whatever is configured here, the benchmarks' Redis, store and port are their own. */
const OURS = /^(PAWL_|REDIS_URL$|S3_ENDPOINT$)/;

/** A folder on the checkout's disk: the one for temporary files may be memory. */
export async function makeFolder(undo: Undo): Promise<{ path: string; remove: () => Promise<void> }> {
  const parent = join(packageRoot(), '.bench');
  await mkdir(parent, { recursive: true });
  const path = await mkdtemp(join(parent, 'run-'));
  return { path, remove: undo.add(() => removeFolder(path)) };
}

async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
  // Somebody else's run may have its folder beside it.
  await rmdir(dirname(path)).catch(() => undefined);
}

export async function startBenchSystem(undo: Undo): Promise<BenchSystem> {
  const folder = await makeFolder(undo);
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name)));
  const env = { ...inherited, PAWL_PORT: '0', PAWL_DATA_DIR: folder.path, PAWL_DATA_ROOTS: folder.path, PAWL_LOG_LEVEL: 'warn' };
  const died: string[] = [];
  const options = { config: readConfig(env, folder.path), env, redisConfig: join(packageRoot(), 'infra/redis.conf'), say: (line: string): void => void died.push(line), logs: 'file' as const };
  // On an interruption the folder may be gone while the parts are still starting, and be made again by them.
  const system = await startSystem(options).catch(async (error: unknown) => {
    await removeFolder(folder.path);
    throw error;
  });
  const close = undo.add(async (interrupted) => {
    const processes = await processesOf(system);
    await (interrupted ? system.kill() : system.drain());
    await removeFolder(folder.path);
    const left = await outlasting(processes);
    if (left.length > 0) throw new Error(`processes of the system had to be killed: ${left.join(', ')}`);
    // A figure of a system whose parts were started again in between is none.
    if (died.length > 0 && !interrupted) throw new Error(died.join('; '));
  });
  const { api, worker } = system.pids();
  return { client: makeClient({ url: system.url }), pids: { api: api ?? -1, worker: worker ?? -1 }, redisUrl: system.redisUrl, store: options.config.store, close };
}

/** All parts and what they forked, as Linux tells it. */
async function processesOf(system: System): Promise<number[]> {
  const parts = Object.values(system.pids()).filter((pid) => pid !== null);
  return [...parts, ...(await Promise.all(parts.map(childrenOf))).flat()];
}

/** A trainer whose worker was killed goes by itself, a moment later. */
async function outlasting(pids: readonly number[]): Promise<number[]> {
  const deadline = performance.now() + GONE_MS;
  while (pids.some(isRunning) && performance.now() < deadline) await sleep(20);
  const left = pids.filter(isRunning);
  for (const pid of left) process.kill(pid, 'SIGKILL');
  return left;
}

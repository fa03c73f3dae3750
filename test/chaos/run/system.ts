// The whole system of a run, on loopback and in one temporary folder: Redis, the store, API, controller and workers, each with a
// way of its own to Redis and (where the store is S3) to the store, so that each can be cut off by itself. Looks at the store and at
// Redis past those ways.
import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { freePort } from '../../../api/cli/redis-server.js';
import { makeClient, type Client } from '../../../api/client.js';
import { connectQueue, type JobQueue } from '../../../lib/queue/index.js';
import type { Store } from '../../../lib/store/index.js';
import { openStore } from '../../../lib/store/open.js';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.js';
import { type RedisServer, startRedis } from '../../support/redis.js';
import { type S3Server, startS3Server } from '../../support/s3-server.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';
import { makeTempDir } from '../../support/temp.js';
import { PARTS, type StoreKind, WORKERS } from './kinds.js';
import { type Part, startPart } from './processes.js';

export interface ChaosSystem {
  folder: string;
  logFile: string;
  /** Where its processes put temporary files. */
  temporary: string;
  store: Store;
  /** Only to be asked which tickets exist: everything else would be a sign of life to those who listen. */
  queue: JobQueue;
  redis: RedisServer;
  s3: S3Server | null;
  /** By PARTS. */
  redisGates: readonly TcpProxy[];
  /** By PARTS; empty with a store in a folder. */
  storeGates: readonly FaultProxy[];
  api: Part;
  controller: Part;
  workers: readonly Part[];
  /** By PARTS. */
  parts: readonly Part[];
  url: string;
  /** Asks once and is told how it went. */
  client: Client;
  /** Attempts whose spool folders a worker's processes, past and present, have. */
  spools(worker: number): Promise<{ worker: string; attempts: string[] }[]>;
  /** Processes of this system, by where they put temporary files. */
  processes(): Promise<{ pid: number; command: string }[]>;
  /** In order; the folders stay. */
  end(): Promise<void>;
  remove(): Promise<void>;
}

const START_MS = 60_000;
const CLIENT_TIMEOUT_MS = 12_000;

export async function startSystem(kind: StoreKind): Promise<ChaosSystem> {
  const undo: (() => unknown)[] = [];
  const temp = await makeTempDir('chaos');
  undo.push(temp.remove);
  try {
    const redis = await startRedis();
    undo.push(() => redis.stop());
    const s3 = kind === 's3' ? await startS3Server({ dir: join(temp.path, 's3') }) : null;
    if (s3) undo.push(() => s3.stop());
    const storeUrl = s3 ? `s3://${s3.bucket}/chaos` : `file:${join(temp.path, 'store')}`;
    const credentials = s3 ? { accessKeyId: s3.accessKey, secretAccessKey: s3.secretKey } : undefined;
    const store = await openStore(storeUrl, s3 ? { s3: { endpoint: s3.endpoint, region: s3.region, credentials: credentials! } } : {});
    undo.push(() => store.close());
    const prefix = `c${ulid().toLowerCase()}`;
    const queue = connectQueue({ url: redis.url, prefix });
    undo.push(() => queue.close());

    const redisGates: TcpProxy[] = [];
    const storeGates: FaultProxy[] = [];
    for (const _ of PARTS) {
      const gate = await startTcpProxy(redis.port);
      redisGates.push(gate);
      undo.push(() => gate.stop());
      if (!s3) continue;
      const storeGate = await startFaultProxy(s3.endpoint);
      storeGates.push(storeGate);
      undo.push(() => storeGate.stop());
    }

    // By it everything that belongs to this run is found, and what it leaves behind.
    const mark = join(temp.path, 'tmp');
    const logFile = join(temp.path, 'pawl.log');
    await mkdir(mark);
    const log = await open(logFile, 'a');
    undo.push(() => log.close());
    const port = await freePort();
    const part = async (name: string, entry: string, more: Record<string, string> = {}): Promise<Part> => {
      const index = PARTS.indexOf(name);
      const cwd = join(temp.path, name);
      await mkdir(cwd);
      const env = {
        PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', TMPDIR: mark, PAWL_LOG_LEVEL: 'debug', PAWL_QUEUE_PREFIX: prefix, PAWL_STORE: storeUrl, PAWL_DATA_DIR: join(cwd, 'data'), PAWL_DATA_ROOTS: cwd, PAWL_NOTICES: 'none',
        REDIS_URL: `redis://127.0.0.1:${redisGates[index]!.port}`,
        ...(s3 ? { S3_ENDPOINT: storeGates[index]!.endpoint, AWS_REGION: s3.region, AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: s3.secretKey } : {}),
        ...more,
      };
      const started = startPart({ name, entry, env, cwd, logFd: log.fd });
      undo.push(() => started.end(0));
      return started;
    };
    const api = await part('api', 'api/main.js', { PAWL_PORT: String(port) });
    const controller = await part('controller', 'worker/controller/main.js');
    const workers: Part[] = [];
    for (let index = 0; index < WORKERS; index++) workers.push(await part(`worker-${index}`, 'worker/main.js'));
    const parts = [api, controller, ...workers];
    await Promise.all(parts.map((each) => each.ready(START_MS)));
    const url = `http://127.0.0.1:${port}`;

    return {
      folder: temp.path, logFile, temporary: mark, store, queue, redis, s3, redisGates, storeGates, api, controller, workers, parts, url,
      client: makeClient({ url, timeoutMs: CLIENT_TIMEOUT_MS, retryBudgetMs: 0 }),
      spools: async (worker) => {
        const root = join(temp.path, `worker-${worker}`, 'data', 'spool');
        const ids = await readdir(root).catch(() => []);
        return Promise.all(ids.map(async (id) => ({ worker: id, attempts: (await readdir(join(root, id)).catch(() => [])).filter((name) => /^[0-9a-f]{24}$/.test(name)) })));
      },
      processes: () => processesWith(`TMPDIR=${temp.path}/`),
      end: async () => {
        // Workers first, that they may commit.
        await Promise.all(workers.map((each) => each.end(40_000)));
        await Promise.all([api.end(10_000), controller.end(10_000)]);
        while (undo.length > 1) await undo.pop()!();
      },
      remove: async () => void (await Promise.all(undo.splice(0).map((step) => step()))),
    };
  } catch (error) {
    while (undo.length > 0) await Promise.resolve(undo.pop()!()).catch(() => undefined);
    throw error;
  }
}

async function processesWith(mark: string): Promise<{ pid: number; command: string }[]> {
  const found: { pid: number; command: string }[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (!environment.split('\0').some((entry) => entry.startsWith(mark))) continue;
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    // A process that has ended and was not asked for yet has none.
    if (command !== '') found.push({ pid: Number(name), command: command.replaceAll('\0', ' ').trim() });
  }
  return found;
}

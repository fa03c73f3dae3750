// A real API for tests: file store in a temporary folder, a queue over a real Redis (or over a port where nothing listens), and the
// server; jobs in it are owned as a worker would own them.
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { ulid } from 'ulid';
import { onTestFinished } from 'vitest';
import type { JobResult } from '../../lib/contract/records.js';
import type { JobEvent, UpdateRow } from '../../lib/contract/rows.js';
import type { JobSpecInput } from '../../lib/contract/spec.js';
import { systemClock } from '../../lib/clock.js';
import type { DataBuckets } from '../../lib/data/object-locations.js';
import { silentLog } from '../../lib/log.js';
import { connectQueue, type JobQueue } from '../../lib/queue/index.js';
import { makeFileStore } from '../../lib/store/file.js';
import type { Store } from '../../lib/store/index.js';
import type { Decider } from '../../lib/sweeps/decider.js';
import { buildServer } from '../../api/server.js';
import type { Limits, ServerTiming } from '../../api/deps.js';
import { INPUTS, ownJob, type TestOwner } from './owner.js';
import { makeTempDir } from './temp.js';

/** Nothing listens on the discard port. */
export const NO_REDIS = 'redis://127.0.0.1:9';

export const SPEC: JobSpecInput = {
  name: 'digits',
  data: { type: 'builtin', name: 'digits', normalize: 'unit', validation: { split: 0.2 } },
  model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] },
  training: { batch_size: 10, accum_iters: 5, epochs: 2 },
};

export interface TestApi {
  app: FastifyInstance;
  store: Store;
  queue: JobQueue;
  /** Where files of data may lie. */
  dataRoot: string;
  storeFolder: string;
  /** Listens on a free port of loopback; the address. */
  listen(): Promise<string>;
  /** Every key in the store. */
  keys(): Promise<string[]>;
  submit(spec?: object): Promise<string>;
  own(job: string, worker?: string): Promise<TestOwner>;
}

export interface TestApiOptions {
  redisUrl?: string;
  wrapStore?: (store: Store) => Store;
  tokens?: string[];
  corsOrigins?: string[];
  host?: string;
  timing?: Partial<ServerTiming>;
  buckets?: DataBuckets;
  lookMs?: number;
  limits?: Partial<Limits>;
  decider?: Decider;
}

export async function startApi(options: TestApiOptions = {}): Promise<TestApi> {
  const folder = await makeTempDir('api');
  const dataRoot = join(folder.path, 'data');
  const storeFolder = join(folder.path, 'store');
  await mkdir(dataRoot);
  const plain = await makeFileStore({ root: storeFolder });
  const store = options.wrapStore ? options.wrapStore(plain) : plain;
  const prefix = `t${ulid().toLowerCase()}`;
  const queue = connectQueue({ url: options.redisUrl ?? NO_REDIS, prefix, timing: { beatEveryMs: 100, deadAfterMs: 2_000 } });
  // Nothing depends on it but the tests, which look at Redis directly.
  if (options.redisUrl !== undefined) await queue.check();
  const app = buildServer({
    store,
    queue,
    clock: systemClock,
    log: silentLog,
    places: { roots: [dataRoot], buckets: options.buckets ?? null, ...(options.lookMs === undefined ? {} : { lookMs: options.lookMs }) },
    limits: { openJobs: 100_000, requestsPerMinute: null, ...options.limits },
    version: 'test',
    decider: options.decider ?? null,
    security: { tokens: options.tokens ?? [], corsOrigins: options.corsOrigins ?? [], host: options.host ?? '127.0.0.1' },
    timing: { streamPollMs: 50, ...options.timing },
  });
  onTestFinished(async () => {
    await app.close();
    if (options.redisUrl !== undefined) await queue.reset().catch(() => undefined);
    await queue.close();
    await folder.remove();
  });
  await app.ready();
  return {
    app,
    store: plain,
    queue,
    dataRoot,
    storeFolder,
    listen: () => app.listen({ host: '127.0.0.1', port: 0 }),
    keys: async () => {
      const keys: string[] = [];
      for await (const { key } of plain.list('')) keys.push(key);
      return keys;
    },
    submit: async (spec = SPEC) => {
      const answer = await app.inject({ method: 'POST', url: '/v1/jobs', payload: spec });
      if (answer.statusCode !== 201) throw new Error(`submit: ${answer.statusCode} ${answer.body}`);
      return answer.json<{ id: string }>().id;
    },
    own: (job, worker = 'wrk_test') => ownJob(plain, queue, job, worker),
  };
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
export const row = (update: number, loss = 1 / update): UpdateRow => ({ update, loss, accuracy: 0.5, regularization: 0, lr: 0.001, grad_norm: 1, samples: 50, wall_time: 1_700_000_000 + update });

export function resultWith(weights: Buffer, updates: number): JobResult {
  return {
    weights_sha256: sha256(weights), state_sha256: 'a'.repeat(64), metrics: { loss: 0.1, accuracy: 0.9 }, validation: null, updates, unused_micro_batches: 0, skipped_windows: 0, stopped_by: 'epochs', engine: 'tensorflow', numerics_class: INPUTS.numerics_class, numerics: 'strict',
  };
}

/** Waits for a condition, not for a time. */
export async function until<T>(what: string, look: () => Promise<T | null | undefined | false>, limitMs = 10_000): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await systemClock.sleep(10);
  }
}

export const event = (id: number, type: JobEvent['type'] = 'epoch.completed'): JobEvent => ({ id, type, at: new Date(1_700_000_000_000 + id).toISOString(), attempt: 1, message: `event ${id}`, data: {} });

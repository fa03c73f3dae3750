// A real API for tests: file store in a temporary folder, a queue over a real Redis (or over a port where nothing listens), the
// server, and somebody who owns a job as a worker would: by claiming, committing and beating with the project's own code.
import { startCursor } from '../../lib/training/cursor.js';
import { startMonitor } from '../../lib/training/monitor.js';
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { ulid } from 'ulid';
import { onTestFinished } from 'vitest';
import type { Progress } from '../../lib/contract/job.js';
import type { Head, Inputs, JobResult } from '../../lib/contract/records.js';
import type { EpochRow, JobEvent, UpdateRow } from '../../lib/contract/rows.js';
import type { JobSpecInput } from '../../lib/contract/spec.js';
import { systemClock } from '../../lib/clock.js';
import type { DataBuckets } from '../../lib/data/object-locations.js';
import { makeCommitter } from '../../lib/jobs/commit.js';
import { claimJob, type Claim } from '../../lib/jobs/head.js';
import { attemptEnded, type Ending, NOTHING_DONE, pinned } from '../../lib/jobs/lifecycle.js';
import type { OwnerPhase } from '../../lib/jobs/status.js';
import { handOver } from '../../lib/jobs/handover.js';
import { runLimits } from '../../lib/jobs/reconcile.js';
import { closeAttempt, openAttempt, requireRecord } from '../../lib/jobs/record.js';
import { silentLog } from '../../lib/log.js';
import { connectQueue, type JobQueue } from '../../lib/queue/index.js';
import { makeFileStore } from '../../lib/store/file.js';
import type { Store } from '../../lib/store/index.js';
import { buildServer } from '../../api/server.js';
import type { Limits, ServerTiming } from '../../api/deps.js';
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
  limits?: Partial<Limits>;
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
    places: { roots: [dataRoot], buckets: options.buckets ?? null },
    limits: { openJobs: 100_000, requestsPerMinute: null, ...options.limits },
    version: 'test',
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

export interface TestOwner {
  claim: Claim;
  /** The job's own counts of a commit's state are made from these. */
  commit(at: { updates: number; microBatches: number; windowPosition?: number; weights?: Buffer; rows?: UpdateRow[]; epochs?: EpochRow[]; events?: JobEvent[]; end?: Ending }): Promise<Head>;
  beat(phase: OwnerPhase, progress?: Partial<Progress>): Promise<void>;
  /** Live, as a worker says them before any commit; ids follow HEAD's. */
  say(...events: JobEvent[]): Promise<void>;
  report(rows: UpdateRow[], epochs?: EpochRow[]): Promise<void>;
  /** Without a commit. */
  end(ending: Ending): Promise<Head>;
}

const INPUTS: Inputs = { data_sha256: 'd'.repeat(64), init_sha256: null, numerics_class: 'tensorflow/test', engine: 'tensorflow', train_samples: null, mixed: false };
export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
export const row = (update: number, loss = 1 / update): UpdateRow => ({ update, loss, accuracy: 0.5, regularization: 0, lr: 0.001, grad_norm: 1, samples: 50, wall_time: 1_700_000_000 + update });

async function ownJob(store: Store, queue: JobQueue, job: string, worker: string): Promise<TestOwner> {
  const record = await requireRecord(store, job);
  const deps = { store, clock: systemClock, log: silentLog, tickets: queue.tickets };
  const outcome = await claimJob(deps, { job, worker, ticket: null, limits: runLimits(record), isLive: () => Promise.resolve(false), account: () => Promise.resolve(NOTHING_DONE) });
  if (outcome.kind !== 'claimed') throw new Error(`not claimed: ${outcome.kind}`);
  const { claim } = outcome;
  await openAttempt(store, job, { number: claim.number, attempt: claim.attempt, worker, fence: claim.fence, started_at: systemClock.now().toISOString(), queue_ms: 5 });
  await claim.write((head) => pinned(head, INPUTS, { from: null, at: 0 }));
  const committer = makeCommitter(deps, claim, null);
  const stamp = { job, attempt: claim.attempt, number: claim.number, worker, gen: claim.gen, fence: claim.fence };
  const conclude = async (head: Head, ending: Ending): Promise<Head> => {
    await closeAttempt(store, job, {
      number: claim.number, attempt: claim.attempt, closed_by: worker, ended_at: systemClock.now().toISOString(), end_reason: ending.kind === 'completed' ? 'completed' : ending.reason, engine: 'tensorflow', device: 'cpu',
      resumed_from: null, executed_micro_batches: 10, wasted_micro_batches: 0, peak_memory_mib: 100, numerics_class: INPUTS.numerics_class, timings: { queue_ms: 5, load_ms: 1, warmup_ms: 1, train_ms: 1, save_ms: 1 },
    });
    await queue.heartbeats.end(job, claim.attempt).catch(() => undefined);
    await handOver(deps, record, head);
    return head;
  };
  return {
    claim,
    commit: async ({ updates, microBatches, windowPosition = 0, weights = Buffer.from(`weights ${updates}`), rows = [], epochs = [], events = [], end }) => {
      const sums = { samples: 0, micro_batches: 0, loss: 0, correct: 0, top_k_correct: 0 };
      const cursor = { ...startCursor(), position: microBatches * record.spec.training.batch_size, window_position: windowPosition, micro_batches: microBatches, updates };
      const { head } = await committer.commit({
        state: { cursor, window: { ...sums, micro_batches: windowPosition }, epoch: sums, monitor: startMonitor() },
        blobs: [{ role: 'weights', read: () => Promise.resolve(weights) }],
        updateRows: rows,
        epochRows: epochs,
        events,
        inputs: INPUTS,
        specSha256: 'e'.repeat(64),
        keepLast: 2, keepBest: null, best: null,
        final: null,
        checkpointId: `ckpt_${ulid().toLowerCase()}`,
        ...(end ? { ending: (current: Head) => attemptEnded(current, end, NOTHING_DONE, runLimits(record), systemClock.now()) } : {}),
      });
      return end ? conclude(head, end) : head;
    },
    beat: async (phase, progress) => {
      await queue.heartbeats.beat({ ...stamp, phase, progress: progress ? { ...IDLE, ...progress } : null });
    },
    say: async (...events) => {
      await queue.journal.append(job, stamp, events);
    },
    report: async (rows, epochs = []) => {
      await queue.rows.put(job, stamp, rows, epochs);
    },
    end: async (ending) => conclude(await claim.write((head) => attemptEnded(head, ending, NOTHING_DONE, runLimits(record), systemClock.now())), ending),
  };
}

const IDLE: Progress = { epoch: 0, position: 0, micro_batches: 0, window_position: 0, updates: 0, total_updates: null, samples: 0, loss: null, metrics: {}, samples_per_second: null, eta_seconds: null, percent: 0 };

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

// Somebody who owns a job as a worker would: by claiming, committing, beating and saying events with the project's own code.
import { ulid } from 'ulid';
import type { Progress } from '../../lib/contract/job.js';
import type { Head, Inputs } from '../../lib/contract/records.js';
import type { EpochRow, JobEvent, UpdateRow } from '../../lib/contract/rows.js';
import { systemClock } from '../../lib/clock.js';
import { makeCommitter } from '../../lib/jobs/commit.js';
import { handOver } from '../../lib/jobs/handover.js';
import { claimJob, type Claim } from '../../lib/jobs/head.js';
import { attemptEnded, type Ending, NOTHING_DONE, pinned } from '../../lib/jobs/lifecycle.js';
import { runLimits } from '../../lib/jobs/reconcile.js';
import { closeAttempt, openAttempt, requireRecord } from '../../lib/jobs/record.js';
import type { OwnerPhase } from '../../lib/jobs/status.js';
import { silentLog } from '../../lib/log.js';
import type { JobQueue } from '../../lib/queue/index.js';
import type { Store } from '../../lib/store/index.js';
import { startCursor } from '../../lib/training/cursor.js';
import { startMonitor } from '../../lib/training/monitor.js';

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

export const INPUTS: Inputs = { data_sha256: 'd'.repeat(64), init_sha256: null, numerics_class: 'tensorflow/test', engine: 'tensorflow', train_samples: null, mixed: false };
const IDLE: Progress = { epoch: 0, position: 0, micro_batches: 0, window_position: 0, updates: 0, total_updates: null, samples: 0, loss: null, metrics: {}, samples_per_second: null, eta_seconds: null, percent: 0 };

export async function ownJob(store: Store, queue: JobQueue, job: string, worker: string): Promise<TestOwner> {
  const record = await requireRecord(store, job);
  const deps = { store, clock: systemClock, log: silentLog, tickets: queue.tickets };
  const outcome = await claimJob(deps, { job, worker, ticket: null, limits: runLimits(record), isLive: () => Promise.resolve(false), account: () => Promise.resolve(NOTHING_DONE), sharedNow: () => Promise.resolve(new Date()) });
  if (outcome.kind !== 'claimed') throw new Error(`not claimed: ${outcome.kind}`);
  const { claim } = outcome;
  await openAttempt(store, job, { number: claim.number, attempt: claim.attempt, worker, fence: claim.fence, started_at: systemClock.now().toISOString(), detect_ms: 0, queue_ms: 5 });
  await claim.write((head) => pinned(head, INPUTS, { from: null, at: 0 }));
  const committer = makeCommitter({ ...deps, onDamaged: () => undefined }, claim, null);
  const stamp = { job, attempt: claim.attempt, number: claim.number, worker, gen: claim.gen, fence: claim.fence };
  const conclude = async (head: Head, ending: Ending): Promise<Head> => {
    await closeAttempt(store, job, {
      number: claim.number, attempt: claim.attempt, closed_by: worker, ended_at: systemClock.now().toISOString(), end_reason: ending.kind === 'completed' ? 'completed' : ending.reason, engine: 'tensorflow', device: 'cpu',
      resumed_from: null, executed_micro_batches: 10, executed_seconds: 1, wasted_micro_batches: 0, wasted_seconds: 0, peak_memory_mib: 100, numerics_class: INPUTS.numerics_class, timings: { detect_ms: 0, queue_ms: 5, load_ms: 1, warmup_ms: 1, train_ms: 1, save_ms: 1 },
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
        state: { cursor, window: { ...sums, micro_batches: windowPosition }, epoch: sums, last_epoch: null, monitor: startMonitor() },
        blobs: [{ role: 'weights', read: () => Promise.resolve(weights) }],
        updateRows: rows,
        epochRows: epochs,
        events,
        inputs: INPUTS,
        specSha256: 'e'.repeat(64),
        keepLast: 2, keepBest: null, best: null,
        final: null,
        trainSeconds: 1,
        saveSeconds: () => 0.1,
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

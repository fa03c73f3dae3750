// The job object from its parts: spec, HEAD, the owner's signs and live progress. Pure assembly; reading is elsewhere.
import type { Attempt, Checkpoint, Job, JobListItem, Progress } from '../contract/job.js';
import type { AttemptEnd, AttemptStart, Head, JobRecord, RetainedCommit } from '../contract/records.js';
import { TERMINAL_STATUSES, type JobStatus } from '../contract/job.js';
import { bestCheckpointMs, expectedLifetimeMs } from '../training/checkpoint-interval.js';
import { type OwnerSigns, statusOf } from './status.js';

/** What Redis knows of a job beyond HEAD. */
export interface LiveFacts {
  signs: OwnerSigns;
  /** Of the current attempt; null if there is none or it has not reported. */
  progress: Progress | null;
}

const isTerminalStatus = (status: JobStatus): boolean => (TERMINAL_STATUSES as readonly JobStatus[]).includes(status);

export function checkpointView(commit: RetainedCommit): Checkpoint {
  return { id: commit.id, object: 'checkpoint', micro_batches: commit.micro_batches, updates: commit.updates, window_position: commit.window_position, committed_at: commit.committed_at, bytes: commit.bytes, bytes_written: commit.bytes_written, best: commit.best, sha256: commit.manifest_sha256 };
}

const NO_PROGRESS: Progress = { epoch: 0, position: 0, micro_batches: 0, window_position: 0, updates: 0, total_updates: null, samples: 0, loss: null, metrics: {}, samples_per_second: null, eta_seconds: null, percent: 0 };

/** Progress as far as HEAD knows it: the latest commit's counts. */
function committedProgress(head: Head, record: JobRecord): Progress {
  const commit = head.retained.at(-1);
  const done = head.state === 'succeeded' && head.result !== null;
  return {
    ...NO_PROGRESS,
    micro_batches: commit?.micro_batches ?? 0,
    window_position: commit?.window_position ?? 0,
    updates: commit?.updates ?? 0,
    total_updates: done ? head.result!.updates : null,
    samples: (commit?.micro_batches ?? 0) * record.spec.training.batch_size,
    loss: head.result?.metrics['loss'] ?? null,
    metrics: head.result ? Object.fromEntries(Object.entries(head.result.metrics).filter(([name]) => name !== 'loss')) : {},
    percent: done ? 100 : 0,
  };
}

/** What was computed, kept or not, as far as HEAD knows it. */
function workOf({ counters, owner, retained }: Head): Job['work'] {
  const done = retained.at(-1)?.micro_batches ?? 0;
  const executed = { micro_batches: counters.executed_micro_batches + (owner ? Math.max(0, done - owner.resumed_at) : 0), seconds: counters.executed_seconds + (owner?.train_seconds ?? 0) };
  const saveSeconds = counters.commits === 0 ? null : counters.save_seconds / counters.commits;
  return {
    executed,
    kept: { micro_batches: done, seconds: Math.max(0, executed.seconds - counters.wasted_seconds) },
    losses: counters.losses,
    save_seconds: saveSeconds,
    best_checkpoint_seconds: saveSeconds === null ? null : bestCheckpointMs(saveSeconds * 1_000, expectedLifetimeMs(counters)) / 1_000,
  };
}

/** A job as lists show it. */
export function jobListItem(record: JobRecord, head: Head, live: LiveFacts, now: Date): JobListItem {
  const status = statusOf(head, live.signs, record.spec.run.start_after, now);
  const latest = head.retained.at(-1);
  const committed = committedProgress(head, record);
  // Live progress may be behind (a stale cache) or ahead (not yet committed); a job that succeeded has what was committed.
  const known = live.progress ?? committed;
  const { epoch, position, samples } = known;
  const progress = head.state === 'succeeded' ? { ...committed, epoch, position, samples } : known;
  return {
    id: record.id,
    object: 'job',
    name: record.spec.name,
    status,
    status_reason: status === 'cancelled' || status === 'paused' ? (head.reason ?? head.want.cause) : head.reason,
    status_message: head.message,
    created_at: record.created_at,
    started_at: head.started_at,
    finished_at: head.finished_at,
    progress,
    waste: { micro_batches: head.counters.wasted_micro_batches, seconds: head.counters.wasted_seconds },
    work: workOf(head),
    checkpoint: latest ? checkpointView(latest) : null,
    result: head.result,
    error: head.error,
    tags: record.spec.run.tags,
    sweep: record.sweep,
    schedule: record.schedule,
    is_terminal: isTerminalStatus(status),
  };
}

export function jobView(record: JobRecord, head: Head, live: LiveFacts, attempts: Attempt[], now: Date): Job {
  return { ...jobListItem(record, head, live, now), spec: record.spec, attempts };
}

/** One attempt from its two records; figures are null while it runs. */
export function attemptView(start: AttemptStart, end: AttemptEnd | null): Attempt {
  return {
    id: `${start.number}`,
    object: 'attempt',
    number: start.number,
    worker: start.worker,
    engine: end?.engine ?? null,
    device: end?.device ?? null,
    fence: start.fence,
    started_at: start.started_at,
    ended_at: end?.ended_at ?? null,
    end_reason: end?.end_reason ?? null,
    resumed_from: end?.resumed_from ?? null,
    executed_micro_batches: end?.executed_micro_batches ?? null,
    kept_micro_batches: end && end.executed_micro_batches - end.wasted_micro_batches,
    wasted_micro_batches: end?.wasted_micro_batches ?? null,
    executed_seconds: end?.executed_seconds ?? null,
    kept_seconds: end && Math.max(0, end.executed_seconds - end.wasted_seconds),
    wasted_seconds: end?.wasted_seconds ?? null,
    peak_memory_mib: end?.peak_memory_mib ?? null,
    numerics_class: end?.numerics_class ?? null,
    timings: end ? end.timings : { detect_ms: start.detect_ms, queue_ms: start.queue_ms, load_ms: null, warmup_ms: null, train_ms: null, save_ms: null },
  };
}

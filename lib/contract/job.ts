// The job as the API shows it, and the objects inside it.
import Type, { type Static } from 'typebox';
import { closed, Count, idOf, nullable, oneOf, Tags, Timestamp } from './common.js';
import { JobFailure, JobResult, STATUS_REASONS } from './records.js';
import type { JobSpec } from './spec.js';

export const JOB_STATUSES = [
  'scheduled', 'queued', 'starting', 'running', 'preempting', 'recovering', 'pausing', 'paused', 'cancelling', 'succeeded', 'failed', 'cancelled', 'expired',
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];
export const TERMINAL_STATUSES = ['succeeded', 'failed', 'cancelled', 'expired'] as const satisfies readonly JobStatus[];

const Float = nullable(Type.Number());
export const Progress = Type.Object(
  {
    epoch: Count,
    position: Count,
    micro_batches: Count,
    window_position: Count,
    updates: Count,
    total_updates: nullable(Count),
    samples: Count,
    loss: Float,
    metrics: Type.Unsafe<Record<string, number | null>>({ type: 'object', additionalProperties: { anyOf: [{ type: 'number' }, { type: 'null' }] } }),
    samples_per_second: Float,
    eta_seconds: Float,
    percent: Type.Number({ minimum: 0, maximum: 100 }),
  },
  closed,
);
export type Progress = Static<typeof Progress>;

export const Checkpoint = Type.Object(
  {
    id: idOf('ckpt'),
    object: Type.Literal('checkpoint'),
    micro_batches: Count,
    updates: Count,
    window_position: Count,
    committed_at: Timestamp,
    bytes: Count,
    /** keep_best's metric, where it is one of the best; else null. */
    best: nullable(Type.Number()),
    sha256: Type.String(),
  },
  closed,
);
export type Checkpoint = Static<typeof Checkpoint>;

export const Attempt = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('attempt'),
    number: Count,
    worker: Type.String(),
    engine: nullable(Type.String()),
    device: nullable(Type.String()),
    fence: Count,
    started_at: Timestamp,
    ended_at: nullable(Timestamp),
    end_reason: nullable(Type.String()),
    resumed_from: nullable(Type.String()),
    executed_micro_batches: nullable(Count),
    wasted_micro_batches: nullable(Count),
    peak_memory_mib: Float,
    numerics_class: nullable(Type.String()),
    timings: Type.Object({ queue_ms: nullable(Count), load_ms: nullable(Count), warmup_ms: nullable(Count), train_ms: nullable(Count), save_ms: nullable(Count) }, closed),
  },
  closed,
);
export type Attempt = Static<typeof Attempt>;

const Waste = Type.Object({ micro_batches: Count, seconds: Type.Number({ minimum: 0 }) }, closed);

const listed = {
  id: idOf('job'),
  object: Type.Literal('job'),
  name: nullable(Type.String()),
  status: oneOf(JOB_STATUSES),
  status_reason: nullable(oneOf(STATUS_REASONS)),
  status_message: nullable(Type.String()),
  created_at: Timestamp,
  started_at: nullable(Timestamp),
  finished_at: nullable(Timestamp),
  progress: Progress,
  waste: Waste,
  checkpoint: nullable(Checkpoint),
  result: nullable(JobResult),
  error: nullable(JobFailure),
  tags: Tags,
  sweep: Type.Null(),
  schedule: Type.Null(),
  is_terminal: Type.Boolean(),
};
/** A job in a list: without spec and attempts. */
export const JobListItem = Type.Object(listed, closed);
export type JobListItem = Static<typeof JobListItem>;
export const Job = Type.Object({ ...listed, spec: Type.Unsafe<JobSpec>({ type: 'object' }), attempts: Type.Array(Attempt) }, closed);
export type Job = Static<typeof Job>;

/** What a dry run answers. Everything but the spec is null where the data cannot be read here. */
export const DryRun = Type.Object(
  {
    object: Type.Literal('dry_run'),
    spec: Type.Unsafe<JobSpec>({ type: 'object' }),
    parameters: nullable(Type.Object({ trainable: Count, non_trainable: Count }, closed)),
    total_updates: nullable(Count),
    /** Of the largest checkpoint, one inside a window. */
    checkpoint_bytes: nullable(Count),
    /** Tensors at the peak, without the data set and the engine's own memory. */
    memory_bytes: nullable(Count),
  },
  closed,
);
export type DryRun = Static<typeof DryRun>;

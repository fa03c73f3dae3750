// The job as the API shows it, and the objects inside it.
import Type, { type Static } from 'typebox';
import { closed, Count, countOf, idOf, nullable, oneOf, Tags, Timestamp, toldOf } from './common.js';
import { JobFailure, JobResult, ScheduleReference, StatusReasonTold, SweepReference } from './records.js';
import type { JobSpec } from './spec.js';

export const JOB_STATUSES = [
  'scheduled', 'queued', 'starting', 'running', 'preempting', 'recovering', 'pausing', 'paused', 'cancelling', 'succeeded', 'failed', 'cancelled', 'expired',
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];
export const TERMINAL_STATUSES = ['succeeded', 'failed', 'cancelled', 'expired'] as const satisfies readonly JobStatus[];

const STATUSES_TOLD: Readonly<Record<JobStatus, string>> = {
  scheduled: 'waits for `run.start_after`',
  queued: 'waits for a worker',
  starting: 'a worker has it and loads what it needs',
  running: 'it is trained',
  preempting: 'its worker has been told that it ends, and saves',
  recovering: 'its worker gives no sign of life; another one will go on with it',
  pausing: 'it is to be paused, and its worker still has it',
  paused: 'it waits until it is resumed',
  cancelling: 'it is to be cancelled or killed, and its worker still has it',
  succeeded: 'it is over, and there is a `result`',
  failed: 'it is over, and `error` says why',
  cancelled: 'it is over, because somebody wanted that',
  expired: 'it is over: it had not started by `run.start_before`',
};

const Float = nullable(Type.Number());
export const Progress = Type.Object(
  {
    epoch: countOf('epochs completed'),
    position: countOf('samples into the epoch'),
    micro_batches: countOf('micro-batches that the state is made of'),
    window_position: countOf('micro-batches in the open window; 0: none is open'),
    updates: countOf('optimizer steps'),
    total_updates: nullable(Count, { description: 'of the whole training; null where the data could not be read yet' }),
    samples: countOf('samples trained on, each as often as it was'),
    loss: nullable(Type.Number(), { description: 'the latest that is known' }),
    metrics: Type.Unsafe<Record<string, number | null>>({ type: 'object', additionalProperties: { anyOf: [{ type: 'number' }, { type: 'null' }] }, description: 'the latest that are known' }),
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
    window_position: countOf('micro-batches in the open window; 0: none is open'),
    committed_at: Timestamp,
    bytes: countOf('of its files'),
    bytes_written: countOf('of them, what it added to the checkpoints before it: inside a window only the gradients that it holds are new'),
    best: nullable(Type.Number(), { description: "keep_best's metric, where it is one of the best; else null" }),
    sha256: Type.String({ description: 'of its manifest, which has those of its files' }),
  },
  closed,
);
export type Checkpoint = Static<typeof Checkpoint>;

const Seconds = Type.Number({ minimum: 0 });

export const Attempt = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('attempt'),
    number: Count,
    worker: Type.String(),
    engine: nullable(Type.String()),
    device: nullable(Type.String()),
    fence: countOf('grows with every attempt: an older one can no longer commit'),
    started_at: Timestamp,
    ended_at: nullable(Timestamp),
    end_reason: nullable(Type.String()),
    resumed_from: nullable(Type.String(), { description: 'the checkpoint; null: from the beginning' }),
    executed_micro_batches: nullable(Count),
    kept_micro_batches: nullable(Count, { description: 'of them, those that are in a checkpoint' }),
    wasted_micro_batches: nullable(Count, { description: 'executed and not kept; of a worker that vanished at least so many' }),
    executed_seconds: nullable(Seconds, { description: 'of training, without loading, waiting and saving' }),
    kept_seconds: nullable(Seconds),
    wasted_seconds: nullable(Seconds),
    peak_memory_mib: Float,
    numerics_class: nullable(Type.String(), { description: 'engine, versions, device and whatever else the bits depend on' }),
    timings: Type.Object(
      {
        detect_ms: nullable(Count, { description: 'from the last sign of life of the attempt before it, where that one vanished, until the job was put in the line again' }),
        queue_ms: nullable(Count, { description: 'in the line' }),
        load_ms: nullable(Count, { description: 'data, checkpoint and program' }),
        warmup_ms: nullable(Count),
        train_ms: nullable(Count),
        save_ms: nullable(Count),
      },
      closed,
    ),
  },
  closed,
);
export type Attempt = Static<typeof Attempt>;

const amount = (description: string) => Type.Object({ micro_batches: Count, seconds: Seconds }, { ...closed, description });
const Waste = amount('executed and not kept, over all attempts');
const Work = Type.Object(
  {
    executed: amount('by attempts that ended, and by the present one up to its last checkpoint'),
    kept: amount('what the last checkpoint holds of it'),
    losses: countOf('attempts that ended without a last checkpoint, and unasked'),
    save_seconds: nullable(Seconds, { description: 'mean time from a snapshot to its checkpoint' }),
    best_checkpoint_seconds: nullable(Seconds, { description: 'the interval between checkpoints that would lose least, from 5 s to 10 min, by the mean time of a save and the losses (Young); `every_seconds: "auto"` goes by the same with the time of the last save' }),
  },
  { ...closed, description: 'what was computed, and how often to save it' },
);

const listed = {
  id: idOf('job'),
  object: Type.Literal('job'),
  name: nullable(Type.String()),
  status: oneOf(JOB_STATUSES, { description: toldOf(STATUSES_TOLD) }),
  status_reason: StatusReasonTold,
  status_message: nullable(Type.String(), { description: '`status_reason` in words' }),
  created_at: Timestamp,
  started_at: nullable(Timestamp),
  finished_at: nullable(Timestamp),
  progress: Progress,
  waste: Waste,
  work: Work,
  checkpoint: nullable(Checkpoint),
  result: nullable(JobResult),
  error: nullable(JobFailure),
  tags: Tags,
  sweep: nullable(SweepReference, { description: 'the sweep that it is a trial of' }),
  schedule: nullable(ScheduleReference, { description: 'the schedule that started it, and for which of its times' }),
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
    checkpoint_bytes: nullable(Count, { description: 'of the largest checkpoint, one inside a window' }),
    memory_bytes: nullable(Count, { description: "tensors at the peak, without the data set and the engine's own memory" }),
  },
  closed,
);
export type DryRun = Static<typeof DryRun>;

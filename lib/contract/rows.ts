// Rows of the two metric series, the events of a job's journal, and the lines of its log.
import Type, { type Static } from 'typebox';
import { Count, Timestamp } from './common.js';

/** A float, null when it is not finite (JSON has no NaN). */
const Float = Type.Union([Type.Number(), Type.Null()]);

/** One optimizer step. A redone update overwrites its row. */
export const UpdateRow = Type.Object({
  update: Count,
  /** Data loss of the window, weighted as `reduction` says. */
  loss: Float,
  accuracy: Type.Optional(Float),
  top_k_accuracy: Type.Optional(Float),
  regularization: Float,
  lr: Float,
  /** Global norm of the window's gradient before clipping. */
  grad_norm: Float,
  samples: Count,
  /** Seconds since the epoch; the one field in which a redone row may differ. */
  wall_time: Type.Number(),
});
export type UpdateRow = Static<typeof UpdateRow>;

export const EpochRow = Type.Object({
  epoch: Count,
  updates: Count,
  loss: Float,
  accuracy: Type.Optional(Float),
  top_k_accuracy: Type.Optional(Float),
  val_loss: Type.Optional(Float),
  val_accuracy: Type.Optional(Float),
  val_top_k_accuracy: Type.Optional(Float),
  lr: Float,
});
export type EpochRow = Static<typeof EpochRow>;

export const EVENT_TYPES = [
  'job.submitted', 'job.queued', 'attempt.started', 'attempt.training', 'attempt.ended', 'checkpoint.committed', 'checkpoint.failed', 'checkpoint.fallback',
  'job.preempting', 'job.pausing', 'job.paused', 'job.resumed', 'job.cancelling', 'epoch.completed', 'job.succeeded', 'job.failed', 'job.cancelled', 'job.expired', 'job.retried',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** One line of a job's journal. `id` is monotone within a job, not dense. */
export const JobEvent = Type.Object({
  id: Count,
  type: Type.Unsafe<EventType>({ type: 'string', enum: EVENT_TYPES }),
  at: Timestamp,
  /** The attempt's number, where there is one. */
  attempt: Type.Union([Count, Type.Null()]),
  message: Type.String(),
  data: Type.Unsafe<Record<string, unknown>>({ type: 'object' }),
});
export type JobEvent = Static<typeof JobEvent>;

export const LOG_LEVELS = ['info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a worker said about a job. `id` is monotone within a job, not dense. */
export const LogLine = Type.Object({
  id: Count,
  at: Timestamp,
  level: Type.Unsafe<LogLevel>({ type: 'string', enum: LOG_LEVELS }),
  source: Type.Unsafe<'supervisor' | 'trainer'>({ type: 'string', enum: ['supervisor', 'trainer'] }),
  attempt: Count,
  message: Type.String(),
});
export type LogLine = Static<typeof LogLine>;

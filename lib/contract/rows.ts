// Rows of the two metric series, the events of a job's journal, and the lines of its log.
import Type, { type Static } from 'typebox';
import { Count, countOf, nullable, Timestamp } from './common.js';

/** A float, null when it is not finite (JSON has no NaN). */
const Float = Type.Union([Type.Number(), Type.Null()]);

/** One optimizer step. A redone update overwrites its row. */
export const UpdateRow = Type.Object({
  update: Count,
  loss: nullable(Type.Number(), { description: 'of the data, over the window, weighted as `reduction` says' }),
  accuracy: Type.Optional(Float),
  top_k_accuracy: Type.Optional(Float),
  regularization: nullable(Type.Number(), { description: "the regularizers' penalty" }),
  lr: Float,
  grad_norm: nullable(Type.Number(), { description: "the global norm of the window's gradient, before clipping" }),
  samples: countOf('in the window'),
  wall_time: Type.Number({ description: 'seconds since 1970; the one field in which a redone row may differ' }),
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
  'job.submitted', 'job.queued', 'attempt.started', 'attempt.training', 'attempt.ended', 'checkpoint.committed', 'checkpoint.failed', 'checkpoint.fallback', 'history.damaged',
  'job.preempting', 'job.pausing', 'job.paused', 'job.resumed', 'job.cancelling', 'epoch.completed', 'job.succeeded', 'job.failed', 'job.cancelled', 'job.expired', 'job.retried',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** One line of a job's journal. */
export const JobEvent = Type.Object({
  id: countOf('grows within a job, with gaps'),
  type: Type.Unsafe<EventType>({ type: 'string', enum: EVENT_TYPES }),
  at: Timestamp,
  attempt: nullable(Count, { description: "the attempt's number, where there is one" }),
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

// What the API answers beside jobs: workers, the queue, a dry run, lists, errors. Schemas and their types.
import Type, { type Static, type TSchema } from 'typebox';
import { closed, Count, countOf, nullable, oneOf, Timestamp } from './common.js';

export const Worker = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('worker'),
    engine: nullable(Type.String()),
    device: nullable(Type.String()),
    slots: countOf('jobs that it can run at a time'),
    jobs: Type.Array(Type.String(), { description: 'ids of the jobs that it runs' }),
    draining: Type.Boolean(),
    uncommitted_seconds: Type.Number({ minimum: 0, description: 'of training that no checkpoint has yet, all its jobs together: what is lost if it vanishes now' }),
    drain_rank: Type.Integer({ minimum: 1, description: 'which to drain first where there are too many: those that drain already, idle ones, those whose jobs have least uncommitted, and last those with a job that came within the last two minutes' }),
    started_at: Timestamp,
    silent_seconds: Type.Number({ minimum: 0, description: 'since its last sign of life' }),
    host: Type.String(),
    pid: Count,
    version: Type.String(),
  },
  closed,
);
export type WorkerView = Static<typeof Worker>;

export const Queue = Type.Object(
  {
    object: Type.Literal('queue'),
    depth: countOf('jobs that a worker could take now'),
    delayed: countOf('jobs whose time has not come: start_after, or the pause after a failure'),
    active: Count,
    oldest_wait_seconds: nullable(Type.Number({ minimum: 0 })),
    desired_workers: countOf('workers that all jobs that run, wait, or are due within a minute would keep busy, each worker with as many as the live ones take; paused jobs and later ones do not count'),
  },
  closed,
);
export type QueueView = Static<typeof Queue>;

export const Health = Type.Object({ status: Type.Literal('ok'), version: Type.String() }, closed);
export const Readiness = Type.Object({ status: oneOf(['ready', 'unavailable']), store: oneOf(['ok', 'away']), redis: Type.String() }, closed);

export const ErrorBody = Type.Object(
  {
    error: Type.Object(
      {
        type: Type.String(),
        code: Type.String(),
        message: Type.String(),
        param: nullable(Type.String(), { description: 'the field, in dotted form' }),
        request_id: Type.String(),
        details: Type.Array(Type.Object({ param: Type.String(), message: Type.String() }, closed)),
      },
      closed,
    ),
  },
  closed,
);
export type ErrorBody = Static<typeof ErrorBody>;

/** A page of anything; `last_id` is what `after` takes for the next one. */
export const listOf = (item: TSchema) => Type.Object({ object: Type.Literal('list'), data: Type.Array(item), has_more: Type.Boolean(), last_id: Type.Union([Type.String(), Count, Type.Null()]) }, closed);

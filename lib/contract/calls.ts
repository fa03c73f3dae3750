// What the API answers beside jobs: workers, the queue, a dry run, lists, errors. Schemas and their types.
import Type, { type Static, type TSchema } from 'typebox';
import { closed, Count, nullable, oneOf, Timestamp } from './common.js';

export const Worker = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal('worker'),
    engine: nullable(Type.String()),
    device: nullable(Type.String()),
    /** Jobs it can run at a time. */
    slots: Count,
    /** Ids of the jobs it runs. */
    jobs: Type.Array(Type.String()),
    draining: Type.Boolean(),
    started_at: Timestamp,
    /** Since its last sign of life. */
    silent_seconds: Type.Number({ minimum: 0 }),
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
    /** Jobs that a worker could take now. */
    depth: Count,
    /** Jobs whose time has not come: start_after, or a pause after a failure. */
    delayed: Count,
    active: Count,
    oldest_wait_seconds: nullable(Type.Number({ minimum: 0 })),
    /** Workers that everything waiting and running would keep busy. */
    desired_workers: Count,
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
        /** The field, in dotted form. */
        param: nullable(Type.String()),
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

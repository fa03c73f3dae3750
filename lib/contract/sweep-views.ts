// Sweeps and their trials as the API shows them. Their spec is in sweep.ts; what the store holds, in lib/sweeps/events.ts.
import Type, { type Static, type TSchema } from 'typebox';
import { closed, Count, countOf, idOf, nullable, oneOf, Timestamp } from './common.js';
import { ScheduleReference } from './records.js';
import type { SweepSpec } from './sweep.js';

export const SWEEP_STATUSES = ['running', 'pausing', 'paused', 'suspending', 'suspended', 'stopping', 'cancelling', 'succeeded', 'stopped', 'cancelled', 'failed'] as const;
export type SweepStatus = (typeof SWEEP_STATUSES)[number];
export const TRIAL_STATUSES = ['waiting', 'running', 'paused', 'succeeded', 'pruned', 'failed', 'cancelled'] as const;
export type TrialStatus = (typeof TRIAL_STATUSES)[number];

const SWEEP = 'swp_01k3z5m8w2q4r6t8v0x2y4z6a8';
const TRIAL_ID = `${SWEEP}.3`;
const EARLIER = 'swp_01k3w2m4n6p8q0r2s4t6v8w0x2';
const PARAMS = { lr: 0.0127, 'training.accum_iters': 2 };

const trialId = Type.String({ description: 'the id of the sweep, a dot, and the number of the trial' });
const Params = Type.Unsafe<Record<string, unknown>>({ type: 'object', description: 'by the names of the parameters' });
const Value = nullable(Type.Number());
/** What a decision goes by: rung, rank and cutoff, or where parameters were drawn from; of each rule something else. */
const anything = (description: string) => Type.Unsafe<Record<string, unknown>>({ type: 'object', description });
const Warnings = Type.Array(Type.Object({ param: Type.String({ description: 'the field, in dotted form' }), message: Type.String() }, closed), { description: 'what is allowed, and perhaps not what was meant; what is served otherwise than it says' });
const spec = Type.Unsafe<SweepSpec>({ type: 'object', description: 'the resolved spec: every default written' });

const listed = {
  id: idOf('swp'),
  object: Type.Literal('sweep'),
  name: nullable(Type.String()),
  status: oneOf(SWEEP_STATUSES, { description: 'what is wanted and not done yet ends in -ing' }),
  is_terminal: Type.Boolean(),
  best: nullable(Type.Object({ trial_id: trialId, params: Params, value: Type.Number() }, closed), { description: 'of the trials that ran to their end; of all that have a value, while there is none' }),
  counts: Type.Object(Object.fromEntries(TRIAL_STATUSES.map((status) => [status, Count])) as Record<TrialStatus, typeof Count>, { ...closed, description: 'trials by their status' }),
  created_at: Timestamp,
  finished_at: nullable(Timestamp),
};
const LISTED = { id: SWEEP, object: 'sweep', name: 'nightly', status: 'running', is_terminal: false, best: { trial_id: TRIAL_ID, params: PARAMS, value: 0.131 }, counts: { waiting: 0, running: 2, paused: 5, succeeded: 1, pruned: 9, failed: 0, cancelled: 0 }, created_at: '2026-01-31T12:00:00.000Z', finished_at: null };

/** A sweep in a list. */
export const SweepListItem = Type.Object(listed, { ...closed, examples: [LISTED] });
export type SweepListItem = Static<typeof SweepListItem>;

const limit = (schema: TSchema, description: string) => Type.Unsafe<number | null>({ anyOf: [schema, { type: 'null' }], description });
const Budget = Type.Object(
  {
    spent: Type.Object({ compute_seconds: Type.Number({ minimum: 0, description: 'time in attempts, of all trials together' }), wall_clock: Type.Number({ minimum: 0, description: 'seconds since the sweep began, until its end' }), failed: countOf('trials that failed') }, closed),
    limits: Type.Object({ compute_seconds: limit(Type.Number(), 'null: none'), wall_clock: limit(Type.Number(), 'seconds; null: none'), max_failed: limit(Count, 'null: none'), max_concurrent: limit(Count, 'null: 4, any number of external trials, or the whole population of pbt') }, closed),
  },
  closed,
);
export const SweepRung = Type.Object(
  {
    bracket: Count,
    resource: countOf('updates, or samples, at which trials are looked at'),
    trials: countOf('trials that came here'),
    waiting: countOf('of them, those that wait here and may still go on'),
    best: nullable(Type.Number(), { description: 'the best value here' }),
  },
  closed,
);
export type SweepRung = Static<typeof SweepRung>;

const WarmStarted = Type.Object(
  {
    from: nullable(idOf('swp'), { description: 'the sweep that was looked at; null: the schedule had started none' }),
    best: nullable(trialId, { description: 'the trial whose parameters became a first trial' }),
    imported: countOf('trials that count for the sampler as if they were of this sweep'),
  },
  closed,
);

export const Sweep = Type.Object(
  {
    ...listed,
    why: nullable(anything('what it ended by'), { description: 'why it is over: all trials were, a target, a budget, or what somebody said; null while it is not' }),
    budget: Budget,
    rungs: Type.Array(SweepRung, { description: 'as far as trials came' }),
    schedule: nullable(ScheduleReference, { description: 'the schedule that started it, and for which of its times' }),
    warm_start: nullable(WarmStarted, { description: 'what it took from another sweep when it began; null where its spec names none' }),
    warnings: Warnings,
    spec,
  },
  {
    ...closed,
    examples: [
      {
        ...LISTED,
        why: null,
        budget: { spent: { compute_seconds: 412.5, wall_clock: 230.1, failed: 0 }, limits: { compute_seconds: 3600, wall_clock: null, max_failed: 10, max_concurrent: 2 } },
        rungs: [{ bracket: 0, resource: 50, trials: 17, waiting: 5, best: 0.402 }, { bracket: 0, resource: 150, trials: 5, waiting: 0, best: 0.131 }],
        schedule: null,
        warm_start: { from: EARLIER, best: `${EARLIER}.7`, imported: 31 },
        warnings: [],
        spec: { method: 'tpe', metric: { name: 'val_loss', goal: 'minimize' } },
      },
    ],
  },
);
export type Sweep = Static<typeof Sweep>;

export const TRIAL_EXAMPLE = {
  id: TRIAL_ID, object: 'trial', number: 3, params: PARAMS, status: 'paused', bracket: 0, fork: null, step: 50, up_to: 50, value: 0.402, values: [{ step: 50, value: 0.402 }], job_id: 'job_01k3z5m8w2q4r6t8v0x2y4z6a8', client: null, started_at: '2026-01-31T12:01:00.000Z', ended_at: null,
  why: [{ event: 2, decision: 'start', sampler: 'random', draw: 0 }],
};
export const Trial = Type.Object(
  {
    id: trialId,
    object: Type.Literal('trial'),
    number: countOf('from 0, in the order of their beginnings'),
    params: Params,
    status: oneOf(TRIAL_STATUSES, { description: '`paused`: at a rung, from where it may go on; `waiting`: it goes on once the sweep is resumed' }),
    bracket: Count,
    fork: nullable(Type.Object({ trial_id: trialId, step: Count }, closed), { description: 'pbt: the trial with whose whole state it began, and at which step; null: it began by itself' }),
    step: nullable(Count, { description: 'the last one that a value is known of' }),
    up_to: nullable(Count, { description: 'the step that it goes to, or waits at; null: its own end' }),
    value: { ...Value, description: 'the last one that is known' },
    values: Type.Array(Type.Object({ step: Count, value: Value }, closed), { description: 'at the rungs that it came to; of an external trial all that were told' }),
    job_id: nullable(idOf('job'), { description: 'null: it has not been submitted yet, or is an external one' }),
    client: nullable(Type.String(), { description: 'of an external trial: who was given it last; null: nobody by name' }),
    started_at: Timestamp,
    ended_at: nullable(Timestamp, { description: 'null while it is not over' }),
    why: Type.Array(Type.Unsafe<{ event: number; decision: string } & Record<string, unknown>>({ type: 'object', required: ['event', 'decision'], properties: { event: { ...Count, description: 'the entry of the log that it followed from' }, decision: oneOf(['start', 'fail', 'go_on', 'prune', 'complete', 'cancel']) } }), { description: 'every decision about it, with what it went by' }),
  },
  {
    ...closed,
    examples: [TRIAL_EXAMPLE],
  },
);
export type Trial = Static<typeof Trial>;

export const SweepImportance = Type.Object(
  {
    object: Type.Literal('importance'),
    trials: countOf('that it goes by: those that ran to their end'),
    parameters: Type.Array(Type.Object({ name: Type.String(), share: Type.Number({ minimum: 0, maximum: 1 }) }, closed), { description: 'the most important first; the shares sum to 1, or are all 0 where trials tell nothing yet' }),
  },
  { ...closed, examples: [{ object: 'importance', trials: 27, parameters: [{ name: 'lr', share: 0.83 }, { name: 'training.accum_iters', share: 0.17 }] }] },
);
export type SweepImportance = Static<typeof SweepImportance>;

export const SweepExport = Type.Object({ object: Type.Literal('sweep_export'), sweep: Sweep, trials: Type.Array(Trial) }, { ...closed });
export type SweepExport = Static<typeof SweepExport>;

export const SweepDryRun = Type.Object(
  { object: Type.Literal('dry_run'), spec, warnings: Warnings, trials: Type.Array(Type.Object({ number: Count, params: Params }, closed), { description: 'the first ones, as they are before anything is known of any' }) },
  { ...closed, examples: [{ object: 'dry_run', spec: { method: 'random' }, warnings: [], trials: [{ number: 0, params: PARAMS }] }] },
);
export type SweepDryRun = Static<typeof SweepDryRun>;

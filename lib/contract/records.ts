// What the store holds about a job: the acknowledged spec, HEAD, manifests, attempts, results, markers.
// Layout and rules: lib/jobs/names.ts and lib/jobs/head.ts.
import Type, { type Static } from 'typebox';
import { closed, Count, countOf, nullable, oneOf, Sha256, Timestamp, toldOf } from './common.js';
import { EpochRow, JobEvent } from './rows.js';
import type { JobSpec } from './spec.js';

export const STATUS_REASONS = [
  'preempted_notice', 'preempted_kill', 'lease_lost', 'oom', 'nonfinite_loss', 'checkpoint_corrupt', 'data_missing', 'data_changed', 'invalid_data',
  'engine_unavailable', 'trainer_crashed', 'crash_loop', 'max_duration', 'max_failures', 'max_preemptions', 'start_expired', 'user', 'sweep_pruned',
  'sweep_paused', 'server_shutdown', 'schedule', 'internal_error',
] as const;
export type StatusReason = (typeof STATUS_REASONS)[number];
const Reason = oneOf(STATUS_REASONS);
const REASONS_TOLD: Readonly<Record<StatusReason, string>> = {
  preempted_notice: 'it was stopped by a notice: its machine was to vanish, or somebody preempted it',
  preempted_kill: 'its trainer was killed, by a preemption without grace or from outside',
  lease_lost: 'its worker gave no sign of life any more',
  oom: 'it did not fit into memory',
  nonfinite_loss: 'a loss or gradient was not finite',
  checkpoint_corrupt: 'a checkpoint, or a record of it, is damaged',
  data_missing: 'its data, or what it begins with, is not there or cannot be read',
  data_changed: 'its data has other bytes than its first attempt found',
  invalid_data: 'its data, or what it begins with, does not fit the spec',
  engine_unavailable: 'a worker could not compute it: it lacks the engine, GPU, memory or numerics class, or its engine refused the model',
  trainer_crashed: 'its trainer ended by itself',
  crash_loop: 'five attempts in a row died without a commit',
  max_duration: '`run.max_duration_seconds` is over',
  max_failures: 'more attempts failed than `run.max_failures` allows; `error` tells the last failure',
  max_preemptions: 'more attempts were taken away than `run.max_preemptions` allows',
  start_expired: 'it had not started by `run.start_before`',
  user: 'somebody asked for it: pause, cancel or kill',
  sweep_pruned: 'its sweep ended the trial',
  sweep_paused: 'its sweep paused the trial, at a rung or with the whole sweep',
  server_shutdown: 'its worker was shut down or drained',
  schedule: 'a later fire of its schedule paused or cancelled it',
  internal_error: 'what should not happen; `status_message` says what',
};
/** For answers. */
export const StatusReasonTold = nullable(oneOf(STATUS_REASONS), { description: `how its last attempt ended, or why it is paused or over; null: no reason. ${toldOf(REASONS_TOLD)}` });

export const HEAD_STATES = ['open', 'paused', 'succeeded', 'failed', 'cancelled', 'expired'] as const;
export type HeadState = (typeof HEAD_STATES)[number];
export const TERMINAL_STATES = ['succeeded', 'failed', 'cancelled', 'expired'] as const satisfies readonly HeadState[];
export const WANT_VERBS = ['run', 'pause', 'cancel', 'kill'] as const;
export type WantVerb = (typeof WANT_VERBS)[number];

/** What the job's user (or sweep, or schedule) asked for last; the owner carries it out. */
export const Want = Type.Object({ verb: oneOf(WANT_VERBS), seq: Count, cause: Reason }, closed);
export type Want = Static<typeof Want>;

/** Whoever may write HEAD. Null once released. */
export const Owner = Type.Object({ attempt: Type.String(), number: Count, worker: Type.String(), started_at: Timestamp, resumed_from: nullable(Type.String()), /** Micro-batches of the state it began with. */ resumed_at: Count, /** Of training, up to its last commit. */ train_seconds: Type.Number({ minimum: 0 }) }, closed);
export type Owner = Static<typeof Owner>;

export const BlobRef = Type.Object({ role: oneOf(['weights', 'slots', 'ema', 'best', 'window', 'state']), key: Type.String(), bytes: Count, sha256: Sha256 }, closed);
export type BlobRef = Static<typeof BlobRef>;

/** A commit that HEAD still promises to be able to restore. */
export const RetainedCommit = Type.Object(
  {
    id: Type.String(),
    seq: Count,
    manifest: Type.String(),
    manifest_sha256: Sha256,
    micro_batches: Count,
    updates: Count,
    window_position: Count,
    committed_at: Timestamp,
    bytes: Count,
    /** Of them, what this commit wrote; the rest are blobs of commits before it. */
    bytes_written: Count,
    /** keep_best's metric, where the epoch that had just ended was one of the best; else null. */
    best: nullable(Type.Number()),
    blobs: Type.Array(BlobRef),
  },
  closed,
);
export type RetainedCommit = Static<typeof RetainedCommit>;

type Figures = Record<string, number | null>;
const Figures = Type.Unsafe<Figures>({ type: 'object', additionalProperties: { anyOf: [{ type: 'number' }, { type: 'null' }] } });
/** Figures of a state that a sweep asked for: of training, over its epoch so far; and of a validation made for it. */
export const Rung = Type.Object({ update: Count, metrics: Figures, validation: nullable(Figures) }, closed);
export type Rung = Static<typeof Rung>;

export const JobFailure = Type.Object({ code: Type.String(), message: Type.String(), param: nullable(Type.String()) }, closed);
export type JobFailure = Static<typeof JobFailure>;

export const JobResult = Type.Object(
  {
    weights_sha256: Type.Unsafe<string>({ ...Sha256, description: 'of the file of weights that `export` gives: the moving average where the job keeps one' }),
    state_sha256: Type.Unsafe<string>({ ...Sha256, description: 'of the whole last state: weights, slots of the optimizer, statistics' }),
    metrics: Type.Unsafe<Figures>({ ...Figures, description: 'loss and metrics of the last epoch' }),
    validation: nullable(Figures, { description: 'of the validation at the end, `val_loss` and the like; null without validation' }),
    updates: countOf('updates that were made'),
    unused_micro_batches: countOf('micro-batches that were executed and are in no update: of windows that were dropped, skipped or open at the end'),
    skipped_windows: countOf('windows that were not applied, because their loss or gradient was not finite (`nonfinite: skip_window`)'),
    stopped_by: oneOf(['epochs', 'max_updates', 'early_stopping'], { description: 'what ended the training; `epochs` where several limits were reached together' }),
    engine: Type.String({ description: 'what computed it' }),
    numerics_class: Type.String({ description: 'engine, versions, device and whatever else the bits depend on, as the first attempt had them' }),
    numerics: oneOf(['strict', 'fast', 'mixed'], { description: '`strict`: micro-batches were computed whole, in one numerics class; `fast`: in slices; `mixed`: attempts ran in several numerics classes' }),
  },
  { ...closed, description: 'of a job that succeeded' },
);
export type JobResult = Static<typeof JobResult>;

export const Counters = Type.Object(
  {
    /** Claims since the last commit: a claim adds one, a commit clears it, an orderly end takes its own back. */
    kills_since_commit: Count,
    /** Attempts that failed, crashes of the trainer among them: more than `run.max_failures` end the job. */
    failures: Count,
    /** Attempts that a notice or a kill took away: more than `run.max_preemptions` end the job. */
    preemptions: Count,
    /** Attempts whose worker vanished, was shut down or drained: no job ends by them, unless none of its attempts commits. */
    restarts: Count,
    /** Attempts ever; never cleared, so attempt numbers go on after a retry. */
    attempts: Count,
    /** Attempts that ended without a last commit, and unasked. */
    losses: Count,
    /** The last event id used. Each claim lets it jump. */
    events: Count,
    attempt_seconds: Type.Number({ minimum: 0 }),
    /** Of ended attempts. */
    executed_micro_batches: Count,
    executed_seconds: Type.Number({ minimum: 0 }),
    wasted_micro_batches: Count,
    wasted_seconds: Type.Number({ minimum: 0 }),
    commits: Count,
    /** From snapshots to their commits. */
    save_seconds: Type.Number({ minimum: 0 }),
  },
  closed,
);
export type Counters = Static<typeof Counters>;

export const Inputs = Type.Object({ data_sha256: Sha256, init_sha256: nullable(Sha256), numerics_class: Type.String(), engine: Type.String(), /** Without the validation split: what progress is counted by. Null if HEAD had to be rebuilt. */ train_samples: nullable(Count), /** A later attempt ran in another class. */ mixed: Type.Boolean() }, closed);
export type Inputs = Static<typeof Inputs>;

export const Head = Type.Object(
  {
    /** Grows with every write, so that no two HEADs of a job are equal bytes (and no tag comes back). */
    version: Count,
    gen: Count,
    fence: Count,
    seq: Count,
    state: oneOf(HEAD_STATES),
    want: Want,
    /** Random, new at each claim, kept after release: who may adopt an unanswered write. */
    attempt: nullable(Type.String()),
    /** Random, new at each write of a claimant and untouched by others: whether an unanswered write took effect. */
    write: nullable(Type.String()),
    owner: nullable(Owner),
    /** After which update it pauses by itself (null: none); null: as its record says. */
    pause_at: nullable(Type.Object({ update: nullable(Count) }, closed)),
    /** Where it did so. */
    rungs: Type.Array(Rung),
    /** Why it is as it is: the last attempt's end, or the reason of a terminal state. */
    reason: nullable(Reason),
    message: nullable(Type.String()),
    manifest: nullable(Type.String()),
    manifest_sha256: nullable(Sha256),
    retained: Type.Array(RetainedCommit),
    /** Ids of checkpoints that retention must keep. */
    pins: Type.Array(Type.String()),
    /** The same until then, because somebody reads them: whoever dies over it keeps nothing for good. */
    holds: Type.Optional(Type.Array(Type.Object({ checkpoint: Type.String(), until: Timestamp }, closed))),
    /** Manifests that failed verification: passed over, their blobs left for inspection. */
    quarantined: Type.Array(Type.String()),
    inputs: nullable(Inputs),
    counters: Counters,
    /** Events since the last commit that claims, releases and endings wrote; the next commit moves them into its segment. */
    events: Type.Array(JobEvent),
    started_at: nullable(Timestamp),
    finished_at: nullable(Timestamp),
    result: nullable(JobResult),
    error: nullable(JobFailure),
  },
  closed,
);
export type Head = Static<typeof Head>;

/** Rows or events as JSON lines; `first` and `last` are their updates, epochs or event ids. */
export const Segment = Type.Object(
  {
    key: Type.String(),
    bytes: Count,
    sha256: Sha256,
    first: Count,
    last: Count,
    count: Count,
    /** Merges so far: 8 of one level become one of the next. */
    level: Count,
    /** Its lines are segments, which have the rows or events; `bytes` and `sha256` are of those lines alone. */
    index: Type.Optional(Type.Literal(true)),
  },
  closed,
);
export type Segment = Static<typeof Segment>;

const Sums = Type.Object({ samples: Count, micro_batches: Count, loss: Type.Number(), correct: Count, top_k_correct: Count }, closed);
export const Manifest = Type.Object(
  {
    manifest_version: Type.Literal(1),
    id: Type.String(),
    job: Type.String(),
    gen: Count,
    seq: Count,
    fence: Count,
    attempt: Type.String(),
    prev: nullable(Type.Object({ id: Type.String(), manifest: Type.String(), manifest_sha256: Sha256 }, closed)),
    committed_at: Timestamp,
    state: Type.Object(
      {
        cursor: Type.Object({ epoch: Count, position: Count, window_position: Count, micro_batches: Count, updates: Count, validation_pending: Type.Boolean(), skipping: Type.Boolean(), skipped: Type.Object({ windows: Count, micro_batches: Count, in_a_row: Count }, closed), stopped: Type.Boolean(), restored: Type.Boolean() }, closed),
        window: Sums,
        epoch: Sums,
        last_epoch: nullable(EpochRow),
        monitor: Type.Object({ best: nullable(Type.Number()), best_epoch: nullable(Count), wait: Count, kept: Type.Array(Type.Number()) }, closed),
      },
      closed,
    ),
    best: nullable(Type.Number()),
    blobs: Type.Array(BlobRef),
    /** Bytes of those blobs that this commit wrote; the others are of commits before it. */
    bytes_written: Count,
    rows: Type.Object({ update: Type.Array(Segment), epoch: Type.Array(Segment) }, closed),
    events: Type.Array(Segment),
    spec_sha256: Sha256,
    data_sha256: Sha256,
    numerics_class: Type.String(),
    /** Of a final state: what the result will say. */
    final: nullable(JobResult),
  },
  closed,
);
export type Manifest = Static<typeof Manifest>;

/** The sweep that a job is a trial of. */
export const SweepReference = Type.Object({ id: Type.String(), trial_id: Type.String() }, closed);
export type SweepReference = Static<typeof SweepReference>;
/** The schedule that started a job or a sweep, and for which of its times. */
export const ScheduleReference = Type.Object({ id: Type.String(), nominal_time: Timestamp }, closed);
export type ScheduleReference = Static<typeof ScheduleReference>;

/** jobs/<id>/job.json: its existence is the acknowledgement. */
export interface JobRecord {
  id: string;
  created_at: string;
  spec: JobSpec;
  /** After which update it pauses by itself, until HEAD says otherwise; null: it does not. */
  pause_at_update: number | null;
  sweep: SweepReference | null;
  schedule: ScheduleReference | null;
}
/** open/<id>.<gen>: the job wants attention. */
export interface OpenMarker {
  name: string | null;
  tags: Record<string, string>;
  created_at: string;
  priority: number;
  start_after: string | null;
}
/** keys/<sha256>: which request created what. */
export interface IdempotencyRecord {
  id: string;
  body_sha256: string;
  created_at: string;
  /** Of a request for fires of a schedule, whose id it has: what was asked for, once that is known. */
  fires?: { id: string; nominal_time: string }[];
}

const Timings = Type.Object({ detect_ms: Count, queue_ms: Count, load_ms: Count, warmup_ms: Count, train_ms: Count, save_ms: Count }, closed);
/** attempts/<n>.json: written by the claimant before it starts. */
export const AttemptStart = Type.Object({ number: Count, attempt: Type.String(), worker: Type.String(), fence: Count, started_at: Timestamp, detect_ms: Count, queue_ms: Count }, closed);
export type AttemptStart = Static<typeof AttemptStart>;
/** attempts/<n>.end.json: written once, by the attempt itself or else by the next claimant. */
export const AttemptEnd = Type.Object(
  {
    number: Count,
    attempt: Type.String(),
    closed_by: Type.String(),
    ended_at: Timestamp,
    end_reason: Type.String(),
    engine: nullable(Type.String()),
    device: nullable(Type.String()),
    resumed_from: nullable(Type.String()),
    executed_micro_batches: Count,
    executed_seconds: Type.Number({ minimum: 0 }),
    wasted_micro_batches: Count,
    wasted_seconds: Type.Number({ minimum: 0 }),
    peak_memory_mib: nullable(Type.Number()),
    numerics_class: nullable(Type.String()),
    timings: Timings,
  },
  closed,
);
export type AttemptEnd = Static<typeof AttemptEnd>;

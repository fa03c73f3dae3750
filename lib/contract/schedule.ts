// Schedules: what a user sends, the schedule as the API shows it, its fires, and what a preview answers. What is to be started
// (`job`, `sweep`) is opaque here: the schemas of jobs and sweeps check it.
import Type, { type Static } from 'typebox';
import { closed, Count, countOf, idOf, nullable, oneOf, Timestamp } from './common.js';

export const OVERLAP_POLICIES = ['skip', 'buffer_one', 'buffer_all', 'cancel_other', 'terminate_other', 'allow_all'] as const;
export type OverlapPolicy = (typeof OVERLAP_POLICIES)[number];
const SCHEDULE_STATUSES = ['active', 'paused'] as const;

/** A duration as a user writes it: seconds, or a number with a unit. */
const duration = (minimum: number, allows: string, texts: { default: string; description: string }) =>
  Type.Optional(Type.Unsafe<number | string>({ anyOf: [{ type: 'number', minimum }, { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?[smhd]$' }], allows, ...texts }));
export const CATCHUP_SECONDS = { least: 10, most: 30 * 86_400 } as const;
export const MAX_JITTER_SECONDS = 86_400;
/** Nominal times that one backfill may ask for. */
export const BACKFILL_MAX = 1_000;
const PREVIEW_MAX = 1_000;

const Template = Type.Object({}, { additionalProperties: true });
export const Dst = Type.Object(
  {
    gap: Type.Optional(oneOf(['shift', 'skip'], { default: 'shift', description: 'a time that the clocks jump over: `shift`: the first moment after the gap; `skip`: not on that day' })),
    overlap: Type.Optional(oneOf(['first', 'both'], { default: 'first', description: 'a time that comes twice because the clocks go back: `first`: once; `both`: both times' })),
  },
  { ...closed, default: {}, description: 'what becomes of times that a change of the clocks takes away or gives twice. It concerns expressions whose seconds, minutes and hours are plain numbers, ranges and lists; one with `*` or `/` in them keeps to elapsed time: nothing in a gap, and a repeated hour twice' },
);
const Cron = Type.String({ minLength: 9, maxLength: 256, allows: 'five fields (minute hour day-of-month month day-of-week), or six with seconds first', description: 'five fields (minute hour day-of-month month day-of-week), or six with seconds first: numbers, names, `*`, lists, ranges and steps; `L` the last day, `15W` the weekday nearest to the 15th, `FRI#2` the second Friday. With both a day of month and a day of week either is enough, unless the latter begins with `+`: then both have to hold' });
const Timezone = Type.String({ minLength: 1, maxLength: 64, default: 'UTC', allows: 'an IANA time zone, such as Europe/Berlin', description: 'the IANA time zone that the expression is meant in' });
const rule = { cron: Cron, timezone: Type.Optional(Timezone), dst: Type.Optional(Dst) };

const template = (what: string) => Type.Optional(Type.Unsafe<Record<string, unknown>>({ ...Template, description: `the ${what} that each fire starts; exactly one of \`job\` and \`sweep\`` }));
export const ScheduleInput = Type.Object(
  {
    name: Type.Optional(Type.Unsafe<string | null>({ anyOf: [{ type: 'string', minLength: 1, maxLength: 128 }, { type: 'null' }], default: null, description: 'for people; need not be unique' })),
    ...rule,
    overlap_policy: Type.Optional(oneOf(OVERLAP_POLICIES, { default: 'skip', description: 'what a fire does while an earlier one is not over: `skip`: nothing; `buffer_one`, `buffer_all`: it waits, one of them or all; `cancel_other`: the earlier one is paused with a commit and can be resumed later; `terminate_other`: it is cancelled; `allow_all`: they run side by side. A run that is queued, or that somebody paused, is not over' })),
    catchup_window: duration(CATCHUP_SECONDS.least, 'seconds (at least 10), or a string such as 30s, 10m, 6h, 1d; at most 30d', { default: '10m', description: 'how late the latest missed fire may still be made up for, after nothing ticked for a while; the others are recorded as missed. Also how long a fire waits for room while `PAWL_MAX_OPEN_JOBS` jobs are open; then it is skipped' }),
    jitter: duration(0, 'seconds (at least 0), or a string such as 30s, 10m; at most 1d', { default: '0s', description: 'each fire is put off by up to so much, never beyond the next one; the same nominal time always by as much' }),
    pause_on_failure: Type.Optional(Type.Boolean({ default: false, description: 'the schedule pauses itself when what it started fails' })),
    paused: Type.Optional(Type.Boolean({ default: false, description: 'begins paused; one that is replaced stays as it is where this is not given' })),
    job: template('job'),
    sweep: template('sweep'),
  },
  closed,
);
export type ScheduleInput = Static<typeof ScheduleInput>;

/** A rule with everything in it: which moments, in UTC. */
export const FireRule = Type.Object({ cron: Type.String(), timezone: Type.String(), dst: Type.Object({ gap: oneOf(['shift', 'skip']), overlap: oneOf(['first', 'both']) }, closed) }, closed);
export type FireRule = Static<typeof FireRule>;

/** What a fire starts. Exactly one of them is not null. */
const templates = { job: nullable(Type.Unsafe<Record<string, unknown>>(Template)), sweep: nullable(Type.Unsafe<Record<string, unknown>>(Template)) };
export const ScheduleSpec = Type.Object(
  {
    name: nullable(Type.String()),
    ...FireRule.properties,
    overlap_policy: oneOf(OVERLAP_POLICIES),
    catchup_window: Type.Number({ description: 'seconds' }),
    jitter: Type.Number({ description: 'seconds' }),
    pause_on_failure: Type.Boolean(),
    ...templates,
  },
  closed,
);
export type ScheduleSpec = Static<typeof ScheduleSpec>;

const FireId = Type.String({ pattern: '^fire_[0-9a-hjkmnp-tv-z]{26}$', allows: 'an id such as fire_01j…' });
export const RunReference = Type.Object({ kind: oneOf(['job', 'sweep']), id: Type.String() }, closed);
export type RunReference = Static<typeof RunReference>;
export const FIRE_CAUSES = ['schedule', 'trigger', 'backfill'] as const;
export type FireCause = (typeof FIRE_CAUSES)[number];
export const SKIP_REASONS = ['running', 'buffer_full', 'superseded', 'too_many_running', 'paused', 'queue_full'] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

/** What became of a nominal time. Written once. */
export const Fire = Type.Object(
  {
    id: FireId,
    object: Type.Literal('fire'),
    schedule: idOf('sch'),
    nominal_time: Timestamp,
    cause: oneOf(FIRE_CAUSES),
    decided_at: Timestamp,
    outcome: oneOf(['started', 'skipped', 'missed', 'failed'], { description: '`missed`: nothing ticked while it was due; `failed`: what it was to start was refused' }),
    reason: nullable(oneOf(SKIP_REASONS), { description: 'of one that was skipped: `running`: an earlier one was not over; `buffer_full`: enough wait already; `superseded`: a later one came while it waited; `too_many_running`: as many as may run side by side do; `paused`: it waited when the schedule was paused; `queue_full`: from its turn on, `PAWL_MAX_OPEN_JOBS` jobs were open for as long as its catch-up window' }),
    message: nullable(Type.String()),
    missed: nullable(Type.Object({ from: Timestamp, count: Count }, closed), { description: 'of one that was missed: how many nominal times in a row it stands for, and the first of them; nominal_time is the last' }),
    run: nullable(RunReference),
  },
  closed,
);
export type Fire = Static<typeof Fire>;

export const RUN_ENDINGS = ['succeeded', 'failed', 'cancelled', 'paused', 'missing'] as const;
export type RunEnding = (typeof RUN_ENDINGS)[number];
/** A fire of late, with how its run ended as far as the schedule has seen. */
export const RecentFire = Type.Object({ ...Fire.properties, run_ended: nullable(oneOf(RUN_ENDINGS), { description: '`paused`: by the next fire (`cancel_other`)' }) }, closed);
export type RecentFire = Static<typeof RecentFire>;

export const FireTime = Type.Object({ utc: Timestamp, local: Type.String({ description: 'the same moment on the clocks of the time zone, with their offset' }) }, closed);
export type FireTime = Static<typeof FireTime>;

const ScheduleCounts = Type.Object({ started: Count, skipped: Count, missed: Count, failed: countOf('fires whose job or sweep was refused') }, closed);

const listed = {
  id: idOf('sch'),
  object: Type.Literal('schedule'),
  name: nullable(Type.String()),
  status: oneOf(SCHEDULE_STATUSES),
  note: nullable(Type.String(), { description: 'why it is paused' }),
  cron: Type.String(),
  timezone: Type.String(),
  created_at: Timestamp,
  updated_at: Timestamp,
  next_fires: Type.Array(FireTime, { description: 'the next ten, without jitter; none while it is paused' }),
  last_fires: Type.Array(RecentFire, { description: 'the last ten, newest first' }),
  running: Type.Array(RunReference, { description: 'what it started and is not over' }),
  buffered: Type.Array(Timestamp, { description: 'nominal times of fires that wait' }),
  counts: ScheduleCounts,
};
export const Schedule = Type.Object({ ...listed, spec: ScheduleSpec }, closed);
export type Schedule = Static<typeof Schedule>;
export const ScheduleListItem = Type.Object(listed, closed);
export type ScheduleListItem = Static<typeof ScheduleListItem>;
export const DeletedSchedule = Type.Object({ id: idOf('sch'), object: Type.Literal('schedule'), deleted: Type.Literal(true) }, closed);
export type DeletedSchedule = Static<typeof DeletedSchedule>;

/** `POST /v1/schedules/preview` */
export const PreviewInput = Type.Object(
  {
    ...rule,
    from: Type.Optional(Type.Unsafe<string>({ ...Timestamp, description: 'the fires after this moment; default: now' })),
    count: Type.Optional(Type.Integer({ minimum: 1, maximum: PREVIEW_MAX, default: 10, description: 'how many' })),
  },
  closed,
);
export type PreviewInput = Static<typeof PreviewInput>;
export const Preview = Type.Object({ object: Type.Literal('preview'), fires: Type.Array(FireTime), warnings: Type.Array(Type.String()) }, closed);
export type Preview = Static<typeof Preview>;

/** `POST /v1/schedules/{id}/pause` */
export const PauseInput = Type.Object({ note: Type.Optional(Type.String({ minLength: 1, maxLength: 512, description: 'why, for people' })) }, closed);
export type PauseInput = Static<typeof PauseInput>;
/** `POST /v1/schedules/{id}/trigger` */
export const TriggerInput = Type.Object({ overlap_policy: Type.Optional(oneOf(OVERLAP_POLICIES, { description: "default: the schedule's own" })) }, closed);
export type TriggerInput = Static<typeof TriggerInput>;
/** `POST /v1/schedules/{id}/backfill` */
export const BackfillInput = Type.Object(
  {
    from: Type.Unsafe<string>({ ...Timestamp, description: 'the first moment of the stretch' }),
    to: Type.Unsafe<string>({ ...Timestamp, description: 'the last one; not in the future' }),
    overlap_policy: Type.Optional(oneOf(OVERLAP_POLICIES, { default: 'buffer_all', description: 'among the fires of the backfill, and against what runs' })),
  },
  closed,
);
export type BackfillInput = Static<typeof BackfillInput>;
export const FireRequests = Type.Object({ object: Type.Literal('fire_requests'), fires: Type.Array(Type.Object({ id: FireId, nominal_time: Timestamp }, closed), { description: 'what was asked for; those that started something already are not among them' }) }, closed);
export type FireRequests = Static<typeof FireRequests>;

// ── what the store holds ───────────────────────────────────────────────────────────────────────────────────────────

/** A fire that was asked for, or waits for a change, and has not been decided on. */
export const DueFire = Type.Object(
  {
    id: FireId,
    nominal_time: Timestamp,
    cause: oneOf(FIRE_CAUSES),
    overlap_policy: oneOf(OVERLAP_POLICIES),
    /** Its turn has come, and it waits for room until then. */
    until: Type.Optional(Timestamp),
  },
  closed,
);
export type DueFire = Static<typeof DueFire>;
/** What a fire started, or is about to. */
export const OpenRun = Type.Object(
  {
    fire: FireId,
    nominal_time: Timestamp,
    cause: oneOf(FIRE_CAUSES),
    decided_at: Timestamp,
    run: RunReference,
    /** `starting`: decided, and perhaps started; whoever looks next sees to it. */
    state: oneOf(['starting', 'running']),
    /** What a later fire wants of it. `stop_said`: it was told. */
    stop: nullable(oneOf(['pause', 'cancel'])),
    stop_said: Type.Boolean(),
  },
  closed,
);
export type OpenRun = Static<typeof OpenRun>;
/** schedules/<id>/HEAD */
export const ScheduleHead = Type.Object(
  {
    /** Grows with every write. */
    version: Count,
    spec: ScheduleSpec,
    created_at: Timestamp,
    updated_at: Timestamp,
    status: oneOf(SCHEDULE_STATUSES),
    note: nullable(Type.String()),
    /** Every nominal time up to here has been decided on, or is none of this schedule's. */
    last_nominal: Timestamp,
    requested: Type.Array(DueFire),
    buffered: Type.Array(DueFire),
    runs: Type.Array(OpenRun),
    /** The sweep that was started last; absent or null: none was. */
    last_sweep: Type.Optional(nullable(idOf('swp'))),
    /** Decided fires whose record has not been written yet. */
    unrecorded: Type.Array(Fire),
    /** Newest first. */
    recent: Type.Array(RecentFire),
    counts: ScheduleCounts,
  },
  closed,
);
export type ScheduleHead = Static<typeof ScheduleHead>;

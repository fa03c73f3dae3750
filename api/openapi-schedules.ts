// The schedules' part of the OpenAPI document: its operations, with an example for each.
import Type from 'typebox';
import { idOf } from '../lib/contract/common.js';
import { BackfillInput, DeletedSchedule, Fire, FireRequests, PauseInput, Preview, PreviewInput, Schedule, ScheduleInput, ScheduleListItem, TriggerInput } from '../lib/contract/schedule.js';
import { EmptyBody, ListSchedulesQuery, NoQuery, PageQuery, PreviewQuery } from './requests.js';

export const SCHEDULE_COMPONENTS = { Schedule, ScheduleListItem, DeletedSchedule, Fire, FireRequests, Preview } as const;

const ALL = '/v1/schedules';
export const SCHEDULE_PATH = `${ALL}/{id}`;
const tag = 'schedules';
const ID = 'sch_01kb5m3w8r6t2q9x4y7z0a1b2c';
const FIRE_ID = 'fire_01kb5p2v00q9x4y7z0a1b2c3d4';
const JOB_ID = 'job_01kb5p2v0gq9x4y7z0a1b2c3d4';

/** The job inside as what it is. */
const Sent = Type.Object({ ...ScheduleInput.properties, job: Type.Optional(Type.Unsafe({ $ref: '#/components/schemas/JobSpec' })) }, { additionalProperties: false });

const job = {
  data: { type: 'builtin', name: 'digits', normalize: 'unit', validation: { split: 0.2 } },
  model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] },
  training: { batch_size: 10, accum_iters: 5, epochs: 2 },
};
const rule = { cron: '30 2 * * *', timezone: 'Europe/Berlin' } as const;
const input = { name: 'nightly', ...rule, overlap_policy: 'skip', job } as const;
const fires = [
  { utc: '2026-11-30T01:30:00Z', local: '2026-11-30T02:30:00+01:00' },
  { utc: '2026-12-01T01:30:00Z', local: '2026-12-01T02:30:00+01:00' },
];
const fire = { id: FIRE_ID, object: 'fire', schedule: ID, nominal_time: '2026-11-29T01:30:00.000Z', cause: 'schedule', decided_at: '2026-11-29T01:30:00.082Z', outcome: 'started', reason: null, message: null, missed: null, run: { kind: 'job', id: JOB_ID } } satisfies Fire;
const item = {
  id: ID, object: 'schedule', name: 'nightly', status: 'active', note: null, ...rule, created_at: '2026-11-28T20:00:00.000Z', updated_at: '2026-11-28T20:00:00.000Z',
  next_fires: fires, last_fires: [{ ...fire, run_ended: 'succeeded' }], running: [], buffered: [], counts: { started: 1, skipped: 0, missed: 0, failed: 0 },
} satisfies ScheduleListItem;
const schedule = { ...item, spec: { name: 'nightly', ...rule, dst: { gap: 'shift', overlap: 'first' }, overlap_policy: 'skip', catchup_window: 600, jitter: 0, pause_on_failure: false, job, sweep: null } } satisfies Schedule;
const paused = { ...schedule, status: 'paused', note: 'holidays', next_fires: [] } satisfies Schedule;
const preview = { object: 'preview', fires, warnings: [] } satisfies Preview;
const requests = { object: 'fire_requests', fires: [{ id: FIRE_ID, nominal_time: fire.nominal_time }] } satisfies FireRequests;
const page = (each: { id: string }) => ({ object: 'list', data: [each], has_more: false, last_id: each.id });

const LOCATION = { description: 'the schedule', schema: { type: 'string', pattern: '^/v1/schedules/sch_' }, required: true };
const REPLAYED = { description: 'the key had been used: this is the schedule of then', schema: { type: 'string', pattern: '^true$' }, required: false };
const ASKED = { 202: { 'Idempotent-Replayed': { ...REPLAYED, description: 'the key had been used: these are the fires of then' } } };
const sent = { schema: Sent, required: true, example: input };

/** In the order of the server's routes. */
export const SCHEDULE_OPERATIONS = [
  { method: 'post', path: ALL, id: 'createSchedule', tag, summary: 'Create a schedule; the job or sweep inside is checked as if it were sent on its own', query: NoQuery, body: sent, headers: ['Idempotency-Key'], status: 201, answer: 'Schedule', example: schedule, answerHeaders: { 201: { Location: LOCATION, 'Idempotent-Replayed': REPLAYED } }, errors: [400, 409, 413, 415, 503] },
  { method: 'get', path: ALL, id: 'listSchedules', tag, summary: 'Schedules, newest first', query: ListSchedulesQuery, cursor: idOf('sch'), answer: { list: 'ScheduleListItem' }, example: page(item), errors: [400, 503] },
  { method: 'post', path: `${ALL}/preview`, id: 'previewRule', tag, summary: 'When a rule fires; stores nothing', query: NoQuery, body: { schema: PreviewInput, required: true, example: { ...rule, from: '2026-11-29T12:00:00Z', count: 2 } }, answer: 'Preview', example: preview, errors: [400, 413, 415] },
  { method: 'get', path: SCHEDULE_PATH, id: 'getSchedule', tag, summary: 'A schedule, its next fires and the last ones', query: NoQuery, answer: 'Schedule', example: schedule, errors: [400, 404, 503] },
  { method: 'put', path: SCHEDULE_PATH, id: 'replaceSchedule', tag, summary: 'Replace what a schedule says; what runs goes on', query: NoQuery, body: sent, answer: 'Schedule', example: schedule, errors: [400, 404, 413, 415, 503] },
  { method: 'delete', path: SCHEDULE_PATH, id: 'deleteSchedule', tag, summary: 'Delete a schedule and the records of its fires; what runs goes on', query: NoQuery, answer: 'DeletedSchedule', example: { id: ID, object: 'schedule', deleted: true }, errors: [400, 404, 503] },
  { method: 'post', path: `${SCHEDULE_PATH}/pause`, id: 'pauseSchedule', tag, summary: 'Fire no more until it is resumed; what runs goes on, and what was asked for by trigger or backfill still starts', query: NoQuery, body: { schema: PauseInput, required: false, example: { note: 'holidays' } }, answer: 'Schedule', example: paused, errors: [400, 404, 413, 415, 503] },
  { method: 'post', path: `${SCHEDULE_PATH}/resume`, id: 'resumeSchedule', tag, summary: 'Fire again, from now on', query: NoQuery, body: { schema: EmptyBody, required: false }, answer: 'Schedule', example: schedule, errors: [400, 404, 413, 415, 503] },
  { method: 'post', path: `${SCHEDULE_PATH}/trigger`, id: 'triggerSchedule', tag, summary: 'Fire now, whether it is paused or not', query: NoQuery, body: { schema: TriggerInput, required: false, example: { overlap_policy: 'allow_all' } }, headers: ['Idempotency-Key'], status: 202, answer: 'FireRequests', example: requests, answerHeaders: ASKED, errors: [400, 404, 409, 413, 415, 503] },
  { method: 'post', path: `${SCHEDULE_PATH}/backfill`, id: 'backfillSchedule', tag, summary: 'Fire for the nominal times of a stretch of the past that started nothing', query: NoQuery, body: { schema: BackfillInput, required: true, example: { from: '2026-01-05T00:00:00Z', to: '2026-01-12T00:00:00Z' } }, headers: ['Idempotency-Key'], status: 202, answer: 'FireRequests', example: requests, answerHeaders: ASKED, errors: [400, 404, 409, 413, 415, 503] },
  { method: 'get', path: `${SCHEDULE_PATH}/preview`, id: 'previewSchedule', tag, summary: 'When it fires next, or would if it were not paused', query: PreviewQuery, answer: 'Preview', example: preview, errors: [400, 404, 503] },
  { method: 'get', path: `${SCHEDULE_PATH}/fires`, id: 'listFires', tag, summary: 'What became of each nominal time, oldest first', query: PageQuery, cursor: Fire.properties.id, answer: { list: 'Fire' }, example: page(fire), errors: [400, 404, 503] },
] as const;

// What may be sent: the schemas of queries and of the verbs' bodies, and their values as the code wants them. Queries are texts,
// so their schemas are patterns, and every text is parsed here on purpose.
import Type, { type Static } from 'typebox';
import type { FastifyRequest, FastifySchemaCompiler } from 'fastify';
import { AppError, type Problem } from '../lib/errors.js';
import { closed, idOf, Timestamp } from '../lib/contract/common.js';
import { TellInput } from '../lib/contract/external.js';
import { JOB_STATUSES, type JobStatus } from '../lib/contract/job.js';
import { SWEEP_STATUSES, type SweepStatus } from '../lib/contract/sweep-views.js';
import type { ListQuery } from '../lib/jobs/listing.js';
import { makeValidator } from '../lib/jobs/spec/schema-problems.js';
import type { SweepListQuery } from '../lib/sweeps/listing.js';

const flag = (description: string) => Type.Unsafe<'true' | 'false'>({ type: 'string', enum: ['true', 'false'], description });
const number = (pattern: string, allows: string, description: string) => Type.String({ pattern: `^(?:${pattern})$`, allows, description });
const limit = number('[1-9][0-9]?|100', 'an integer from 1 to 100', 'at most so many (1 to 100); 20 without it');
const rowNumber = (description: string) => number('[1-9][0-9]{0,3}|10000', 'an integer from 1 to 10000', description);
const after = Type.String({ description: 'those after this one: the last_id of the page before' });
/** Also what a cursor is that is a number. */
export const count = number('0|[1-9][0-9]{0,14}', 'an integer ≥ 0', 'the last_id of the page before');
/** A place in a row of numbers, whether or not anything is there. */
export const position = number('0|[1-9][0-9]{0,14}', 'an integer ≥ 0', 'those after this number: the last_id of the page before. Beyond the end the page is empty, and what comes later is on it when it is asked for again');
const statuses = (all: readonly string[]) => Type.String({ pattern: `^(?:${all.join('|')})(?:,(?:${all.join('|')}))*$`, allows: `one or more of ${all.join(', ')}, with commas between`, description: 'only with one of these statuses, with commas between' });
const name = Type.String({ minLength: 1, maxLength: 128, description: 'only with this name' });

export const SubmitQuery = Type.Object({ dry_run: Type.Optional(flag('stores nothing, and answers what it would be')) }, closed);
export const ListJobsQuery = Type.Object(
  {
    status: Type.Optional(statuses(JOB_STATUSES)),
    name: Type.Optional(name),
    sweep: Type.Optional(idOf('swp', { description: 'only trials of this sweep' })),
    schedule: Type.Optional(idOf('sch', { description: 'only those that this schedule started, trials of its sweeps among them; also after it was deleted' })),
    created_after: Type.Optional(Type.String({ ...Timestamp, description: 'only those created after this time' })),
    after: Type.Optional(after),
    limit: Type.Optional(limit),
  },
  closed,
);
export const ListSchedulesQuery = Type.Object({ name: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'only with this name' })), after: Type.Optional(after), limit: Type.Optional(limit) }, closed);
export const PreviewQuery = Type.Object({ count: Type.Optional(number('[1-9][0-9]{0,2}|1000', 'an integer from 1 to 1000', 'how many (1 to 1000); 10 without it')) }, closed);
export const ListSweepsQuery = Type.Object({ status: Type.Optional(statuses(SWEEP_STATUSES)), name: Type.Optional(name), schedule: Type.Optional(idOf('sch', { description: 'only those that this schedule started; also after it was deleted' })), after: Type.Optional(after), limit: Type.Optional(limit) }, closed);
export const ExportQuery = Type.Object({ format: Type.Optional(Type.Unsafe<'csv' | 'json'>({ type: 'string', enum: ['csv', 'json'], description: 'json, or a table of the trials; json without it' })) }, closed);
export const PageQuery = Type.Object({ after: Type.Optional(after), limit: Type.Optional(limit) }, closed);
export const EventsQuery = Type.Object({ after: Type.Optional(after), limit: Type.Optional(limit) }, closed);
export const MetricsQuery = Type.Object(
  {
    series: Type.Optional(Type.Unsafe<'update' | 'epoch'>({ type: 'string', enum: ['update', 'epoch'], description: 'a row for each update, or for each epoch' })),
    after_update: Type.Optional(number('0|[1-9][0-9]{0,14}', 'an integer ≥ 0', 'rows after this update')),
    after: Type.Optional(after),
    limit: Type.Optional(rowNumber('at most so many (1 to 10000); without it 20, or all where max_points is given')),
    max_points: Type.Optional(rowNumber('a curve of the rows in so many points')),
  },
  closed,
);
export const WeightsQuery = Type.Object({ checkpoint: Type.Optional(Type.String({ description: 'of this checkpoint instead of the result' })), weights: Type.Optional(Type.Unsafe<'raw' | 'ema'>({ type: 'string', enum: ['raw', 'ema'], description: 'the moving average, or the weights as they were trained; the average where the job keeps one' })) }, closed);
export const NoQuery = Type.Object({}, closed);
export const PreemptBody = Type.Object({ grace_seconds: Type.Optional(Type.Number({ minimum: 0, maximum: 86_400, description: 'what the notice leaves, 30 without it: training goes on as long as a last save fits; 0 kills the trainer where it stands' })) }, closed);
export const EmptyBody = Type.Object({}, closed);

export type ListSchedulesQuery = Static<typeof ListSchedulesQuery>;
export type PreviewQuery = Static<typeof PreviewQuery>;
export type ListSweepsQuery = Static<typeof ListSweepsQuery>;
export type PageQuery = Static<typeof PageQuery>;
export type EventsQuery = Static<typeof EventsQuery>;
export type MetricsQuery = Static<typeof MetricsQuery>;
export type WeightsQuery = Static<typeof WeightsQuery>;
export type PreemptBody = Static<typeof PreemptBody>;

const PAGE_LIMIT = 20;
const TAG = 'tag.';

export const pageLimit = (query: { limit?: string }): number => Number(query.limit ?? PAGE_LIMIT);

/** Fastify's hook for schemas: the same words as for specs. A verb may come without a body. */
export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) => {
  const problemsOf = makeValidator(schema);
  return (value: unknown) => {
    // Fastify shows a missing body as null.
    if (httpPart === 'body' && value === null) return { value };
    const problems = httpPart === 'querystring' ? [...repeated(value), ...problemsOf(onlyOnce(value))] : problemsOf(value);
    return problems.length === 0 ? { value } : { error: refusal(problems) };
  };
};

/** A body that is not there is undefined here, but null, like one that says so, for the hook above. */
export async function refuseNull(request: FastifyRequest): Promise<void> {
  if (request.body === null && request.routeOptions.schema?.body !== undefined) throw refusal([{ param: '', message: 'must be an object, got null' }]);
}

const isOnce = ([, value]: [string, unknown]): boolean => !Array.isArray(value);
const onlyOnce = (query: unknown): unknown => Object.fromEntries(Object.entries(query as object).filter(isOnce));
const repeated = (query: unknown): Problem[] =>
  Object.entries(query as object).flatMap((entry) => (isOnce(entry) ? [] : [{ param: entry[0], message: `may be given once, not ${(entry[1] as string[]).length} times` }]));

function refusal(problems: readonly Problem[]): AppError {
  const first = problems[0] ?? { param: '', message: 'cannot be used' };
  const message = `${first.param === '' ? 'the body' : `${first.param}:`} ${first.message}${problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''}`;
  return new AppError('invalid_request', message, { ...(first.param === '' ? {} : { param: first.param }), details: problems });
}

/** A query as an object of texts; what is given twice is a list, which no schema takes. Keys are own keys, whatever they are called. */
export function parseQuery(text: string): Record<string, unknown> {
  const values = new Map<string, string | string[]>();
  for (const [key, value] of new URLSearchParams(text)) {
    const held = values.get(key);
    values.set(key, held === undefined ? value : [held, value].flat());
  }
  return Object.fromEntries(values);
}

/** The query of a list of jobs. Its tags have keys of their own, so they are taken out before the schema looks. */
export function parseListQuery(query: unknown): Omit<ListQuery, 'only'> & { sweep: string | null; schedule: string | null } {
  const entries = Object.entries(query as Record<string, unknown>);
  const isTag = ([key, value]: [string, unknown]): boolean => key.startsWith(TAG) && key.length > TAG.length && typeof value === 'string';
  const rest = Object.fromEntries(entries.filter((entry) => !isTag(entry)));
  const problems = [...repeated(rest), ...listProblems(onlyOnce(rest))];
  if (problems.length > 0) throw refusal(problems);
  const { status: wanted, name: called, sweep, schedule, created_after: createdAfter, after: last, limit: most } = rest as Static<typeof ListJobsQuery>;
  return {
    statuses: wanted === undefined ? null : (wanted.split(',') as JobStatus[]),
    name: called ?? null,
    sweep: sweep ?? null,
    schedule: schedule ?? null,
    tags: Object.fromEntries(entries.filter(isTag).map(([key, value]) => [key.slice(TAG.length), value as string])),
    createdAfter: createdAfter ?? null,
    after: last ?? null,
    limit: Number(most ?? PAGE_LIMIT),
  };
}

export function sweepListQuery({ status: wanted, name: called, after: last, limit: most }: ListSweepsQuery): Omit<SweepListQuery, 'only'> {
  return { statuses: wanted === undefined ? null : (wanted.split(',') as SweepStatus[]), name: called ?? null, after: last ?? null, limit: Number(most ?? PAGE_LIMIT) };
}
const listProblems = makeValidator(ListJobsQuery);

/** A cursor that is a number: an event id, an update, an epoch; a place, whether or not anything is there. -1 without one. @throws AppError invalid_cursor */
export function numericCursor(text: string | undefined, param: string): number {
  if (text === undefined) return -1;
  if (!/^(?:0|[1-9]\d{0,14})$/.test(text)) throw new AppError('invalid_cursor', `${param}: must be a number that a page gave as last_id, got ${JSON.stringify(text.slice(0, 64))}`, { param });
  return Number(text);
}

const tellProblems = makeValidator(TellInput);

/** What is told of a trial. Which of its keys go together no schema says. @throws AppError invalid_request */
export function parseTell(body: unknown): TellInput {
  const problems = tellProblems(body ?? null);
  if (problems.length > 0) throw refusal(problems);
  const told = body as TellInput;
  const { value, values = [], state } = told;
  if (value === undefined && values.length === 0 && state === undefined) problems.push({ param: 'value', message: 'is required (a number, or null for NaN), or values by step, or state' });
  if (value !== undefined && state !== undefined && state !== 'succeeded') problems.push({ param: 'value', message: `is of a trial that succeeded, got ${JSON.stringify(value)} with "state": "${state}"; values on the way are values: [{step, value}]` });
  if (values.length === 0 && value === undefined && state === 'running') problems.push({ param: 'values', message: 'are required with "state": "running": [{step, value}]' });
  for (const [index, { step }] of values.entries()) {
    const before = values[index - 1];
    if (before && before.step >= step) problems.push({ param: `values.${index}.step`, message: `must be greater than the one before it, ${before.step}, got ${step}` });
  }
  if (problems.length > 0) throw refusal(problems);
  return told;
}

const KEY_PARAM = 'Idempotency-Key';
/** 1 to 255 printable characters of ASCII, without spaces at the ends, which HTTP takes off. */
export const KEY_PATTERN = '^[\\x21-\\x7e](?:[\\x20-\\x7e]{0,253}[\\x21-\\x7e])?$';
const isKey = (text: string): boolean => new RegExp(KEY_PATTERN).test(text);

/** @throws AppError invalid_request */
export function idempotencyKeyOf(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key !== 'string' || !isKey(key)) {
    throw new AppError('invalid_request', `${KEY_PARAM}: must be 1 to 255 printable ASCII characters`, { param: KEY_PARAM });
  }
  return key;
}

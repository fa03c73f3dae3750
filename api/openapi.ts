// The API as an OpenAPI 3.1 document, made of the very schemas that requests are checked by and answers are typed by. What no
// such schema says is said here: headers, which texts are cursors, tags in queries.
import Type, { type TSchema } from 'typebox';
import { ErrorBody, Health, listOf, Queue, Readiness, Worker } from '../lib/contract/calls.js';
import { idOf } from '../lib/contract/common.js';
import { Attempt, Checkpoint, DryRun, Job, JobListItem } from '../lib/contract/job.js';
import { Asked, AskInput, TellInput, ToldTrial } from '../lib/contract/external.js';
import { Layer, LAYER_ID } from '../lib/contract/layers.js';
import { EpochRow, JobEvent, LogLine, UpdateRow } from '../lib/contract/rows.js';
import { JobSpecSchema } from '../lib/contract/spec.js';
import { SCHEDULE_COMPONENTS, SCHEDULE_OPERATIONS, SCHEDULE_PATH } from './openapi-schedules.js';
import { Sweep, SweepDryRun, SweepExport, SweepImportance, SweepListItem, Trial } from '../lib/contract/sweep-views.js';
import { Parameter, PARAMETER_ID, SweepSpecSchema } from '../lib/contract/sweep.js';
import { isOpenPath } from './security.js';
import { count, EmptyBody, EventsQuery, ExportQuery, KEY_PATTERN, ListJobsQuery, ListSweepsQuery, MetricsQuery, NoQuery, PageQuery, position, PreemptBody, SubmitQuery, WeightsQuery } from './requests.js';

type Json = Record<string, unknown>;

/** What other parts of the document refer to by name. */
const COMPONENTS: Readonly<Record<string, object>> = { Job, JobListItem, JobSpec: JobSpecSchema, Layer, DryRun, Attempt, Checkpoint, JobEvent, LogLine, UpdateRow, EpochRow, Sweep, SweepListItem, SweepSpec: SweepSpecSchema, Parameter, Trial, AskInput, Asked, TellInput, ToldTrial, SweepImportance, SweepExport, SweepDryRun, Worker, Queue, Health, Readiness, Error: ErrorBody, ...SCHEDULE_COMPONENTS };

/** Headers of requests, by their names. */
const REQUEST_HEADERS = {
  'Idempotency-Key': Type.String({ pattern: KEY_PATTERN, maxLength: 255, description: 'a repeat under the same key makes nothing a second time, for 24 hours' }),
  'Last-Event-ID': { ...count, description: 'the last event that was received' },
  Range: Type.String({ description: 'bytes of the file', examples: ['bytes=0-3', 'bytes=-4', 'bytes=1000000-'] }),
  'If-Range': Type.String({ description: 'an ETag' }),
  'If-None-Match': Type.String({ description: 'an ETag' }),
} as const;

interface Header {
  description: string;
  schema: Json;
  required: boolean;
}
const header = (description: string, pattern: string): Header => ({ description, schema: { type: 'string', pattern }, required: true });
const REQUEST_ID = { 'X-Request-Id': header('the request, as the log names it', '^req_[0-9a-z]{26}$') };
const RETRY_AFTER = { 'Retry-After': { description: 'seconds', schema: { type: 'integer', minimum: 0 }, required: true } };
const TAG = { ETag: header('the sha256 of all bytes', '^"[0-9a-f]{64}"$'), 'Accept-Ranges': header('what ranges are of', '^bytes$') };
const FILE = { ...TAG, 'Content-Disposition': header('a name for the file', '^attachment; filename="job_.*\\.safetensors"$') };
/** Headers of answers with such a status, whatever was asked. */
const ANSWER_HEADERS: Readonly<Record<string, Readonly<Record<string, Header>>>> = {
  401: { 'WWW-Authenticate': header('what to send', '^Bearer$') },
  429: RETRY_AFTER,
  503: RETRY_AFTER,
};

interface Operation {
  method: 'get' | 'post' | 'head' | 'put' | 'delete';
  path: string;
  id: string;
  tag: 'jobs' | 'rows and events' | 'checkpoints' | 'sweeps' | 'workers' | 'health' | 'schedules';
  summary: string;
  query?: TSchema;
  /** What `after` takes, where it is not any text. */
  cursor?: TSchema;
  body?: { schema: TSchema; required: boolean; example?: unknown };
  /** Of the request. */
  headers?: readonly (keyof typeof REQUEST_HEADERS)[];
  status?: number;
  /** A name of COMPONENTS, a list of one, or another media type. */
  answer: string | { list: string } | { media: string };
  /** Such an answer, of this operation. */
  example?: unknown;
  /** Another media type in which the answer comes. */
  otherMedia?: string;
  /** Further answers, by status. */
  also?: Readonly<Record<number, string>>;
  /** Headers of answers, by status. */
  answerHeaders?: Readonly<Record<number, Readonly<Record<string, Header>>>>;
  /** Statuses of errors beside 401, 403, 429 and 500. */
  errors: readonly number[];
}

const ID = '/v1/jobs/{id}';
const verb = (name: string, summary: string): Operation => ({ method: 'post', path: `${ID}/${name}`, id: `${name}Job`, tag: 'jobs', summary, query: NoQuery, body: { schema: name === 'preempt' ? PreemptBody : EmptyBody, required: false }, status: 202, answer: 'Job', errors: [400, 404, 409, 413, 415, 503] });
const weights = (method: 'get' | 'head'): Operation => ({
  method, path: `${ID}/weights`, id: method === 'get' ? 'getWeights' : 'headWeights', tag: 'checkpoints', summary: 'Weights as safetensors, with ranges; the moving average where the job keeps one', query: WeightsQuery,
  headers: ['Range', 'If-Range', 'If-None-Match'], answer: { media: 'application/octet-stream' }, also: { 206: 'a range of the bytes', 304: 'unchanged' },
  answerHeaders: { 200: FILE, 206: { ...FILE, 'Content-Range': header('which bytes of how many', '^bytes \\d+-\\d+/\\d+$') }, 304: TAG, 416: { ...TAG, 'Content-Range': header('how many bytes there are', '^bytes \\*/\\d+$') } },
  errors: [400, 404, 409, 416, 503],
});

const SWEEP = '/v1/sweeps/{id}';
const sweepVerb = (name: string, summary: string): Operation => ({ method: 'post', path: `${SWEEP}/${name}`, id: `${name}Sweep`, tag: 'sweeps', summary, query: NoQuery, body: { schema: EmptyBody, required: false }, status: 202, answer: 'Sweep', errors: [400, 404, 409, 413, 415, 503] });

export const OPERATIONS: readonly Operation[] = [
  {
    method: 'post', path: '/v1/jobs', id: 'submitJob', tag: 'jobs', summary: 'Submit a job; with dry_run=true, see what it would be', query: SubmitQuery, body: { schema: JobSpecSchema, required: true },
    headers: ['Idempotency-Key'], status: 201, answer: 'Job', also: { 200: 'DryRun' }, errors: [400, 409, 413, 415, 503],
    answerHeaders: { 201: { Location: header('the job', '^/v1/jobs/job_'), 'Idempotent-Replayed': { ...header('the key had been used: this is the job of then', '^true$'), required: false } } },
  },
  { method: 'get', path: '/v1/jobs', id: 'listJobs', tag: 'jobs', summary: 'Jobs, newest first, without those whose own record is damaged; tag.KEY=VALUE filters by tag', query: ListJobsQuery, cursor: idOf('job'), answer: { list: 'JobListItem' }, errors: [400, 404, 503] },
  { method: 'get', path: ID, id: 'getJob', tag: 'jobs', summary: 'A job', query: NoQuery, answer: 'Job', errors: [400, 404, 503] },
  verb('pause', 'Commit and hold a job'),
  verb('resume', 'Let a paused job go on'),
  verb('cancel', 'Commit and end a job'),
  verb('kill', 'End a job without a commit'),
  verb('retry', 'Start a failed, cancelled or expired job again, from its last checkpoint'),
  verb('preempt', 'Treat a job as if its machine were about to vanish'),
  { method: 'get', path: `${ID}/events`, id: 'listEvents', tag: 'rows and events', summary: 'The journal of a job, oldest first', query: EventsQuery, cursor: position, answer: { list: 'JobEvent' }, errors: [400, 404, 503] },
  { method: 'get', path: `${ID}/logs`, id: 'listLogLines', tag: 'rows and events', summary: 'What workers and trainers said about a job, oldest first', query: EventsQuery, cursor: position, answer: { list: 'LogLine' }, errors: [400, 404, 503] },
  { method: 'get', path: `${ID}/stream`, id: 'streamEvents', tag: 'rows and events', summary: 'The journal as server-sent events', query: NoQuery, headers: ['Last-Event-ID'], answer: { media: 'text/event-stream' }, also: { 204: 'the last event was received before' }, errors: [400, 404, 503] },
  { method: 'get', path: `${ID}/metrics`, id: 'listRows', tag: 'rows and events', summary: 'Rows of updates or epochs, oldest first', query: MetricsQuery, cursor: position, answer: { list: 'UpdateRow | EpochRow' }, errors: [400, 404, 503] },
  { method: 'get', path: `${ID}/attempts`, id: 'listAttempts', tag: 'jobs', summary: 'The attempts of a job, oldest first', query: PageQuery, cursor: count, answer: { list: 'Attempt' }, errors: [400, 404, 503] },
  { method: 'get', path: `${ID}/checkpoints`, id: 'listCheckpoints', tag: 'checkpoints', summary: 'The checkpoints that are kept, newest first', query: PageQuery, cursor: idOf('ckpt'), answer: { list: 'Checkpoint' }, errors: [400, 404, 503] },
  { method: 'get', path: `${ID}/checkpoints/{checkpoint}`, id: 'getCheckpoint', tag: 'checkpoints', summary: 'A checkpoint', query: NoQuery, answer: 'Checkpoint', errors: [400, 404, 503] },
  weights('get'),
  weights('head'),
  {
    method: 'post', path: '/v1/sweeps', id: 'startSweep', tag: 'sweeps', summary: 'Start a sweep; with dry_run=true, see its first trials', query: SubmitQuery, body: { schema: SweepSpecSchema, required: true },
    headers: ['Idempotency-Key'], status: 201, answer: 'Sweep', also: { 200: 'SweepDryRun' }, errors: [400, 409, 413, 415, 503],
    answerHeaders: { 201: { Location: header('the sweep', '^/v1/sweeps/swp_'), 'Idempotent-Replayed': { ...header('the key had been used: this is the sweep of then', '^true$'), required: false } } },
  },
  { method: 'get', path: '/v1/sweeps', id: 'listSweeps', tag: 'sweeps', summary: 'Sweeps, newest first', query: ListSweepsQuery, cursor: idOf('swp'), answer: { list: 'SweepListItem' }, errors: [400, 404, 503] },
  { method: 'get', path: SWEEP, id: 'getSweep', tag: 'sweeps', summary: 'A sweep', query: NoQuery, answer: 'Sweep', errors: [400, 404, 503] },
  { method: 'get', path: `${SWEEP}/trials`, id: 'listTrials', tag: 'sweeps', summary: 'The trials of a sweep, oldest first', query: PageQuery, answer: { list: 'Trial' }, errors: [400, 404, 503] },
  { method: 'get', path: `${SWEEP}/trials/{number}`, id: 'getTrial', tag: 'sweeps', summary: 'A trial', query: NoQuery, answer: 'Trial', errors: [400, 404, 503] },
  { method: 'post', path: `${SWEEP}/trials/ask`, id: 'askForTrials', tag: 'sweeps', summary: 'Of an external sweep: trials for a program of your own to run. Asked again by the same `client` it gives the same ones', query: NoQuery, body: { schema: AskInput, required: false }, answer: 'Asked', errors: [400, 404, 409, 413, 415, 503] },
  { method: 'post', path: `${SWEEP}/trials/tell`, id: 'tellOfTrial', tag: 'sweeps', summary: 'Of an external sweep: how a trial goes, or ended; the answer says whether it goes on. Telling the same again changes nothing', query: NoQuery, body: { schema: TellInput, required: true }, answer: 'ToldTrial', errors: [400, 404, 409, 413, 415, 503] },
  { method: 'get', path: `${SWEEP}/importance`, id: 'getImportance', tag: 'sweeps', summary: 'How much each parameter had to do with being one of the best', query: NoQuery, answer: 'SweepImportance', errors: [400, 404, 503] },
  {
    method: 'get', path: `${SWEEP}/export`, id: 'exportSweep', tag: 'sweeps', summary: 'A sweep with all its trials, or the trials as a table', query: ExportQuery, answer: 'SweepExport', otherMedia: 'text/csv', errors: [400, 404, 503],
    answerHeaders: { 200: { 'Content-Disposition': header('a name for the file', '^attachment; filename="swp_.*\\.(json|csv)"$') } },
  },
  {
    method: 'get', path: `${SWEEP}/report`, id: 'getReport', tag: 'sweeps', summary: 'A sweep as one page of plots, which needs nothing else', query: NoQuery, answer: { media: 'text/html' }, errors: [400, 404, 503],
    answerHeaders: { 200: { 'Content-Security-Policy': header('what the page may load: nothing but what is in it', "^default-src 'none'; "), 'Content-Disposition': header('a name for the file', '^inline; filename="swp_.*\\.html"$') } },
  },
  sweepVerb('pause', 'Begin no trials; those that run go on to their next rung'),
  sweepVerb('resume', 'Go on with a paused or suspended sweep'),
  sweepVerb('stop', 'Begin no more trials, and end when those that run have'),
  sweepVerb('cancel', 'End a sweep and all its trials'),
  sweepVerb('suspend', 'Commit all trials and free their workers'),
  { method: 'get', path: '/v1/workers', id: 'listWorkers', tag: 'workers', summary: 'Live workers', query: NoQuery, answer: { list: 'Worker' }, errors: [400, 503] },
  { method: 'post', path: '/v1/workers/{id}/drain', id: 'drainWorker', tag: 'workers', summary: 'Let a worker commit its jobs and end', query: NoQuery, body: { schema: EmptyBody, required: false }, status: 202, answer: 'Worker', errors: [400, 404, 413, 415, 503] },
  { method: 'get', path: '/v1/queue', id: 'getQueue', tag: 'workers', summary: 'How much waits', query: NoQuery, answer: 'Queue', errors: [400, 503] },
  ...SCHEDULE_OPERATIONS,
  { method: 'get', path: '/healthz', id: 'getHealth', tag: 'health', summary: 'Whether the process lives; no token needed', query: NoQuery, answer: 'Health', errors: [400] },
  { method: 'get', path: '/readyz', id: 'getReadiness', tag: 'health', summary: 'Whether it can take jobs; no token needed', query: NoQuery, answer: 'Readiness', also: { 503: 'Readiness' }, errors: [400] },
  { method: 'get', path: '/metrics', id: 'getFigures', tag: 'health', summary: 'Figures for Prometheus', query: NoQuery, answer: { media: 'text/plain' }, errors: [400] },
];

/** @param version of Pawl */
export function openApiDocument(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const operation of OPERATIONS) paths[operation.path] = { ...paths[operation.path], [operation.method]: operationObject(operation) };
  return {
    openapi: '3.1.0',
    info: { title: 'Pawl', version, description: 'Training jobs that resume bit for bit on machines that may vanish.' },
    servers: [{ url: '/' }],
    security: [{}, { token: [] }],
    paths,
    components: { schemas: Object.fromEntries(Object.entries(COMPONENTS).map(([name, schema]) => [name, component(name, schema)])), securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'PAWL_API_TOKEN, where the server has one' } } },
  };
}

/** `tag.KEY=VALUE`, as often as wanted: an object whose keys are names of the query. */
const TAGS: Json = { name: 'tags', in: 'query', style: 'form', explode: true, description: 'jobs with these tags', schema: { type: 'object', propertyNames: { pattern: '^tag\\..' }, additionalProperties: { type: 'string' }, examples: [{ 'tag.team': 'vision' }] } };

function operationObject({ method, path, id, tag, summary, query, cursor, body, headers = [], status = 200, answer, otherMedia, example, also = {}, answerHeaders = {}, errors }: Operation): Json {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: plain(idIn(path, name!)) }));
  const properties = (query as { properties?: Record<string, TSchema> } | undefined)?.properties ?? {};
  const inQuery = Object.entries(properties).map(([name, schema]) => parameter('query', name, name === 'after' ? (cursor ?? schema) : schema));
  const answers: Record<string, Json> = { [status]: answerObject(answer, otherMedia, example) };
  for (const [code, what] of Object.entries(also)) answers[code] = COMPONENTS[what] === undefined ? { description: what } : answerObject(what);
  for (const code of [...errors, 401, 403, ...(isOpenPath(path) ? [] : [429]), 500]) answers[code] ??= { description: 'an error', content: json(reference('Error')) };
  const described = Object.entries(answers).map(([code, { content, ...what }]): [string, Json] => [
    code,
    // An answer to HEAD has no body.
    { ...what, headers: { ...REQUEST_ID, ...ANSWER_HEADERS[code], ...answerHeaders[Number(code)] }, ...(content === undefined || method === 'head' ? {} : { content }) },
  ]);
  return {
    operationId: id, tags: [tag], summary, parameters: [...inPath, ...inQuery, ...(query === ListJobsQuery ? [TAGS] : []), ...headers.map((name) => parameter('header', name, REQUEST_HEADERS[name]))],
    ...(body === undefined ? {} : { requestBody: { required: body.required, content: json(bodySchema(body.schema), body.example) } }),
    responses: Object.fromEntries(described),
  };
}

function bodySchema(schema: TSchema): Json {
  const name = Object.keys(COMPONENTS).find((each) => COMPONENTS[each] === schema);
  return name === undefined ? plain(schema) : reference(name);
}

/** What is in the braces of a path. Workers choose their own names. */
function idIn(path: string, name: string): TSchema {
  if (name === 'checkpoint') return idOf('ckpt');
  if (name === 'number') return count;
  if (path.startsWith(SCHEDULE_PATH)) return idOf('sch');
  return path.startsWith(ID) ? idOf('job') : path.startsWith(SWEEP) ? idOf('swp') : Type.String({ minLength: 1 });
}

function parameter(where: 'query' | 'header', name: string, schema: TSchema): Json {
  const { description, ...rest } = plain(schema);
  return { name, in: where, schema: rest, ...(description === undefined ? {} : { description }) };
}

const reference = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: unknown, example?: unknown): Json => ({ 'application/json': { schema, ...(example === undefined ? {} : { example }) } });

const mediaOf = (media: string): Json => ({ [media]: { schema: { type: 'string' } } });

function answerObject(answer: Operation['answer'], otherMedia?: string, example?: unknown): Json {
  if (typeof answer === 'string') return { description: answer, content: { ...json(reference(answer), example), ...(otherMedia === undefined ? {} : mediaOf(otherMedia)) } };
  if ('media' in answer) return { description: answer.media, content: mediaOf(answer.media) };
  const items = answer.list.split(' | ').map(reference);
  const list = plain(listOf({})) as { properties: { data: Json } };
  list.properties.data['items'] = items.length === 1 ? items[0] : { anyOf: items };
  return { description: `a page of ${answer.list}`, content: json(list, example) };
}

/** Schemas that others refer to by an id of their own. */
const BY_ID: Readonly<Record<string, string>> = { [LAYER_ID]: 'Layer', [PARAMETER_ID]: 'Parameter' };

/** A component's own schema: those that have an id are one each, and a job and a sweep have a spec. */
function component(name: string, schema: object): unknown {
  if (Object.values(BY_ID).includes(name)) {
    const { $id: _id, ...own } = schema as Json;
    return plain(own);
  }
  const made = plain(schema) as { properties?: Record<string, unknown> };
  if (name === 'Job' && made.properties) made.properties['spec'] = reference('JobSpec');
  return made;
}

/** A schema as JSON, with layers and parameters by reference. */
function plain(schema: unknown): Json {
  return JSON.parse(
    JSON.stringify(schema, (_key, value: unknown) => {
      const name = nameOf(value);
      return name === null ? described(value) : reference(name);
    }),
  ) as Json;
}
/** Where nothing says what a value means, what it may be does; `allows` is a keyword of ours. */
function described(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || typeof (value as Json)['allows'] !== 'string') return value;
  const { allows, ...schema } = value as Json;
  return { description: allows, ...schema };
}
const nameOf = (value: unknown): string | null => {
  if (typeof value !== 'object' || value === null) return null;
  const { $id, $ref } = value as Json;
  return BY_ID[String($id ?? $ref)] ?? null;
};

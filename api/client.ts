// The API as functions: typed answers, failures as ApiError, and trying again only where that cannot do harm. Built on fetch alone,
// so that anything may use it; the CLI and the tests do.
import { randomUUID } from 'node:crypto';
import type { Attempt, Checkpoint, DryRun, Job, JobListItem } from '../lib/contract/job.js';
import type { EpochRow, JobEvent, LogLine, UpdateRow } from '../lib/contract/rows.js';
import type { QueueView, WorkerView } from '../lib/contract/calls.js';
import type { DeletedSchedule, Fire, FireRequests, OverlapPolicy, Preview, PreviewInput, Schedule, ScheduleListItem } from '../lib/contract/schedule.js';
import { makeSweepClient, type SweepClient } from './client-sweeps.js';
import type { List } from './lists.js';
import { readEventStream, type StreamedEvent, type StreamOptions } from './client-stream.js';

/** `unreachable`: nobody answered. Otherwise the API's own code. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: string;
  /** 0 for `unreachable`. */
  readonly status: number;
  readonly type: string;
  readonly param: string | null;
  readonly details: readonly { param: string; message: string }[];
  readonly requestId: string | null;
  readonly retryAfterSeconds: number | null;

  constructor(message: string, facts: Partial<Omit<ApiError, keyof Error>> & { code: string }, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = facts.code;
    this.status = facts.status ?? 0;
    this.type = facts.type ?? 'unavailable';
    this.param = facts.param ?? null;
    this.details = facts.details ?? [];
    this.requestId = facts.requestId ?? null;
    this.retryAfterSeconds = facts.retryAfterSeconds ?? null;
  }
}

export interface ClientOptions {
  /** Such as http://127.0.0.1:8787. */
  url: string;
  token?: string;
  /** For one answer. */
  timeoutMs?: number;
  /** For all tries of one call together; 0 tries once. */
  retryBudgetMs?: number;
}

export interface Submitted {
  job: Job;
  /** The key had been used: this is the job of then. */
  replayed: boolean;
}

export interface ListJobsQuery {
  status?: readonly string[];
  tags?: Readonly<Record<string, string>>;
  name?: string;
  sweep?: string;
  schedule?: string;
  created_after?: string;
  after?: string;
  limit?: number;
}

export interface PageQuery {
  after?: string | number;
  limit?: number;
}

export interface MetricsQuery {
  after_update?: number;
  after?: number;
  limit?: number;
  max_points?: number;
}

export type Verb = 'pause' | 'resume' | 'cancel' | 'kill' | 'retry';

export interface Download {
  sha256: string;
  sizeBytes: number;
  body: ReadableStream<Uint8Array>;
}

export interface SchedulesClient {
  /** A key is made where none is given. */
  create(schedule: unknown, options?: { idempotencyKey?: string }): Promise<Schedule>;
  list(query?: PageQuery & { name?: string }): Promise<List<ScheduleListItem>>;
  get(id: string): Promise<Schedule>;
  replace(id: string, schedule: unknown): Promise<Schedule>;
  remove(id: string): Promise<DeletedSchedule>;
  pause(id: string, note?: string): Promise<Schedule>;
  resume(id: string): Promise<Schedule>;
  /** A key is made where none is given, so that trying again never fires a second time. */
  trigger(id: string, policy?: OverlapPolicy, options?: { idempotencyKey?: string }): Promise<FireRequests>;
  /** As trigger. */
  backfill(id: string, stretch: { from: string; to: string; overlap_policy?: OverlapPolicy }, options?: { idempotencyKey?: string }): Promise<FireRequests>;
  preview(id: string, count?: number): Promise<Preview>;
  previewRule(rule: PreviewInput): Promise<Preview>;
  fires(id: string, query?: PageQuery): Promise<List<Fire>>;
}

export interface Client {
  readonly url: string;
  readonly sweeps: SweepClient;
  /** A key is made where none is given, so that trying again never makes a second job. */
  submit(spec: unknown, options?: { idempotencyKey?: string }): Promise<Submitted>;
  dryRun(spec: unknown): Promise<DryRun>;
  jobs(query?: ListJobsQuery): Promise<List<JobListItem>>;
  job(id: string, signal?: AbortSignal): Promise<Job>;
  verb(id: string, verb: Verb): Promise<Job>;
  preempt(id: string, graceSeconds?: number): Promise<Job>;
  events(id: string, query?: PageQuery): Promise<List<JobEvent>>;
  logs(id: string, query?: PageQuery): Promise<List<LogLine>>;
  /** Every event after `after` until the job is over, across lost connections. */
  stream(id: string, options?: StreamOptions): AsyncGenerator<StreamedEvent, void, void>;
  updateRows(id: string, query?: MetricsQuery): Promise<List<UpdateRow>>;
  epochRows(id: string, query?: MetricsQuery): Promise<List<EpochRow>>;
  attempts(id: string, query?: PageQuery): Promise<List<Attempt>>;
  checkpoints(id: string, query?: PageQuery): Promise<List<Checkpoint>>;
  checkpoint(id: string, checkpoint: string): Promise<Checkpoint>;
  /** The result's weights, or a checkpoint's; the moving average where the job keeps one. The body has to be read or cancelled. */
  weights(id: string, query?: { checkpoint?: string | undefined; weights?: 'ema' | 'raw' | undefined }): Promise<Download>;
  workers(): Promise<List<WorkerView>>;
  drain(worker: string): Promise<WorkerView>;
  queue(): Promise<QueueView>;
  readonly schedules: SchedulesClient;
  ready(): Promise<{ status: string; store: string; redis: string }>;
}

/** What may be sent again: `always` even if it may have taken effect, `unsent` only if it was certainly not heard. */
type Repeat = 'always' | 'unsent';
interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  repeat: Repeat;
  signal?: AbortSignal;
  /** Answers besides 2xx that are none of its failures. */
  accept?: readonly number[];
}

const TIMEOUT_MS = 35_000;
const RETRY_BUDGET_MS = 2_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

export function makeClient({ url, token, timeoutMs = TIMEOUT_MS, retryBudgetMs = RETRY_BUDGET_MS }: ClientOptions): Client {
  const base = url.replace(/\/+$/, '');

  /** One try; the answer has to be there, as far as `read` goes into it, in time. */
  async function once<T>({ method, path, query, body, headers, signal, accept }: Call, read: (response: Response) => Promise<T> | T): Promise<T> {
    const parameters = Object.entries(query ?? {}).flatMap(([key, value]): [string, string][] => (value === undefined ? [] : [[key, String(value)]]));
    const address = `${base}${path}${parameters.length > 0 ? `?${new URLSearchParams(parameters).toString()}` : ''}`;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no answer within ${timeoutMs / 1_000} s`)), timeoutMs);
    try {
      const response = await fetch(address, {
        method,
        redirect: 'error',
        signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
        headers: { accept: 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (response.ok || accept?.includes(response.status)) return await read(response);
      throw await errorOf(response);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ApiError) throw error;
      if (error instanceof SyntaxError) throw new ApiError(`${base} answers, and not as Pawl does`, { code: 'unexpected_answer' }, error);
      throw new ApiError(`${base} does not answer: ${reasonOf(error)}`, { code: 'unreachable' }, error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Tries within the budget; a server that says when to come again is taken at its word. */
  async function send<T>(call: Call, read: (response: Response) => Promise<T> | T): Promise<T> {
    const deadline = performance.now() + retryBudgetMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      try {
        return await once(call, read);
      } catch (error) {
        if (!(error instanceof ApiError) || !mayRepeat(error, call.repeat)) throw error;
        const waitMs = Math.max(pauseMs, (error.retryAfterSeconds ?? 0) * 1_000);
        if (performance.now() + waitMs > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        // what was wrong says more than that the caller waits no longer
        if (call.signal?.aborted) throw error;
      }
    }
  }

  const json = <T>(call: Call): Promise<T> => send(call, async (response) => (await response.json()) as T);
  const whole = (response: Response): Response => response;
  const get = <T>(path: string, query?: Call['query']): Promise<T> => json<T>({ method: 'GET', path, repeat: 'always', ...(query ? { query } : {}) });
  const text = (path: string, type: string, query: Call['query'] = {}): Promise<string> =>
    send({ method: 'GET', path, query, headers: { accept: type }, repeat: 'always' }, (response) => {
      if (!response.headers.get('content-type')?.startsWith(type)) throw new SyntaxError(`this is no ${type}`);
      return response.text();
    });
  const pathOf = (id: string, rest = ''): string => `/v1/jobs/${encodeURIComponent(id)}${rest}`;

  return {
    url: base,
    sweeps: makeSweepClient({ get, text, post: (path, { once: isOnce, ...options } = {}) => send({ method: 'POST', path, repeat: isOnce ? 'unsent' : 'always', ...options }, async (response) => ({ answer: (await response.json()) as never, headers: response.headers })) }),
    submit: async (spec, { idempotencyKey = randomUUID() } = {}) => {
      const call: Call = { method: 'POST', path: '/v1/jobs', body: spec, headers: { 'idempotency-key': idempotencyKey }, repeat: 'always' };
      return send(call, async (response) => ({ job: (await response.json()) as Job, replayed: response.headers.get('idempotent-replayed') === 'true' }));
    },
    dryRun: (spec) => json({ method: 'POST', path: '/v1/jobs', query: { dry_run: 'true' }, body: spec, repeat: 'always' }),
    jobs: ({ status, tags = {}, ...rest } = {}) => get('/v1/jobs', { ...rest, status: status?.join(','), ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`tag.${key}`, value])) }),
    job: (id, signal) => json({ method: 'GET', path: pathOf(id), repeat: 'always', ...(signal ? { signal } : {}) }),
    // A verb said twice is said once; a retry is not, because the second would find the job queued.
    verb: (id, verb) => json({ method: 'POST', path: pathOf(id, `/${verb}`), repeat: verb === 'retry' ? 'unsent' : 'always' }),
    preempt: (id, graceSeconds) => json({ method: 'POST', path: pathOf(id, '/preempt'), body: graceSeconds === undefined ? {} : { grace_seconds: graceSeconds }, repeat: 'unsent' }),
    events: (id, query) => get(pathOf(id, '/events'), { ...query }),
    logs: (id, query) => get(pathOf(id, '/logs'), { ...query }),
    stream: (id, options = {}) =>
      readEventStream(
        (after, signal) => once({ method: 'GET', path: pathOf(id, '/stream'), repeat: 'always', headers: { accept: 'text/event-stream', ...(after === null ? {} : { 'last-event-id': String(after) }) }, signal }, whole),
        (error) => error instanceof ApiError && mayRepeat(error, 'always'),
        options,
      ),
    updateRows: (id, query) => get(pathOf(id, '/metrics'), { ...query, series: 'update' }),
    epochRows: (id, query) => get(pathOf(id, '/metrics'), { ...query, series: 'epoch' }),
    attempts: (id, query) => get(pathOf(id, '/attempts'), { ...query }),
    checkpoints: (id, query) => get(pathOf(id, '/checkpoints'), { ...query }),
    checkpoint: (id, checkpoint) => get(pathOf(id, `/checkpoints/${encodeURIComponent(checkpoint)}`)),
    weights: async (id, query = {}) => {
      const { headers, body } = await send({ method: 'GET', path: pathOf(id, '/weights'), query, headers: { accept: 'application/octet-stream' }, repeat: 'always' }, whole);
      if (!body) throw new ApiError('the answer has no body', { code: 'unreachable' });
      return { sha256: (headers.get('etag') ?? '').replaceAll('"', ''), sizeBytes: Number(headers.get('content-length')), body };
    },
    workers: () => get('/v1/workers'),
    drain: (worker) => json({ method: 'POST', path: `/v1/workers/${encodeURIComponent(worker)}/drain`, repeat: 'unsent' }),
    queue: () => get('/v1/queue'),
    schedules: makeSchedulesClient(json),
    ready: () => json({ method: 'GET', path: '/readyz', repeat: 'unsent', accept: [503] }),
  };
}

function makeSchedulesClient(json: <T>(call: Call) => Promise<T>): SchedulesClient {
  const pathOf = (id: string, rest = ''): string => `/v1/schedules/${encodeURIComponent(id)}${rest}`;
  const get = <T>(path: string, query: Call['query'] = {}): Promise<T> => json<T>({ method: 'GET', path, query, repeat: 'always' });
  const post = <T>(path: string, body: unknown): Promise<T> => json<T>({ method: 'POST', path, body, repeat: 'always' });
  const postOnce = <T>(path: string, body: unknown, { idempotencyKey = randomUUID() }: { idempotencyKey?: string } = {}): Promise<T> => json<T>({ method: 'POST', path, body, headers: { 'idempotency-key': idempotencyKey }, repeat: 'always' });
  return {
    create: (schedule, options) => postOnce('/v1/schedules', schedule, options),
    list: (query) => get('/v1/schedules', { ...query }),
    get: (id) => get(pathOf(id)),
    replace: (id, schedule) => json({ method: 'PUT', path: pathOf(id), body: schedule, repeat: 'always' }),
    // The second of two would find nothing there.
    remove: (id) => json({ method: 'DELETE', path: pathOf(id), repeat: 'unsent' }),
    pause: (id, note) => post(pathOf(id, '/pause'), note === undefined ? {} : { note }),
    resume: (id) => post(pathOf(id, '/resume'), {}),
    trigger: (id, policy, options) => postOnce(pathOf(id, '/trigger'), policy === undefined ? {} : { overlap_policy: policy }, options),
    backfill: (id, stretch, options) => postOnce(pathOf(id, '/backfill'), stretch, options),
    preview: (id, count) => get(pathOf(id, '/preview'), { count }),
    previewRule: (rule) => post('/v1/schedules/preview', rule),
    fires: (id, query) => get(pathOf(id, '/fires'), { ...query }),
  };
}

function mayRepeat(error: ApiError, repeat: Repeat): boolean {
  if (error.code === 'unreachable') return repeat === 'always' || isRefused(error.cause);
  if (error.code === 'idempotency_in_progress') return true;
  // 503 leaves open whether it took effect.
  return error.status === 503 && repeat === 'always' && error.code !== 'queue_unavailable';
}

/** Nobody listened, so nobody heard it. */
function isRefused(error: unknown): boolean {
  return systemErrorOf(error) === 'ECONNREFUSED';
}

function systemErrorOf(error: unknown): string | null {
  const cause = (error as { cause?: unknown } | undefined)?.cause ?? error;
  const { code, errors } = (cause ?? {}) as { code?: string; errors?: { code?: string }[] };
  return code ?? errors?.[0]?.code ?? null;
}

function reasonOf(error: unknown): string {
  const code = systemErrorOf(error);
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  const cause = (error as { cause?: Error }).cause;
  return cause?.message ? cause.message : (error as Error).message;
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  const retryAfter = response.headers.get('retry-after');
  const facts = { status: response.status, retryAfterSeconds: retryAfter !== null && /^\d+$/.test(retryAfter) ? Number(retryAfter) : null };
  try {
    const { error } = JSON.parse(text) as { error: { code: string; type: string; message: string; param: string | null; request_id: string; details: { param: string; message: string }[] } };
    return new ApiError(error.message, { ...facts, code: error.code, type: error.type, param: error.param, details: error.details, requestId: error.request_id });
  } catch {
    return new ApiError(`${response.url} answered ${response.status}, and not as Pawl does`, { ...facts, code: 'unexpected_answer' });
  }
}

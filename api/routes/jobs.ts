// Jobs over HTTP: submit, list, read, and the verbs. What any of it means is in lib/jobs.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Job } from '../../lib/contract/job.js';
import type { Head } from '../../lib/contract/records.js';
import { AppError } from '../../lib/errors.js';
import { asJobId } from '../../lib/jobs/access.js';
import { admitSpec, dryRun, findRepeat } from '../../lib/jobs/admission.js';
import { retryJob, sayVerb, type Verb } from '../../lib/jobs/control.js';
import { bodySha256 } from '../../lib/jobs/idempotency.js';
import { numberOf } from '../../lib/jobs/metrics.js';
import { BY_A_USER, submitJob } from '../../lib/jobs/submit.js';
import { startedBy } from '../../lib/schedules/started.js';
import type { RouteDeps } from '../deps.js';
import { listOf, pageOf } from '../lists.js';
import { type EventsQuery, idempotencyKeyOf, type MetricsQuery, numericCursor, pageLimit, type PageQuery, parseListQuery, type PreemptBody } from '../requests.js';

export interface JobParams {
  id: string;
}
type OfJob<Q = unknown, B = unknown> = FastifyRequest<{ Params: JobParams; Querystring: Q; Body: B }>;

/** All tokens are one principal: a list of them is there so that one can replace another. */
const PRINCIPAL = 'api';
const DEFAULT_GRACE_SECONDS = 30;
const FULL_RETRY_SECONDS = 60;

export function makeJobRoutes(deps: RouteDeps) {
  const { access, listing, control, queue, store, sweeps, tell } = deps;

  async function accepted(id: string, reply: FastifyReply): Promise<Job> {
    await tell(id);
    void reply.code(202);
    return access.job(id);
  }

  const verb = (said: Verb) => async (request: OfJob, reply: FastifyReply) => {
    const id = asJobId(request.params.id);
    await sayVerb(control, id, said, 'user');
    return accepted(id, reply);
  };

  /** @throws AppError queue_full */
  async function assertRoom(): Promise<void> {
    const { openJobs: most } = deps.limits;
    if (await listing.isFull(most)) throw new AppError('queue_full', `${most} jobs are not over yet, and no more are taken (PAWL_MAX_OPEN_JOBS)`, { retryAfterSeconds: FULL_RETRY_SECONDS });
  }

  /** A page of what is numbered within a job. */
  const numbered =
    <T extends { id: number }>(read: (id: string, after: number, limit: number) => Promise<T[]>) =>
    async (request: OfJob<EventsQuery>) => {
      const limit = pageLimit(request.query);
      const after = numericCursor(request.query.after, 'after');
      const found = await read(asJobId(request.params.id), after, limit + 1);
      const data = found.slice(0, limit);
      return listOf(data, found.length > limit, data.at(-1)?.id ?? null);
    };

  return {
    submit: async (request: FastifyRequest<{ Querystring: { dry_run?: string } }>, reply: FastifyReply) => {
      const key = idempotencyKeyOf(request);
      if (request.query.dry_run === 'true') return dryRun(await admitSpec(request.body, deps.places, store));
      const sent = { principal: PRINCIPAL, key, bodySha256: bodySha256(request.body ?? null) };
      const repeat = await findRepeat(store, sent, deps.clock.now());
      if (!repeat) await assertRoom();
      const { record, replayed } = repeat ? { record: repeat, replayed: true } : await submitJob(control, { ...sent, id: deps.newJobId(), origin: BY_A_USER, ...(await admitSpec(request.body, deps.places, store)) });
      if (replayed) void reply.header('idempotent-replayed', 'true');
      else listing.note(record.id, 0);
      void reply.code(201).header('location', `/v1/jobs/${record.id}`);
      return access.job(record.id);
    },

    list: async (request: FastifyRequest) => {
      const { sweep, schedule, ...query } = parseListQuery(request.query);
      const ofSweep = sweep === null ? null : await sweeps.jobs(sweep);
      const ofSchedule = schedule === null ? null : await startedBy(store, schedule, 'job');
      const only = ofSchedule === null ? ofSweep : new Set(ofSweep === null ? ofSchedule : ofSchedule.filter((id) => ofSweep.has(id)));
      const { items, hasMore, lastId } = await listing.list({ ...query, only });
      return listOf(items, hasMore, lastId);
    },

    get: async (request: OfJob) => access.job(asJobId(request.params.id)),

    pause: verb('pause'),
    resume: verb('resume'),
    cancel: verb('cancel'),
    kill: verb('kill'),

    retry: async (request: OfJob, reply: FastifyReply) => {
      const id = asJobId(request.params.id);
      const { gen } = await retryJob(control, id, assertRoom);
      listing.note(id, gen);
      return accepted(id, reply);
    },

    preempt: async (request: OfJob<unknown, PreemptBody | undefined>, reply: FastifyReply) => {
      const id = asJobId(request.params.id);
      const graceSeconds = request.body?.grace_seconds ?? DEFAULT_GRACE_SECONDS;
      const { status, head } = await access.status(id);
      const isOwned = status === 'starting' || status === 'running' || status === 'preempting';
      // Said again, it can only leave less time.
      const taken = isOwned && (await askOwner(id, head, graceSeconds));
      if (!taken && status !== 'preempting') throw new AppError('invalid_state', `cannot preempt a job that is ${status}${isOwned ? ', but whose worker does not answer' : ''}`);
      void reply.code(202);
      return access.job(id);
    },

    events: numbered(access.events),
    logs: numbered(access.logLines),

    metrics: async (request: OfJob<MetricsQuery>) => {
      const { series = 'update', after_update: afterUpdate, after, limit, max_points: maxPoints } = request.query;
      const points = maxPoints === undefined ? Infinity : Number(maxPoints);
      const from = Math.max(numericCursor(after, 'after'), series === 'update' ? numericCursor(afterUpdate, 'after_update') : -1);
      // A curve in so many points is of all its rows, unless a limit says otherwise.
      const most = limit === undefined && maxPoints !== undefined ? Infinity : pageLimit(request.query);
      const { rows, hasMore } = await access.rows(asJobId(request.params.id), { series, after: from, limit: most, maxPoints: points });
      const last = rows.at(-1);
      const since = series === 'epoch' && afterUpdate !== undefined ? Number(afterUpdate) : -1;
      return listOf(rows.filter((row) => !('updates' in row) || row.updates > since), hasMore, last ? numberOf(series, last) : null);
    },

    attempts: async (request: OfJob<PageQuery>) => pageOf(await access.attempts(asJobId(request.params.id)), { after: request.query.after ?? null, limit: pageLimit(request.query) }),
  };

  /** @throws AppError queue_unavailable: only a living worker can be asked, and only through Redis */
  async function askOwner(id: string, head: Head, graceSeconds: number): Promise<boolean> {
    return queue.control.requestPreempt(id, head.owner?.attempt ?? null, { graceSeconds });
  }
}

// Schedules over HTTP: create, list, read, replace, delete, and what users ask of them. What any of it means is in lib/schedules.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BackfillInput, DeletedSchedule, DueFire, FireRequests, PauseInput, Preview, Schedule, ScheduleHead, TriggerInput } from '../../lib/contract/schedule.js';
import { AppError } from '../../lib/errors.js';
import { refusal } from '../../lib/jobs/admission.js';
import { assertSameBody, bodySha256, findFirst, settleKey } from '../../lib/jobs/idempotency.js';
import { admitSchedule } from '../../lib/schedules/admission.js';
import { type Asking, askOnce } from '../../lib/schedules/asking.js';
import { backfillSchedule, createdSchedule, createSchedule, pauseSchedule, removeSchedule, resumeSchedule, triggerSchedule, updateSchedule } from '../../lib/schedules/control.js';
import { listSchedules } from '../../lib/schedules/listing.js';
import { asScheduleId, fireKey } from '../../lib/schedules/names.js';
import { firesAfter } from '../../lib/schedules/next.js';
import { readFires, requireSchedule } from '../../lib/schedules/record.js';
import { resolvePreview } from '../../lib/schedules/resolve.js';
import { scheduleView } from '../../lib/schedules/view.js';
import type { RouteDeps } from '../deps.js';
import { listOf } from '../lists.js';
import { idempotencyKeyOf, type ListSchedulesQuery, pageLimit, type PageQuery, type PreviewQuery } from '../requests.js';

interface ScheduleParams {
  id: string;
}
type OfSchedule<Q = unknown, B = unknown> = FastifyRequest<{ Params: ScheduleParams; Querystring: Q; Body: B }>;

/** Keys of schedules do not meet keys of jobs. */
const PRINCIPAL = 'api schedules';
const PREVIEW_COUNT = 10;

export function makeScheduleRoutes(deps: RouteDeps) {
  const { store, clock, places, tell } = deps;

  const view = (id: string, head: ScheduleHead): Schedule => scheduleView(id, head, clock.now());
  const admit = (body: unknown) => admitSchedule(body ?? null, { places, store, now: clock.now() });

  /** What was changed, once controllers have been told. */
  async function changed(id: string, change: Promise<ScheduleHead>): Promise<Schedule> {
    const head = await change;
    await tell(id);
    return view(id, head);
  }

  /** Keys of one verb on one schedule do not meet those of others. */
  async function asked(verb: string, { id, body }: { id: string; body: unknown }, request: FastifyRequest, reply: FastifyReply, ask: (asking: Asking) => Promise<readonly DueFire[]>): Promise<FireRequests> {
    const sent = { principal: `${PRINCIPAL} ${id} ${verb}`, key: idempotencyKeyOf(request), bodySha256: bodySha256(body) };
    const { fires, replayed } = await askOnce(deps, id, sent, ask);
    if (replayed) void reply.header('idempotent-replayed', 'true');
    await tell(id);
    void reply.code(202);
    return { object: 'fire_requests', fires };
  }

  return {
    create: async (request: FastifyRequest, reply: FastifyReply): Promise<Schedule> => {
      const sent = { principal: PRINCIPAL, key: idempotencyKeyOf(request), bodySha256: bodySha256(request.body ?? null) };
      const first = await findFirst(store, sent, clock.now());
      // Its body was admitted once, and is not looked at again.
      let head = first === null ? null : await createdSchedule(deps, first.id);
      let id = first?.id ?? deps.newScheduleId();
      if (head) void reply.header('idempotent-replayed', 'true');
      else {
        const admitted = await admit(request.body);
        const now = clock.now();
        const owner = await settleKey(store, sent, { id, created_at: now.toISOString() }, now);
        assertSameBody(owner, sent);
        if (owner.id !== id) void reply.header('idempotent-replayed', 'true');
        id = owner.id;
        head = await createSchedule(deps, id, admitted);
        await tell(id);
      }
      void reply.code(201).header('location', `/v1/schedules/${id}`);
      return view(id, head);
    },

    list: async (request: FastifyRequest<{ Querystring: ListSchedulesQuery }>) => {
      const { name, after } = request.query;
      const { items, hasMore, lastId } = await listSchedules(deps, { name: name ?? null, after: after ?? null, limit: pageLimit(request.query) });
      return listOf(items, hasMore, lastId);
    },

    get: async (request: OfSchedule): Promise<Schedule> => {
      const id = asScheduleId(request.params.id);
      return view(id, await requireSchedule(deps, id));
    },

    replace: async (request: OfSchedule): Promise<Schedule> => {
      const id = asScheduleId(request.params.id);
      await requireSchedule(deps, id);
      const { spec } = await admit(request.body);
      const head = await updateSchedule(deps, id, spec);
      const { paused } = request.body as { paused?: boolean };
      if (paused === undefined || paused === (head.status === 'paused')) return changed(id, Promise.resolve(head));
      return changed(id, paused ? pauseSchedule(deps, id, null) : resumeSchedule(deps, id));
    },

    remove: async (request: OfSchedule): Promise<DeletedSchedule> => {
      const id = asScheduleId(request.params.id);
      await removeSchedule(deps, id);
      return { id, object: 'schedule', deleted: true };
    },

    pause: async (request: OfSchedule<unknown, PauseInput | undefined>): Promise<Schedule> => {
      const id = asScheduleId(request.params.id);
      return changed(id, pauseSchedule(deps, id, request.body?.note ?? null));
    },

    resume: async (request: OfSchedule): Promise<Schedule> => {
      const id = asScheduleId(request.params.id);
      return changed(id, resumeSchedule(deps, id));
    },

    trigger: async (request: OfSchedule<unknown, TriggerInput | undefined>, reply: FastifyReply): Promise<FireRequests> => {
      const id = asScheduleId(request.params.id);
      const body = request.body ?? {};
      return asked('trigger', { id, body }, request, reply, async (asking) => [(await triggerSchedule(deps, id, body.overlap_policy ?? null, asking)).fire]);
    },

    backfill: async (request: OfSchedule<unknown, BackfillInput | undefined>, reply: FastifyReply): Promise<FireRequests> => {
      if (!request.body) throw new AppError('invalid_request', 'the body must be an object with from and to, got nothing', { param: 'from' });
      const { from, to, overlap_policy: policy = 'buffer_all' } = request.body;
      const id = asScheduleId(request.params.id);
      return asked('backfill', { id, body: request.body }, request, reply, async (asking) => (await backfillSchedule(deps, id, { from: new Date(from), to: new Date(to), policy }, asking)).fires);
    },

    preview: async (request: OfSchedule<PreviewQuery>): Promise<Preview> => {
      const { spec } = await requireSchedule(deps, asScheduleId(request.params.id));
      return { object: 'preview', fires: firesAfter(spec, clock.now(), Number(request.query.count ?? PREVIEW_COUNT)), warnings: [] };
    },

    previewRule: async (request: FastifyRequest): Promise<Preview> => {
      const resolved = resolvePreview(request.body ?? null, clock.now());
      if ('problems' in resolved) throw refusal(resolved.problems);
      const { rule, from, count, warnings } = resolved;
      return { object: 'preview', fires: firesAfter(rule, from, count), warnings };
    },

    fires: async (request: OfSchedule<PageQuery>) => {
      const id = asScheduleId(request.params.id);
      await requireSchedule(deps, id);
      const { after = null } = request.query;
      const limit = pageLimit(request.query);
      if (after !== null && !(await isFire(id, after))) throw new AppError('invalid_cursor', `after: no fire of this schedule has the id ${JSON.stringify(after.slice(0, 64))}`, { param: 'after' });
      const found = await readFires(store, id, { after, limit: limit + 1 });
      const data = found.slice(0, limit);
      return listOf(data, found.length > limit, data.at(-1)?.id ?? null);
    },
  };

  async function isFire(schedule: string, fire: string): Promise<boolean> {
    return /^fire_[0-9a-hjkmnp-tv-z]{26}$/.test(fire) && (await store.head(fireKey(schedule, fire))) !== null;
  }
}

// Sweeps over HTTP: submit, list, read, and the verbs. What any of it means is in lib/sweeps.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { bodySha256 } from '../../lib/jobs/idempotency.js';
import { startedBy } from '../../lib/schedules/started.js';
import { admitSweep, sweepDryRun } from '../../lib/sweeps/admission.js';
import type { SweepVerb } from '../../lib/sweeps/events.js';
import { listSweeps } from '../../lib/sweeps/listing.js';
import { EXPORTS } from '../../lib/sweeps/makers.js';
import { toldOf } from '../../lib/sweeps/external.js';
import { findSweep, submitSweep } from '../../lib/sweeps/submit.js';
import type { RouteDeps } from '../deps.js';
import { listOf } from '../lists.js';
import type { AskInput } from '../../lib/contract/external.js';
import { REPORT } from '../report/maker.js';
import { idempotencyKeyOf, type ListSweepsQuery, pageLimit, type PageQuery, parseTell, sweepListQuery } from '../requests.js';

type OfSweep<Q = unknown> = FastifyRequest<{ Params: { id: string }; Querystring: Q }>;
type OfTrial = FastifyRequest<{ Params: { id: string; number: string } }>;

/** As of jobs, all tokens are one; a key that made a job may make a sweep too. */
const PRINCIPAL = 'api sweeps';

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export function makeSweepRoutes(deps: RouteDeps) {
  const { sweeps, store, places, tell } = deps;

  const verb = (said: SweepVerb) => async (request: OfSweep, reply: FastifyReply) => {
    const sweep = await sweeps.say(request.params.id, said);
    await tell(sweep.id);
    void reply.code(202);
    return sweep;
  };

  return {
    submit: async (request: FastifyRequest<{ Querystring: { dry_run?: string } }>, reply: FastifyReply) => {
      const key = idempotencyKeyOf(request);
      if (request.query.dry_run === 'true') return sweepDryRun(await admitSweep(request.body, places, store));
      const sent = { principal: PRINCIPAL, key, bodySha256: bodySha256(request.body ?? null) };
      const repeat = await findSweep(deps, sent);
      const { record, replayed } = repeat ? { record: repeat, replayed: true } : await submitSweep(deps, { ...sent, id: deps.newSweepId(), ...(await admitSweep(request.body, places, store)) });
      if (replayed) void reply.header('idempotent-replayed', 'true');
      await tell(record.id);
      void reply.code(201).header('location', `/v1/sweeps/${record.id}`);
      return sweeps.sweep(record.id);
    },

    list: async (request: FastifyRequest<{ Querystring: ListSweepsQuery }>) => {
      const { schedule } = request.query;
      const only = schedule === undefined ? null : await startedBy(store, schedule, 'sweep');
      const { items, hasMore, lastId } = await listSweeps(deps, { ...sweepListQuery(request.query), only });
      return listOf(items, hasMore, lastId);
    },

    get: async (request: OfSweep) => sweeps.sweep(request.params.id),

    trials: async (request: OfSweep<PageQuery>) => {
      const { items, hasMore } = await sweeps.trials(request.params.id, { after: request.query.after ?? null, limit: pageLimit(request.query) });
      return listOf(items, hasMore, items.at(-1)?.id ?? null);
    },
    trial: async (request: OfTrial) => sweeps.trial(request.params.id, request.params.number),
    importance: async (request: OfSweep) => sweeps.importance(request.params.id),

    export: async (request: OfSweep<{ format?: 'csv' | 'json' }>, reply: FastifyReply) => {
      const { id } = request.params;
      const format = request.query.format ?? 'json';
      const file = await sweeps.make(id, EXPORTS[format]);
      void reply.type(`${format === 'json' ? 'application/json' : 'text/csv'}; charset=utf-8`).header('content-disposition', `attachment; filename="${id}.${format}"`);
      return bufferOf(file);
    },

    report: async (request: OfSweep, reply: FastifyReply) => {
      const { id } = request.params;
      const { page, policy } = await sweeps.make(id, REPORT);
      void reply.type('text/html; charset=utf-8').headers({
        // No other page may show it in a frame, which only a header can say.
        'content-security-policy': `${policy}; frame-ancestors 'none'`,
        'referrer-policy': 'no-referrer',
        'content-disposition': `inline; filename="${id}.html"`,
      });
      return bufferOf(page);
    },

    ask: async (request: FastifyRequest<{ Params: { id: string }; Body: AskInput | undefined }>) => sweeps.ask(request.params.id, request.body ?? {}),
    tell: async (request: OfSweep) => {
      const told = parseTell(request.body);
      return sweeps.tell(request.params.id, told.id, toldOf(told));
    },

    pause: verb('pause'),
    resume: verb('resume'),
    stop: verb('stop'),
    cancel: verb('cancel'),
    suspend: verb('suspend'),
  };
}

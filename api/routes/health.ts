// Whether this process lives and can take jobs, and its figures for Prometheus. Redis away is no reason to be out of service: jobs
// and verbs are taken by the store.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isAppError } from '../../lib/errors.js';
import type { RouteDeps } from '../deps.js';
import type { Figures } from '../figures.js';

/** Any key that is a key: whether something is there does not matter. */
const READ_KEY = 'probe/ready';
const READ_MS = 3_000;

export function makeHealthRoutes({ store, queue, log, version }: RouteDeps, figures: Figures) {
  async function storeAnswers(): Promise<boolean> {
    const broken = store.brokenBy();
    if (broken !== null) {
      log.error({ why: broken }, 'this process can write no more: it has to be started again');
      return false;
    }
    try {
      await store.head(READ_KEY, { signal: AbortSignal.timeout(READ_MS) });
      return true;
    } catch (error) {
      log.warn({ err: error, code: isAppError(error) ? error.code : null }, 'the store does not answer');
      return false;
    }
  }

  return {
    healthz: () => ({ status: 'ok', version }),

    readyz: async (_request: FastifyRequest, reply: FastifyReply) => {
      const store = await storeAnswers();
      const { status } = queue.state();
      if (!store) void reply.code(503).header('retry-after', '2');
      return { status: store ? 'ready' : 'unavailable', store: store ? 'ok' : 'away', redis: status };
    },

    metrics: async (_request: FastifyRequest, reply: FastifyReply) => {
      const { contentType, text } = await figures.read();
      return reply.type(contentType).send(text);
    },
  };
}

// How often one client may ask. A client is a token, or where none is asked for an address; what a load balancer asks is not counted.
import fastifyRateLimit from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../lib/errors.js';
import { digestOf, isOpenPath } from './security.js';

/** For every route that is added once it is loaded. */
export function addRateLimit(app: FastifyInstance, requestsPerMinute: number): void {
  void app.register(fastifyRateLimit, {
    max: requestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: ({ headers, ip }) => (headers.authorization === undefined ? ip : digestOf(headers.authorization).toString('base64')),
    allowList: ({ url }) => isOpenPath(url),
    errorResponseBuilder: (_request, { max, ttl }) => new AppError('rate_limited', `at most ${max} requests a minute (PAWL_RATE_LIMIT)`, { retryAfterSeconds: Math.max(1, Math.ceil(ttl / 1_000)) }),
  });
}

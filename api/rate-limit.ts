// How often one client may ask. A client is a token that is known, else an address; what a load balancer asks is not counted.
import fastifyRateLimit from '@fastify/rate-limit';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../lib/errors.js';
import { digestOf, isOpenPath, tokenOf } from './security.js';

/** For every route that is added once it is loaded. */
export function addRateLimit(app: FastifyInstance, requestsPerMinute: number, tokens: readonly string[]): void {
  const digests = tokens.map(digestOf);
  void app.register(fastifyRateLimit, {
    max: requestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: ({ headers, ip }) => {
      const token = tokenOf(headers.authorization, digests);
      return token === null ? ip : `token ${token}`;
    },
    allowList: ({ url }) => isOpenPath(url),
    errorResponseBuilder: (_request, { max, ttl }) => new AppError('rate_limited', `at most ${max} requests a minute (PAWL_RATE_LIMIT)`, { retryAfterSeconds: Math.max(1, Math.ceil(ttl / 1_000)) }),
  });
}

// Who may speak to the API. On loopback a web page in a browser on this machine could reach it as well, so Host and Origin are
// looked at everywhere; tokens are compared in constant time and appear in no log.
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isLoopback } from '../lib/config.js';
import { AppError } from '../lib/errors.js';

export interface Security {
  /** Any of them is as good. Empty: none is asked for. */
  tokens: readonly string[];
  corsOrigins: readonly string[];
  /** The address that is listened on. */
  host: string;
}

/** Open without a token: what a load balancer asks. */
const OPEN_PATHS: readonly string[] = ['/healthz', '/readyz'];
export const isOpenPath = (url: string): boolean => OPEN_PATHS.includes(url.split('?')[0] ?? '');
const CORS_METHODS = 'GET, HEAD, POST, PUT, DELETE';
const CORS_HEADERS = 'authorization, content-type, idempotency-key, last-event-id, range';
const CORS_EXPOSED = 'x-request-id, idempotent-replayed, retry-after, etag, content-range, accept-ranges';

/** @throws AppError invalid_request where anybody on the network could use the API */
export function assertSafeBinding({ host, tokens }: Security): void {
  if (isLoopback(host) || tokens.length > 0) return;
  throw new AppError('invalid_request', `PAWL_HOST is ${host}, which others can reach: set PAWL_API_TOKEN (at least 32 characters), or listen on 127.0.0.1`, { param: 'PAWL_API_TOKEN' });
}

export function addSecurity(app: FastifyInstance, security: Security): void {
  const digests = security.tokens.map(digestOf);
  app.addHook('onRequest', async (request, reply) => {
    checkHost(request, security);
    checkOrigin(request, reply, security);
    if (request.method === 'OPTIONS' && request.headers.origin !== undefined) return reply.code(204).send();
    checkToken(request, digests);
  });
}

/** A page of any site can be made to resolve to 127.0.0.1, but it cannot change the Host that its browser sends. */
function checkHost({ headers }: FastifyRequest, { host }: Security): void {
  if (!isLoopback(host)) return; // reached by names we cannot know; there a token is asked for
  const name = hostnameOf(headers.host ?? '');
  if (name === null || !(name === 'localhost' || (isIP(name) !== 0 && isLoopback(name)))) {
    throw new AppError('forbidden_origin', 'this address answers only to requests for localhost', { param: 'Host' });
  }
}

function checkOrigin({ headers, protocol }: FastifyRequest, reply: FastifyReply, { corsOrigins }: Security): void {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (origin === undefined) {
    // A browser names no origin for plain GETs of other sites' pages, but says where they come from.
    if (site === undefined || site === 'none' || site === 'same-origin') return;
    throw new AppError('forbidden_origin', 'requests from web pages are not answered', { param: 'Sec-Fetch-Site' });
  }
  void reply.header('vary', 'Origin');
  // Our own page, /docs: browsers name its origin with whatever it writes. The Host has been looked at.
  if (origin === `${protocol}://${host?.toLowerCase()}`) return;
  if (!corsOrigins.includes(origin)) throw new AppError('forbidden_origin', 'this Origin is not in PAWL_CORS_ORIGINS', { param: 'Origin' });
  void reply.headers({
    'access-control-allow-origin': origin,
    'access-control-allow-methods': CORS_METHODS,
    'access-control-allow-headers': CORS_HEADERS,
    'access-control-expose-headers': CORS_EXPOSED,
    'access-control-max-age': '600',
  });
}

function checkToken({ headers: { authorization }, url }: FastifyRequest, digests: readonly Buffer[]): void {
  if (digests.length === 0 || isOpenPath(url)) return;
  if (tokenOf(authorization, digests) !== null) return;
  throw new AppError('unauthorized', givenIn(authorization) === '' ? 'send Authorization: Bearer <token>' : 'this token is not known', { param: 'Authorization' });
}

const givenIn = (authorization = ''): string => /^bearer (.+)$/i.exec(authorization)?.[1] ?? '';

/** Which of the tokens it is; null: none. Digests are of one length, and every token is looked at: time tells nothing of where a guess is wrong. */
export function tokenOf(authorization: string | undefined, digests: readonly Buffer[]): number | null {
  const digest = digestOf(givenIn(authorization));
  const index = digests.map((each) => timingSafeEqual(each, digest)).indexOf(true);
  return index === -1 ? null : index;
}

export const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** The name in a Host header, without port and brackets; null for anything else. */
function hostnameOf(host: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]+))(?::\d{1,5})?$/i.exec(host);
  return match ? (match[1] ?? match[2] ?? '').toLowerCase() : null;
}

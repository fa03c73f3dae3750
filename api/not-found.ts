// What is not there: 404 for unknown paths, 405 with Allow for known ones that do not take the method. Said before anything is
// read of a body, whose rules are another method's. A path that is spelled out is itself, and never also a value of another one's
// parameter: there is no schedule called `preview`.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../lib/errors.js';

interface Route {
  url: string;
  pattern: RegExp;
  method: string;
}

const parametersOf = (url: string): number => url.split(':').length - 1;

export function addNotFound(app: FastifyInstance): void {
  const routes: Route[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    const pattern = new RegExp(`^${url.replaceAll(/:[a-z]+/g, '[^/]+')}$`);
    for (const each of [method].flat()) routes.push({ url, pattern, method: each });
  });
  /** Those that another route would match as a value of its parameter. */
  let spelled: Route[] = [];
  app.addHook('onReady', async () => {
    spelled = routes.filter(({ url }) => routes.some((other) => parametersOf(other.url) > parametersOf(url) && other.pattern.test(url.replaceAll(':', ''))));
  });
  const pathOf = (request: FastifyRequest): string => request.url.split('?')[0] ?? '';
  const refuse = (request: FastifyRequest, reply: FastifyReply): never => {
    const path = pathOf(request);
    const there = routes.filter(({ pattern }) => pattern.test(path));
    const fewest = Math.min(...there.map(({ url }) => parametersOf(url)));
    const allowed = [...new Set(there.filter(({ url }) => parametersOf(url) === fewest).map(({ method }) => method))].sort();
    if (allowed.length === 0) throw new AppError('not_found', `there is nothing at ${path.slice(0, 200)}`);
    void reply.header('allow', allowed.join(', '));
    throw new AppError('method_not_allowed', `${request.method} is not possible here; possible: ${allowed.join(', ')}`);
  };
  const isAnothers = (request: FastifyRequest): boolean => {
    const { url = '' } = request.routeOptions;
    const path = pathOf(request);
    return spelled.some((route) => route.pattern.test(path) && parametersOf(url) > parametersOf(route.url));
  };
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404 || isAnothers(request)) refuse(request, reply);
  });
  app.setNotFoundHandler(refuse);
}

// What is not there: 404 for unknown paths, 405 with Allow for known ones that do not take the method. Said before anything is
// read of a body, whose rules are another method's.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../lib/errors.js';

export function addNotFound(app: FastifyInstance): void {
  const routes: { pattern: RegExp; parameters: number; method: string }[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    const pattern = new RegExp(`^${url.replaceAll(/:[a-z]+/g, '[^/]+')}$`);
    const parameters = url.split(':').length - 1;
    for (const each of [method].flat()) routes.push({ pattern, parameters, method: each });
  });
  const refuse = (request: FastifyRequest, reply: FastifyReply): never => {
    const path = request.url.split('?')[0] ?? '';
    const there = routes.filter(({ pattern }) => pattern.test(path));
    // What is spelled out is itself, and not also a value of a parameter.
    const fewest = Math.min(...there.map(({ parameters }) => parameters));
    const allowed = [...new Set(there.filter(({ parameters }) => parameters === fewest).map(({ method }) => method))].sort();
    if (allowed.length === 0) throw new AppError('not_found', `there is nothing at ${path.slice(0, 200)}`);
    void reply.header('allow', allowed.join(', '));
    throw new AppError('method_not_allowed', `${request.method} is not possible here; possible: ${allowed.join(', ')}`);
  };
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) refuse(request, reply);
  });
  app.setNotFoundHandler(refuse);
}

// The HTTP server: every route by hand, in order. It owns no connection: store and queue come and go with whoever built them.
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { AskInput } from '../lib/contract/external.js';
import { BackfillInput, PauseInput, TriggerInput } from '../lib/contract/schedule.js';
import { freshUlid } from '../lib/fresh-id.js';
import { answerClientError } from './client-errors.js';
import { makeRouteDeps, type ServerDeps } from './deps.js';
import { sendError } from './errors.js';
import { makeFigures } from './figures.js';
import { BODY_LIMIT_BYTES, parseJsonBody } from './json-body.js';
import { openApiDocument } from './openapi.js';
import { addNotFound } from './not-found.js';
import { addRateLimit } from './rate-limit.js';
import { EmptyBody, EventsQuery, ExportQuery, ListSchedulesQuery, ListSweepsQuery, MetricsQuery, NoQuery, PageQuery, parseQuery, PreemptBody, PreviewQuery, refuseNull, SubmitQuery, validatorCompiler, WeightsQuery } from './requests.js';
import { makeCheckpointRoutes } from './routes/checkpoints.js';
import { makeHealthRoutes } from './routes/health.js';
import { makeJobRoutes } from './routes/jobs.js';
import { makeScheduleRoutes } from './routes/schedules.js';
import { makeStreamRoutes } from './routes/stream.js';
import { makeSweepRoutes } from './routes/sweeps.js';
import { makeWorkerRoutes } from './routes/workers.js';
import { addSecurity, assertSafeBinding } from './security.js';

/** A request's head and body have to be here by then. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Gigabytes over a slow line. */
const DOWNLOAD_MS = 6 * 3_600_000;

/** @throws AppError invalid_request where it would be open to anybody */
export function buildServer(given: ServerDeps): FastifyInstance {
  assertSafeBinding(given.security);
  const deps = makeRouteDeps(given);
  const jobs = makeJobRoutes(deps);
  const checkpoints = makeCheckpointRoutes(deps);
  const streams = makeStreamRoutes(deps);
  const sweeps = makeSweepRoutes(deps);
  const workers = makeWorkerRoutes(deps);
  const schedules = makeScheduleRoutes(deps);
  const figures = makeFigures(deps.queue, streams.count);
  const health = makeHealthRoutes(deps, figures);

  const document = openApiDocument(given.version);

  const app = makeApp(given, deps.timing.handlerMs);
  addSecurity(app, given.security);
  addNotFound(app);
  figures.observe(app);
  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    streams.close();
    done();
  });
  app.addHook('onListen', (done) => {
    deps.listing.ahead();
    done();
  });
  // An answer given while the server closes is the last on its connection, or the connection would keep the server open.
  app.addHook('onSend', async (_request, reply) => {
    if (closing) void reply.header('connection', 'close');
  });

  const read = { schema: { querystring: NoQuery } };
  const pages = { schema: { querystring: PageQuery } };
  const verb = { schema: { querystring: NoQuery, body: EmptyBody } };
  const weights = { schema: { querystring: WeightsQuery }, exposeHeadRoute: false, handlerTimeout: DOWNLOAD_MS };

  if (given.limits.requestsPerMinute !== null) addRateLimit(app, given.limits.requestsPerMinute, given.security.tokens);
  app.after(() => {
    app.get('/healthz', read, health.healthz);
    app.get('/readyz', read, health.readyz);
    app.get('/metrics', read, health.metrics);

    app.post('/v1/jobs', { schema: { querystring: SubmitQuery } }, jobs.submit);
    app.get('/v1/jobs', jobs.list);
    app.get('/v1/jobs/:id', read, jobs.get);
    app.post('/v1/jobs/:id/pause', verb, jobs.pause);
    app.post('/v1/jobs/:id/resume', verb, jobs.resume);
    app.post('/v1/jobs/:id/cancel', verb, jobs.cancel);
    app.post('/v1/jobs/:id/kill', verb, jobs.kill);
    app.post('/v1/jobs/:id/retry', verb, jobs.retry);
    app.post('/v1/jobs/:id/preempt', { schema: { querystring: NoQuery, body: PreemptBody } }, jobs.preempt);
    app.get('/v1/jobs/:id/events', { schema: { querystring: EventsQuery } }, jobs.events);
    app.get('/v1/jobs/:id/logs', { schema: { querystring: EventsQuery } }, jobs.logs);
    app.get('/v1/jobs/:id/stream', { ...read, exposeHeadRoute: false }, streams.stream);
    app.get('/v1/jobs/:id/metrics', { schema: { querystring: MetricsQuery } }, jobs.metrics);
    app.get('/v1/jobs/:id/attempts', pages, jobs.attempts);
    app.get('/v1/jobs/:id/checkpoints', pages, checkpoints.list);
    app.get('/v1/jobs/:id/checkpoints/:checkpoint', read, checkpoints.get);
    app.get('/v1/jobs/:id/weights', weights, checkpoints.weights);
    app.head('/v1/jobs/:id/weights', weights, checkpoints.weights);

    app.post('/v1/sweeps', { schema: { querystring: SubmitQuery } }, sweeps.submit);
    app.get('/v1/sweeps', { schema: { querystring: ListSweepsQuery } }, sweeps.list);
    app.get('/v1/sweeps/:id', read, sweeps.get);
    app.get('/v1/sweeps/:id/trials', pages, sweeps.trials);
    app.get('/v1/sweeps/:id/trials/:number', read, sweeps.trial);
    app.post('/v1/sweeps/:id/trials/ask', { schema: { querystring: NoQuery, body: AskInput } }, sweeps.ask);
    app.post('/v1/sweeps/:id/trials/tell', read, sweeps.tell);
    app.get('/v1/sweeps/:id/importance', read, sweeps.importance);
    app.get('/v1/sweeps/:id/export', { schema: { querystring: ExportQuery } }, sweeps.export);
    app.get('/v1/sweeps/:id/report', read, sweeps.report);
    app.post('/v1/sweeps/:id/pause', verb, sweeps.pause);
    app.post('/v1/sweeps/:id/resume', verb, sweeps.resume);
    app.post('/v1/sweeps/:id/stop', verb, sweeps.stop);
    app.post('/v1/sweeps/:id/cancel', verb, sweeps.cancel);
    app.post('/v1/sweeps/:id/suspend', verb, sweeps.suspend);
    app.post('/v1/schedules', read, schedules.create);
    app.get('/v1/schedules', { schema: { querystring: ListSchedulesQuery } }, schedules.list);
    app.post('/v1/schedules/preview', read, schedules.previewRule);
    app.get('/v1/schedules/:id', read, schedules.get);
    app.put('/v1/schedules/:id', read, schedules.replace);
    app.delete('/v1/schedules/:id', read, schedules.remove);
    app.post('/v1/schedules/:id/pause', { schema: { querystring: NoQuery, body: PauseInput } }, schedules.pause);
    app.post('/v1/schedules/:id/resume', verb, schedules.resume);
    app.post('/v1/schedules/:id/trigger', { schema: { querystring: NoQuery, body: TriggerInput } }, schedules.trigger);
    app.post('/v1/schedules/:id/backfill', { schema: { querystring: NoQuery, body: BackfillInput } }, schedules.backfill);
    app.get('/v1/schedules/:id/preview', { schema: { querystring: PreviewQuery } }, schedules.preview);
    app.get('/v1/schedules/:id/fires', pages, schedules.fires);

    app.get('/openapi.json', read, () => document);
    void app.register(fastifySwagger, { mode: 'static', specification: { document: document as never } });
    void app.register(fastifySwaggerUi, { routePrefix: '/docs', staticCSP: true });

    app.get('/v1/workers', read, workers.list);
    app.post('/v1/workers/:id/drain', verb, workers.drain);
    app.get('/v1/queue', read, workers.queue);
  });
  return app;
}

function makeApp({ log }: ServerDeps, handlerMs: number): FastifyInstance {
  // Named so that the server's type is the plain one.
  const loggerInstance: FastifyBaseLogger = log;
  const app: FastifyInstance = Fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => `req_${freshUlid()}`,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    handlerTimeout: handlerMs,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { querystringParser: parseQuery },
    frameworkErrors: (error, request, reply) => sendError(error, request, reply),
    clientErrorHandler: answerClientError,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJsonBody(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setErrorHandler(sendError);
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
  });
  app.addHook('preValidation', refuseNull);
  app.addHook('onResponse', (request, reply, done) => {
    request.log.info({ method: request.method, url: request.url, status: reply.statusCode, ms: Math.round(reply.elapsedTime), request_id: request.id }, 'request');
    done();
  });
  return app;
}

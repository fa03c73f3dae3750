// What Prometheus may ask of the API. No label holds a job's id: there is no end of them.
import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { JobQueue } from '../lib/queue/index.js';

export interface Figures {
  observe(app: FastifyInstance): void;
  read(): Promise<{ contentType: string; text: string }>;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function makeFigures(queue: Pick<JobQueue, 'state' | 'tickets' | 'workers'>, openStreams: () => number): Figures {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  const requests = new Counter({ name: 'pawl_http_requests_total', help: 'Answered requests', labelNames: ['method', 'route', 'status'], registers });
  const seconds = new Histogram({ name: 'pawl_http_request_seconds', help: 'Time to an answer', labelNames: ['method', 'route'], buckets: SECONDS, registers });
  const submitted = new Counter({ name: 'pawl_jobs_submitted_total', help: 'Jobs taken in by this process', registers });
  new Gauge({ name: 'pawl_event_streams', help: 'Open event streams', registers, collect() { this.set(openStreams()); } });
  new Gauge({ name: 'pawl_redis_connected', help: '1 while Redis answers', registers, collect() { this.set(queue.state().status === 'connected' ? 1 : 0); } });
  const tickets = new Gauge({ name: 'pawl_queue_tickets', help: 'Tickets by state', labelNames: ['state'], registers });
  const oldest = new Gauge({ name: 'pawl_queue_oldest_wait_seconds', help: 'Age of the oldest waiting ticket', registers });
  const workers = new Gauge({ name: 'pawl_workers', help: 'Live workers', registers });

  /** Absent is truer than a figure from before Redis went away. */
  async function askRedis(): Promise<void> {
    for (const gauge of [tickets, oldest, workers]) gauge.reset();
    const [depth, waitMs, live] = await Promise.all([queue.tickets.depth(), queue.tickets.oldestWaitMs(), queue.workers.list()]);
    for (const [state, count] of Object.entries(depth)) tickets.set({ state }, count as number);
    oldest.set((waitMs ?? 0) / 1_000);
    workers.set(live.length);
  }

  return {
    observe: (app) => {
      app.addHook('onResponse', (request, reply, done) => {
        const route = request.routeOptions.url ?? 'unmatched';
        requests.inc({ method: request.method, route, status: String(reply.statusCode) });
        seconds.observe({ method: request.method, route }, reply.elapsedTime / 1_000);
        if (route === '/v1/jobs' && reply.statusCode === 201 && reply.getHeader('idempotent-replayed') === undefined) submitted.inc();
        done();
      });
    },
    read: async () => {
      await askRedis().catch(() => undefined);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

// What Prometheus may ask of the API. No label holds a job's id: there is no end of them.
import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type JobQueue, TALLIES } from '../lib/queue/index.js';

export interface Figures {
  observe(app: FastifyInstance): void;
  read(): Promise<{ contentType: string; text: string }>;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const ENDED = 'attempts_ended:';
/** What workers add up in Redis. */
const SUMS: Record<(typeof TALLIES)[number], { name: string; help: string }> = {
  executed_micro_batches: { name: 'pawl_micro_batches_executed_total', help: 'Micro-batches that were computed' },
  kept_micro_batches: { name: 'pawl_micro_batches_kept_total', help: 'Of them, those that went into a checkpoint' },
  wasted_micro_batches: { name: 'pawl_micro_batches_wasted_total', help: 'Of them, those that no checkpoint holds and that were computed again' },
  executed_seconds: { name: 'pawl_training_seconds_executed_total', help: 'Seconds of training, without loading, waiting and saving' },
  kept_seconds: { name: 'pawl_training_seconds_kept_total', help: 'Of them, those that went into a checkpoint' },
  wasted_seconds: { name: 'pawl_training_seconds_wasted_total', help: 'Of them, those that were in vain' },
  commits: { name: 'pawl_checkpoints_total', help: 'Committed checkpoints' },
  commit_bytes: { name: 'pawl_checkpoint_bytes_total', help: 'Bytes that they wrote' },
  commit_seconds: { name: 'pawl_checkpoint_seconds_total', help: 'Seconds from snapshots to their checkpoints' },
  recoveries: { name: 'pawl_recoveries_total', help: 'Attempts after the first that began to train' },
  detect_seconds: { name: 'pawl_recovery_detect_seconds_total', help: 'Seconds until somebody knew that a worker had vanished' },
  queue_seconds: { name: 'pawl_recovery_queue_seconds_total', help: 'Seconds in the line after that' },
  load_seconds: { name: 'pawl_recovery_load_seconds_total', help: 'Seconds for data, checkpoint and program after that' },
  warmup_seconds: { name: 'pawl_recovery_warmup_seconds_total', help: 'Seconds of warm-up after that' },
};

export function makeFigures(queue: Pick<JobQueue, 'state' | 'tickets' | 'workers' | 'tallies'>, openStreams: () => number): Figures {
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

  const sums = TALLIES.map((name) => ({ name, counter: new Counter({ ...SUMS[name], registers }) }));
  const ended = new Counter({ name: 'pawl_attempts_ended_total', help: 'Ended attempts by reason', labelNames: ['end_reason'], registers });

  /** Absent is truer than a figure from before Redis went away. */
  async function askRedis(): Promise<void> {
    const answers = await Promise.all([queue.tickets.depth(), queue.tickets.oldestWaitMs(), queue.workers.list(), queue.tallies.read()]).catch(() => null);
    // Nothing is waited for from here on: what others who ask at the same time set would be added to.
    for (const figure of [tickets, oldest, workers, ended, ...sums.map(({ counter }) => counter)]) figure.reset();
    if (!answers) return;
    const [depth, waitMs, live, tallies] = answers;
    for (const [state, count] of Object.entries(depth)) tickets.set({ state }, count as number);
    oldest.set((waitMs ?? 0) / 1_000);
    workers.set(live.length);
    for (const { name, counter } of sums) counter.inc(Math.max(0, tallies[name] ?? 0));
    for (const [name, sum] of Object.entries(tallies)) if (name.startsWith(ENDED)) ended.inc({ end_reason: name.slice(ENDED.length) }, sum);
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
      await askRedis();
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

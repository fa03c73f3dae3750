// Workers and the queue, as Redis knows them now: all of it is 503 while Redis is away.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { QueueView, WorkerView } from '../../lib/contract/calls.js';
import { AppError } from '../../lib/errors.js';
import { drainOrder, jobsInHand, type ListedWorker, workersFor } from '../../lib/queue/index.js';
import type { RouteDeps } from '../deps.js';
import { listOf } from '../lists.js';

/** A worker that is started for a job takes about as long to be there. */
const DUE_SOON_MS = 60_000;

export function makeWorkerRoutes({ queue }: RouteDeps) {
  return {
    list: async () => {
      const workers = workerViews(await queue.workers.list());
      return listOf(workers, false, workers.at(-1)?.id ?? null);
    },

    drain: async (request: FastifyRequest<{ Params: { id: string } }>, reply: FastifyReply) => {
      const { id } = request.params;
      const worker = workerViews(await queue.workers.list()).find((each) => each.id === id);
      if (!worker || !(await queue.control.drainWorker(id))) throw new AppError('not_found', `no live worker ${JSON.stringify(id.slice(0, 64))}`, { param: 'id' });
      void reply.code(202);
      return { ...worker, draining: true };
    },

    queue: async (): Promise<QueueView> => {
      const [{ waiting, delayed, active }, due, oldestMs, workers] = await Promise.all([queue.tickets.depth(), queue.tickets.dueWithin(DUE_SOON_MS), queue.tickets.oldestWaitMs(), queue.workers.list()]);
      return { object: 'queue', depth: waiting, delayed, active, oldest_wait_seconds: oldestMs === null ? null : oldestMs / 1_000, desired_workers: workersFor(waiting + due + Math.max(active, jobsInHand(workers)), workers) };
    },
  };
}

function workerViews(workers: readonly ListedWorker[]): WorkerView[] {
  const order = drainOrder(workers);
  return workers.map(({ id, engine, device, slots, jobs, draining, uncommitted_seconds, started_at, silentMs, host, pid, version }) => (
    { id, object: 'worker', engine, device, slots, jobs, draining, uncommitted_seconds, drain_rank: order.indexOf(id) + 1, started_at, silent_seconds: silentMs / 1_000, host, pid, version }
  ));
}

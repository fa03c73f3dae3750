// Workers and the queue: `workers`, `drain`, `queue`.
import type { Client } from '../../client.js';
import { type AddCommands, command, usageError, wholeOf, withExamples } from '../context.js';
import { duration, plural, table } from '../render.js';

export const addWorkers: AddCommands = (program, context) => {
  const workers = command(program, 'workers', 'list live workers').action(async ({ json }: { json?: boolean }) => {
    const list = await context.client().workers();
    if (json) {
      context.out(JSON.stringify(list));
      return;
    }
    const rows = list.data.map((worker) => [worker.id, worker.engine, worker.device, `${worker.jobs.length}/${worker.slots}`, worker.jobs.join(' ') || null, worker.draining ? 'draining' : 'working', duration(worker.uncommitted_seconds), worker.drain_rank, `${worker.host}:${worker.pid}`]);
    context.out(table(['ID', 'ENGINE', 'DEVICE', 'SLOTS', 'JOBS', 'STATE', 'UNCOMMITTED', 'DRAIN', 'PROCESS'], rows));
  });

  const drain = command(program, 'drain [workers...]', 'let workers hand over what they run, with a commit, take no more, and end')
    .option('--count <n>', 'instead of ids: so many more, those that are missed least (DRAIN of `pawl workers`)')
    .action(async (ids: string[], { json, count }: { json?: boolean; count?: string }) => {
      if ((ids.length > 0) === (count !== undefined)) throw usageError('workers', 'name some, or say --count N');
      const client = context.client();
      for (const id of count === undefined ? ids : await leastMissed(client, wholeOf('--count', count))) {
        const worker = await client.drain(id);
        context.out(json ? JSON.stringify(worker) : `${worker.id} drains`);
      }
    });

  const queue = command(program, 'queue', 'how much waits').action(async ({ json }: { json?: boolean }) => {
    const waiting = await context.client().queue();
    if (json) {
      context.out(JSON.stringify(waiting));
      return;
    }
    const oldest = waiting.oldest_wait_seconds === null ? '' : `, the oldest for ${duration(waiting.oldest_wait_seconds)}`;
    context.out(`${waiting.depth} waiting${oldest} · ${waiting.delayed} delayed · ${waiting.active} active · ${plural(waiting.desired_workers, 'worker')} would be busy`);
  });

  withExamples(workers, ['pawl workers', 'pawl workers --json'], 'UNCOMMITTED is the training that no checkpoint has yet, DRAIN the order in which to drain them where there are too many.');
  withExamples(drain, ['pawl drain WORKER', 'pawl drain --count 2'], '`pawl workers` has the ids. A worker that `pawl up` started is started again.');
  withExamples(queue, ['pawl queue --json']);
};

/** Ids, of those that do not drain yet. */
async function leastMissed(client: Client, count: number): Promise<string[]> {
  const { data } = await client.workers();
  return data.filter(({ draining }) => !draining).sort((a, b) => a.drain_rank - b.drain_rank).slice(0, count).map(({ id }) => id);
}

// Workers and the queue: `workers`, `drain`, `queue`.
import { type AddCommands, command, withExamples } from '../context.js';
import { duration, plural, table } from '../render.js';

export const addWorkers: AddCommands = (program, context) => {
  const workers = command(program, 'workers', 'list live workers').action(async ({ json }: { json?: boolean }) => {
    const list = await context.client().workers();
    if (json) {
      context.out(JSON.stringify(list));
      return;
    }
    const rows = list.data.map((worker) => [worker.id, worker.engine, worker.device, `${worker.jobs.length}/${worker.slots}`, worker.jobs.join(' ') || null, worker.draining ? 'draining' : 'working', `${worker.host}:${worker.pid}`]);
    context.out(table(['ID', 'ENGINE', 'DEVICE', 'SLOTS', 'JOBS', 'STATE', 'PROCESS'], rows));
  });

  const drain = command(program, 'drain <worker>', 'let a worker finish or hand over what it runs, and take no more').action(async (id: string, { json }: { json?: boolean }) => {
    const worker = await context.client().drain(id);
    context.out(json ? JSON.stringify(worker) : `${worker.id} drains`);
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

  withExamples(workers, ['pawl workers', 'pawl workers --json']);
  withExamples(drain, ['pawl drain WORKER'], '`pawl workers` has the ids. A worker that `pawl up` started is started again.');
  withExamples(queue, ['pawl queue --json']);
};

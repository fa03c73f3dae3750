// Workers and the queue: `workers`, `drain`, `queue`.
import { type AddCommands, command } from '../context.js';
import { duration, table } from '../render.js';

export const addWorkers: AddCommands = (program, context) => {
  command(program, 'workers', 'list live workers').action(async ({ json }: { json?: boolean }) => {
    const list = await context.client().workers();
    if (json) {
      context.out(JSON.stringify(list));
      return;
    }
    const rows = list.data.map((worker) => [worker.id, worker.engine, worker.device, `${worker.jobs.length}/${worker.slots}`, worker.jobs.join(' ') || null, worker.draining ? 'draining' : 'working', `${worker.host}:${worker.pid}`]);
    context.out(table(['ID', 'ENGINE', 'DEVICE', 'SLOTS', 'JOBS', 'STATE', 'PROCESS'], rows));
  });

  command(program, 'drain <worker>', 'let a worker finish or hand over what it runs, and take no more').action(async (id: string, { json }: { json?: boolean }) => {
    const worker = await context.client().drain(id);
    context.out(json ? JSON.stringify(worker) : `${worker.id} drains`);
  });

  command(program, 'queue', 'how much waits').action(async ({ json }: { json?: boolean }) => {
    const queue = await context.client().queue();
    if (json) {
      context.out(JSON.stringify(queue));
      return;
    }
    const oldest = queue.oldest_wait_seconds === null ? '' : `, the oldest for ${duration(queue.oldest_wait_seconds)}`;
    context.out(`${queue.depth} waiting${oldest} · ${queue.delayed} delayed · ${queue.active} active · ${queue.desired_workers} workers would be busy`);
  });
};

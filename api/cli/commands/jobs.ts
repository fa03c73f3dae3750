// Reading jobs: `jobs`, `show`, `events`, `attempts`, `checkpoints`.
import { type AddCommands, command, limitOf, usageError, withExamples } from '../context.js';
import { bytes, duration, eventLine, figure, jobDetails, table } from '../render.js';
import { scheduleIdOf } from './schedules.js';

interface ListOptions {
  json?: boolean;
  status?: string;
  name?: string;
  sweep?: string;
  schedule?: string;
  tag: string[];
  after?: string;
  limit?: string;
}
interface PageOptions {
  json?: boolean;
  after?: string;
  limit?: string;
}

export const addJobs: AddCommands = (program, context) => {
  const page = ({ after, limit }: PageOptions) => ({ ...(after === undefined ? {} : { after }), ...(limit === undefined ? {} : { limit: limitOf(limit) }) });
  const paged = (name: string, description: string) => command(program, name, description).option('--limit <n>', 'at most so many').option('--after <id>', 'those after this one');
  const more = (list: { has_more: boolean; last_id: unknown }): void => {
    if (list.has_more) context.err(`there are more: --after ${String(list.last_id)}`);
  };

  const jobs = paged('jobs', 'list jobs, newest first')
    .option('--status <list>', 'only with one of these statuses, with commas between')
    .option('--name <name>', 'only with this name')
    .option('--sweep <id>', 'only trials of this sweep')
    .option('--schedule <id>', 'only those that this schedule started, by its id or name; trials of its sweeps too')
    .option('--tag <key=value>', 'only with this tag (repeatable)', (text: string, all: string[]) => [...all, text], [])
    .action(async ({ json, status, name, sweep, schedule, tag, ...rest }: ListOptions) => {
      const client = context.client();
      const started = schedule === undefined ? {} : { schedule: await scheduleIdOf(client.schedules, schedule) };
      const list = await client.jobs({ ...page(rest), ...(name === undefined ? {} : { name }), ...(sweep === undefined ? {} : { sweep }), ...started, ...(status === undefined ? {} : { status: status.split(',') }), tags: Object.fromEntries(tag.map(tagOf)) });
      if (json) {
        context.out(JSON.stringify(list));
        return;
      }
      context.out(table(['ID', 'NAME', 'STATUS', 'DONE', 'LOSS', 'CREATED'], list.data.map((job) => [job.id, job.name, job.status, `${Math.floor(job.progress.percent)}%`, figure(job.progress.loss), job.created_at.slice(0, 19)])));
      more(list);
    });

  const show = command(program, 'show <id>', 'everything about a job').action(async (id: string, { json }: { json?: boolean }) => {
    const job = await context.client().job(id);
    context.out(json ? JSON.stringify(job) : jobDetails(job));
  });

  const events = paged('events <id>', 'what happened to a job').action(async (id: string, { json, ...rest }: PageOptions) => {
    const list = await context.client().events(id, page(rest));
    if (json) context.out(JSON.stringify(list));
    else for (const event of list.data) context.out(`${String(event.id).padStart(8)}  ${eventLine(event)}`);
    if (!json) more(list);
  });

  const attempts = paged('attempts <id>', 'the stays of a job on workers').action(async (id: string, { json, ...rest }: PageOptions) => {
    const list = await context.client().attempts(id, page(rest));
    if (json) {
      context.out(JSON.stringify(list));
      return;
    }
    const rows = list.data.map((attempt) => [
      attempt.number, attempt.worker, attempt.engine, attempt.started_at.slice(0, 19), attempt.ended_at === null ? null : duration((Date.parse(attempt.ended_at) - Date.parse(attempt.started_at)) / 1_000), attempt.end_reason, attempt.resumed_from,
      attempt.executed_micro_batches, attempt.wasted_micro_batches, ...(['detect_ms', 'queue_ms', 'load_ms', 'warmup_ms'] as const).map((part) => seconds(attempt.timings[part])),
    ]);
    context.out(table(['#', 'WORKER', 'ENGINE', 'STARTED', 'TOOK', 'ENDED', 'RESUMED FROM', 'EXECUTED', 'WASTED', 'DETECT', 'QUEUE', 'LOAD', 'WARM-UP'], rows));
    more(list);
  });

  const checkpoints = paged('checkpoints <id>', 'the checkpoints that a job can be restored from, newest first').action(async (id: string, { json, ...rest }: PageOptions) => {
    const list = await context.client().checkpoints(id, page(rest));
    if (json) {
      context.out(JSON.stringify(list));
      return;
    }
    context.out(table(['ID', 'MICRO-BATCHES', 'UPDATES', 'IN WINDOW', 'SIZE', 'COMMITTED', 'BEST'], list.data.map((each) => [each.id, each.micro_batches, each.updates, each.window_position, bytes(each.bytes), each.committed_at.slice(0, 19), each.best ?? ''])));
    more(list);
  });

  withExamples(jobs, ['pawl jobs --status queued,running --tag team=vision', 'pawl jobs --sweep SWEEP', 'pawl jobs --schedule nightly --status failed', 'pawl jobs --json --limit 100']);
  withExamples(show, ['pawl show JOB', 'pawl show JOB --json']);
  withExamples(events, ['pawl events JOB --limit 100', 'pawl events JOB --after 1000019']);
  withExamples(attempts, ['pawl attempts JOB']);
  withExamples(checkpoints, ['pawl checkpoints JOB', 'pawl export JOB --checkpoint CHECKPOINT --out weights.safetensors']);
};

const seconds = (ms: number | null): string | null => (ms === null ? null : `${(ms / 1_000).toFixed(1)}s`);

function tagOf(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw usageError('--tag', `takes key=value, got ${JSON.stringify(text)}`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

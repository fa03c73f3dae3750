// `pawl watch` and `pawl wait`: until a job is over. On a terminal a bar stays at the bottom and events go above it; elsewhere a
// line for each event, and one for progress now and then.
import { pause } from '../../../lib/clock.js';
import type { Job } from '../../../lib/contract/job.js';
import type { StreamedEvent } from '../../client-stream.js';
import { type AddCommands, type CliContext, command, EXIT, type Terminal, withExamples } from '../context.js';
import { secondsOf } from '../durations.js';
import { followJob, type JobWatcher } from '../following.js';
import { clean, eventLine, plainProgress, progressLine, resultFigures } from '../render.js';

/** Between lines of progress where there is no terminal. */
const LINE_EVERY_MS = 3_000;
const ERASE_LINE = '\r\x1b[2K';

export const addWatch: AddCommands = (program, context) => {
  const watch = command(program, 'watch <id>', 'watch a job until it is over; Ctrl-C leaves it running')
    .action((id: string, options: { json?: boolean }) => watchJob(context, id, { json: options.json ?? false }));

  const wait = command(program, 'wait <id>', 'wait until a job is over, and exit with 0 only if it succeeded')
    .option('--timeout <duration>', 'give up after so long (seconds, or 30s, 10m, 6h, 1d): exit 124')
    .action(async (id: string, options: { json?: boolean; timeout?: string }) => {
      const over = new AbortController();
      const late = new AbortController();
      if (options.timeout !== undefined) void pause(secondsOf('--timeout', options.timeout) * 1_000, over.signal).then(() => late.abort());
      try {
        const job = await followJob(context.client(), id, {}, late.signal);
        context.out(options.json ? JSON.stringify(job) : `${job.id} ${job.status}`);
        context.exit(exitOf(job));
      } catch (error) {
        if (error !== late.signal.reason) throw error;
        const message = `${id} is not over after ${/\d$/.test(options.timeout!) ? `${options.timeout} s` : options.timeout}`;
        context.err(options.json ? JSON.stringify({ error: { type: 'unavailable', code: 'timed_out', message, param: null, request_id: null, details: [] } }) : message);
        context.exit(EXIT.timedOut);
      } finally {
        over.abort();
      }
    });

  withExamples(watch, ['pawl watch JOB', 'pawl watch JOB --json'], 'With --json, a line for each event, and the job as the last. Exit code 1 if the job does not succeed.');
  withExamples(wait, ['pawl wait JOB --timeout 10m && pawl export JOB --out weights.safetensors'], 'Exit code 1 if the job does not succeed, 124 if the time is up.');
};

export async function watchJob(context: CliContext, id: string, { json }: { json: boolean }): Promise<void> {
  const client = context.client();
  await client.job(id); // a wrong id or address is said at once
  const left = context.onInterrupt();
  const view = json ? jsonView(context) : context.terminal ? terminalView(context.terminal, context) : lineView(context);
  try {
    const job = await followJob(client, id, view, left);
    view.close();
    context.out(json ? JSON.stringify(job) : lastLine(job));
    context.exit(exitOf(job));
  } catch (error) {
    view.close();
    if (!left.aborted) throw error;
    context.err(`left: ${id} goes on (pawl watch ${id})`);
    context.exit(EXIT.ok);
  }
}

const exitOf = (job: Job): 0 | 1 => (job.status === 'succeeded' ? EXIT.ok : EXIT.failed);

function lastLine(job: Job): string {
  const figures = job.result === null ? [] : resultFigures(job.result);
  const why = job.error ? `${job.error.code}: ${job.error.message}` : job.status_message;
  return clean([job.id, job.status, ...(job.status === 'succeeded' ? figures : why ? [why] : [])].join(' · '));
}

interface View extends JobWatcher {
  close(): void;
}

const describe = (item: StreamedEvent): string => (item.kind === 'event' ? eventLine(item.event) : `          some events are gone (after ${item.after}, before ${item.before})`);

function jsonView({ out }: CliContext): View {
  return { onEvent: (item) => out(JSON.stringify(item.kind === 'event' ? item.event : item)), close: () => undefined };
}

function terminalView(terminal: Terminal, { out }: CliContext): View {
  let bar = '';
  const draw = (): void => terminal.write(`${ERASE_LINE}${bar}`);
  return {
    onEvent: (item) => {
      terminal.write(ERASE_LINE);
      out(describe(item));
      draw();
    },
    onJob: (job) => {
      bar = progressLine(job, terminal.columns() - 1);
      draw();
    },
    close: () => terminal.write(bar === '' ? '' : '\n'),
  };
}

function lineView({ out }: CliContext): View {
  let last = '';
  let at = -Infinity;
  return {
    onEvent: (item) => out(describe(item)),
    onJob: (job) => {
      const line = plainProgress(job);
      const now = performance.now();
      if (line === last || now - at < LINE_EVERY_MS) return;
      [last, at] = [line, now];
      out(line);
    },
    close: () => undefined,
  };
}

// `pawl logs`: what workers and trainers said about a job, to the end or for as long as there is more to come.
import { pause } from '../../../lib/clock.js';
import type { LogLine } from '../../../lib/contract/rows.js';
import { type AddCommands, command, usageError, withExamples } from '../context.js';
import { logLine } from '../render.js';

interface LogsOptions {
  json?: boolean;
  follow?: boolean;
  after?: string;
}

const PAGE = 100;
const LOOK_MS = 1_000;

export const addLogs: AddCommands = (program, context) => {
  const logs = command(program, 'logs <id>', 'what workers and trainers said about a job')
    .option('-f, --follow', 'go on until the job is over; Ctrl-C leaves it running')
    .option('--after <id>', 'only lines after this one')
    .action(async (id: string, { json, follow, after }: LogsOptions) => {
      if (after !== undefined && !/^\d+$/.test(after)) throw usageError('--after', `takes the number of a line, got ${JSON.stringify(after)}`);
      const client = context.client();
      const left = follow ? context.onInterrupt() : new AbortController().signal;
      const show = (line: LogLine): void => context.out(json ? JSON.stringify(line) : logLine(line));
      for (let last: string | number | undefined = after; !left.aborted; ) {
        // Looked at before the lines: what an attempt says last is there when the job is over.
        const over = !follow || (await client.job(id)).is_terminal;
        let page;
        do {
          page = await client.logs(id, { limit: PAGE, ...(last === undefined ? {} : { after: last }) });
          page.data.forEach(show);
          last = page.data.at(-1)?.id ?? last;
        } while (page.has_more && !left.aborted);
        if (over) return;
        await pause(LOOK_MS, left);
      }
    });
  withExamples(logs, ['pawl logs JOB --follow', 'pawl logs JOB --json'], 'With --json a line of JSON for each.');
};

// Sweeps: `sweep start`, `trials`, `best`, `ls`, and telling one what to do. What came of one is in sweep-results.ts, asking for trials in
// sweep-trials.ts.
import type { Command } from 'commander';
import { pause } from '../../../lib/clock.js';
import type { Sweep } from '../../../lib/contract/sweep-views.js';
import type { SweepVerb } from '../../../lib/sweeps/events.js';
import { type AddCommands, type CliContext, command, EXIT, limitOf, withExamples } from '../context.js';
import { fileName, readText } from '../document-file.js';
import { parseSweepFile } from '../sweep-file.js';
import { clean } from '../render.js';
import { bestText, sweepLine, sweepTable, trialTable } from '../sweep-text.js';
import { scheduleIdOf } from './schedules.js';
import { addSweepResults, canvasOf, shownSweep } from './sweep-results.js';
import { addTrials } from './sweep-trials.js';

interface StartOptions {
  json?: boolean;
  watch?: boolean;
  dryRun?: boolean;
  idempotencyKey?: string;
}
interface PageOptions {
  json?: boolean;
  after?: string;
  limit?: string;
}

const VERBS: readonly [verb: SweepVerb, description: string, ...examples: string[]][] = [
  ['pause', 'begin no trials; those that run go on to their next rung', 'pawl sweep pause SWEEP'],
  ['resume', 'go on with a paused or suspended sweep', 'pawl sweep resume SWEEP'],
  ['stop', 'begin no more trials, and end when those that run have', 'pawl sweep stop SWEEP && pawl sweep best SWEEP'],
  ['cancel', 'end it and all its trials, which commit', 'pawl sweep cancel SWEEP'],
  ['suspend', 'commit all its trials and free their workers', 'pawl sweep suspend SWEEP'],
];
const LOOK_MS = 1_000;

export const addSweeps: AddCommands = (program, context) => {
  const sweep = withExamples(program.command('sweep').description('search hyperparameters: each trial is a job'), ['pawl sweep start sweep.yaml --watch', 'pawl sweep show SWEEP'], '`pawl help sweep` lists the commands, `pawl sweep help start` says more of one.');
  addStart(sweep, context);
  addSweepResults(sweep, context);
  addReading(sweep, context);
  addTrials(sweep, context);
  for (const [verb, description, ...examples] of VERBS) {
    withExamples(command(sweep, `${verb} <id>`, description), examples).action(async (id: string, { json }: { json?: boolean }) => {
      const said = await context.client().sweeps.verb(id, verb);
      context.out(json ? JSON.stringify(said) : `${said.id} ${said.status}`);
    });
  }
};

function addStart(sweep: Command, context: CliContext): void {
  const start = command(sweep, 'start <file>', 'start a sweep from a YAML or JSON file, or from standard input with -')
    .option('--watch', 'stay until it is over; Ctrl-C leaves it running')
    .option('--dry-run', 'only say what it would be, and its first trials: nothing is stored')
    .option('--idempotency-key <key>', 'the same key and file make one sweep, however often they are sent')
    .action(async (file: string, options: StartOptions) => {
      const spec = await readSweep(file, context);
      const { sweeps } = context.client();
      if (options.dryRun) {
        context.out(JSON.stringify(await sweeps.dryRun(spec), null, 2));
        return;
      }
      const { sweep: made, replayed } = await sweeps.start(spec, options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey });
      if (options.json) context.out(JSON.stringify(made));
      else {
        for (const { param, message } of made.warnings) context.err(clean(`warning: ${param}: ${message}`));
        context.out(`${replayed ? 'already started' : 'started'}: ${made.id}${options.watch ? '' : `   (pawl sweep show ${made.id})`}`);
      }
      if (options.watch) await watchSweep(context, made.id, options.json ?? false);
    });
  withExamples(start, ['pawl sweep start sweep.yaml', 'pawl sweep start sweep.yaml --watch', 'pawl sweep start sweep.yaml --dry-run'], 'docs/spec-reference.md has every field of a sweep. Exit code 2 if it is refused; with --watch, 1 if it fails or is cancelled.');
}

function addReading(sweep: Command, context: CliContext): void {
  const paged = (name: string, description: string) => command(sweep, name, description).option('--limit <n>', 'at most so many').option('--after <id>', 'those after this one');
  const page = ({ after, limit }: PageOptions) => ({ ...(after === undefined ? {} : { after }), ...(limit === undefined ? {} : { limit: limitOf(limit) }) });
  const more = (list: { has_more: boolean; last_id: unknown }): void => {
    if (list.has_more) context.err(`there are more: --after ${String(list.last_id)}`);
  };

  const trials = paged('trials <id>', 'the trials of a sweep, oldest first').action(async (id: string, { json, ...rest }: PageOptions) => {
    const list = await context.client().sweeps.trials(id, page(rest));
    context.out(json ? JSON.stringify(list) : trialTable(list.data));
    if (!json) more(list);
  });

  const best = command(sweep, 'best <id>', 'the best trial so far').action(async (id: string, { json }: { json?: boolean }) => {
    const { sweeps } = context.client();
    const found = await sweeps.get(id);
    const trial = found.best && (await sweeps.trial(id, Number(found.best.trial_id.slice(id.length + 1))));
    if (json) context.out(JSON.stringify(trial));
    else context.out(trial === null ? 'no trial has a value yet' : `${bestText(found)}${trial.job_id === null ? '' : ` · ${trial.job_id}`}`);
  });

  const ls = paged('ls', 'list sweeps, newest first')
    .option('--status <list>', 'only with one of these statuses, with commas between')
    .option('--name <name>', 'only with this name')
    .option('--schedule <id>', 'only those that this schedule started, by its id or name')
    .action(async ({ json, status, name, schedule, ...rest }: PageOptions & { status?: string; name?: string; schedule?: string }) => {
      const client = context.client();
      const started = schedule === undefined ? {} : { schedule: await scheduleIdOf(client.schedules, schedule) };
      const list = await client.sweeps.list({ ...page(rest), ...started, ...(status === undefined ? {} : { status: status.split(',') }), ...(name === undefined ? {} : { name }) });
      context.out(json ? JSON.stringify(list) : sweepTable(list.data));
      if (!json) more(list);
    });

  withExamples(trials, ['pawl sweep trials SWEEP --limit 100', 'pawl sweep trials SWEEP --json'], 'With --json also why each decision about a trial was made.');
  withExamples(best, ['pawl sweep best SWEEP', 'pawl sweep best SWEEP --json'], 'Its weights: `pawl export JOB --out weights.safetensors`.');
  withExamples(ls, ['pawl sweep ls --status running', 'pawl sweep ls --schedule nightly', 'pawl sweep ls --json']);
}

const readSweep = async (file: string, context: CliContext): Promise<unknown> => parseSweepFile(await readText(file, context), fileName(file));

/** A line whenever something has changed, until it is over. */
async function watchSweep(context: CliContext, id: string, json: boolean): Promise<void> {
  const left = context.onInterrupt();
  let last = '';
  const look = async (): Promise<Sweep> => {
    const sweep = await context.client().sweeps.get(id);
    const line = sweepLine(sweep);
    if (!json && line !== last) context.out(line);
    last = line;
    return sweep;
  };
  for (;;) {
    const sweep = await look();
    if (sweep.is_terminal) {
      context.out(json ? JSON.stringify(sweep) : await shownSweep(context.client().sweeps, id, canvasOf(context)));
      context.exit(sweep.status === 'succeeded' || sweep.status === 'stopped' ? EXIT.ok : EXIT.failed);
      return;
    }
    await pause(LOOK_MS, left);
    if (left.aborted) {
      context.err(`left: ${id} goes on (pawl sweep show ${id})`);
      return;
    }
  }
}

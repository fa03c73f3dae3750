// What came of a sweep: `sweep show`, `importance`, `export` and `report`.
import { extname } from 'node:path';
import { type Command, Option } from 'commander';
import type { SweepClient } from '../../client-sweeps.js';
import { type CliContext, command, usageError, withExamples } from '../context.js';
import { writeOutput } from '../output-file.js';
import { bytes } from '../render.js';
import { type Canvas, importanceBars, sweepPlots } from '../sweep-plots.js';
import { sweepDetails } from '../sweep-text.js';

type Format = 'csv' | 'json';
interface ExportOptions {
  json?: boolean;
  format?: Format;
  output?: string;
}

/** Where nobody looks at a terminal. */
const COLUMNS = 80;

export function addSweepResults(sweep: Command, context: CliContext): void {
  const show = command(sweep, 'show <id>', 'everything about a sweep: its trials, its best, how it got there').action(async (id: string, { json }: { json?: boolean }) => {
    const { sweeps } = context.client();
    context.out(json ? JSON.stringify(await sweeps.get(id)) : await shownSweep(sweeps, id, canvasOf(context)));
  });

  const importance = command(sweep, 'importance <id>', 'how much each parameter had to do with being one of the best').action(async (id: string, { json }: { json?: boolean }) => {
    const found = await context.client().sweeps.importance(id);
    context.out(json ? JSON.stringify(found) : (importanceBars(found, canvasOf(context)) ?? 'trials tell nothing of parameters yet: some have to run to their end, with values that differ'));
  });

  const exported = command(sweep, 'export <id>', 'all trials of a sweep as a table, or all there is to know as JSON')
    .addOption(new Option('--format <format>', 'csv: a table; json: the sweep, its trials and why each decision was made; default: json with --json or if FILE ends so, otherwise csv').choices(['csv', 'json']))
    .option('--output <file>', 'where to; replaced if it is there; default: standard output')
    .action((id: string, options: ExportOptions) => exportSweep(context, id, options));

  const report = command(sweep, 'report <id>', 'write a page with plots of a sweep, for a browser')
    .option('--output <file>', 'where to; replaced if it is there; default: the id of the sweep and .html, in this folder')
    .action(async (id: string, { json, output }: { json?: boolean; output?: string }) => {
      const page = await context.client().sweeps.report(id);
      const out = output ?? `${id}.html`;
      say(context, { out, bytes: await writeOutput(out, page) }, json);
    });

  withExamples(show, ['pawl sweep show SWEEP', 'pawl sweep show SWEEP --json'], 'Draws the best so far, rungs and importances; `pawl sweep report` has more. NO_COLOR=1 draws without colours.');
  withExamples(importance, ['pawl sweep importance SWEEP', 'pawl sweep importance SWEEP --json'], 'By PED-ANOVA: what sets the best tenth of the trials apart from all of them.');
  withExamples(exported, ['pawl sweep export SWEEP', 'pawl sweep export SWEEP --output trials.csv', 'pawl sweep export SWEEP --format json --output sweep.json']);
  withExamples(report, ['pawl sweep report SWEEP', 'pawl sweep report SWEEP --output report.html'], 'The page needs nothing else: it can be mailed, and opened years later. Without a token it is also at /v1/sweeps/SWEEP/report of the API.');
}

/** A sweep for people: its facts, and what can be drawn of it. */
export async function shownSweep(sweeps: SweepClient, id: string, canvas: Canvas): Promise<string> {
  const [whole, importance] = await Promise.all([sweeps.export(id), sweeps.importance(id)]);
  return [sweepDetails(whole.sweep), ...sweepPlots(whole, importance, canvas)].join('\n\n');
}

export const canvasOf = ({ terminal }: CliContext): Canvas => ({ columns: terminal?.columns() ?? COLUMNS, colour: terminal?.colour ?? false });

async function exportSweep(context: CliContext, id: string, { json, format: asked, output }: ExportOptions): Promise<void> {
  if (json && asked === 'csv' && output === undefined) throw usageError('--json', 'prints JSON, and --format csv is none: leave one of them out, or give an --output');
  const format = asked ?? (extname(output ?? '').toLowerCase() === '.json' || (json && output === undefined) ? 'json' : 'csv');
  const { sweeps } = context.client();
  const text = format === 'csv' ? await sweeps.exportCsv(id) : `${JSON.stringify(await sweeps.export(id))}\n`;
  // A line that is written ends by itself.
  if (output === undefined) context.out(text.replace(/\r?\n$/, ''));
  else say(context, { out: output, format, bytes: await writeOutput(output, text) }, json);
}

function say(context: CliContext, saved: { out: string; bytes: number; format?: Format }, json = false): void {
  context.out(json ? JSON.stringify(saved) : `${saved.out} · ${bytes(saved.bytes)}`);
}

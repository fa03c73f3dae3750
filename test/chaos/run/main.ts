// `npm run chaos`: a real system under strikes from a seed, its invariants checked from outside all the time. Read this file first,
// then schedule.ts (what happens), watch.ts (what is looked at) and invariants/ (what has to hold). Compiled by the tsconfig.json
// beside it, because what it starts and forks are compiled files too.
import { type Reference, undisturbed } from '../../support/undisturbed.js';
import { type ChaosOptions, parseArguments, USAGE, UsageError } from './arguments.js';
import { describeJob, judgeTheEnd, judgeWhatIsLeft } from './finale.js';
import { enoughProblems } from './invariants/enough.js';
import { runSlot } from './jobs.js';
import { SLOTS } from './kinds.js';
import { type Recipe, RECIPES } from './recipes.js';
import { makeReport, type Report, showReport } from './report.js';
import { describePlan, makeSchedule, recipesOf } from './schedule.js';
import { makeRun, type Run, sleep } from './state.js';
import { carryOut } from './strikes.js';
import { startByItself, type StartedByItself } from './started-by-itself.js';
import { startSystem } from './system.js';
import { watchJobs } from './watch.js';

/** Standard output belongs to the report. */
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** When nothing is hurt any more, every job is to end within so many milliseconds. */
const SEEN_THROUGH_MS = 300_000;

/** Ended by a signal: there is nothing to report. */
class Interrupted extends Error {}

async function referencesOf(recipes: readonly Recipe[], signal: AbortSignal): Promise<Map<Recipe, Reference>> {
  const references = new Map<Recipe, Reference>();
  for (const recipe of recipes) {
    if (signal.aborted) break;
    const reference = await undisturbed(recipe.spec);
    references.set(recipe, reference);
    say(`undisturbed: ${recipe.name}: ${reference.microBatches} micro-batches in ${(reference.trainMs / 1_000).toFixed(1)} s`);
  }
  return references;
}

async function chaos(options: ChaosOptions, seed: number, abort: AbortController): Promise<Report> {
  const recipes = recipesOf(seed, RECIPES, options.recipes);
  const planned = makeSchedule({ seed, durationMs: options.minutes * 60_000, everyMs: options.everyMs, kinds: options.kinds });
  say(`seed ${seed}, store ${options.store}: ${planned.length} strikes in ${options.minutes} min`);
  const references = await referencesOf(recipes, abort.signal);
  abort.signal.throwIfAborted();
  const system = await startSystem(options.store);
  const run = makeRun(seed, system, abort, say);
  try {
    const watching = new AbortController();
    const watched = watchJobs(run, watching.signal).catch(run.fail);
    const load = Promise.all(Array.from({ length: SLOTS }, (_, slot) => runSlot(run, { recipes, references }, slot))).catch(run.fail);
    let told: StartedByItself | null = null;
    const byItself = startByItself(run).then((counts) => (told = counts), run.fail);
    await Promise.all([carryOut(run, planned), sleep(options.minutes * 60_000, run.signal)]);
    run.winding = true;
    if (!run.signal.aborted) say('no more strikes: what was begun is seen through');
    await Promise.race([Promise.all([load, byItself]), sleep(SEEN_THROUGH_MS, AbortSignal.any([run.signal, watching.signal]))]);
    const unended = run.jobs.filter(({ over }) => !over);
    if (unended.length > 0) run.violate('liveness', unended[0]!, [`${unended.length} jobs did not end within ${SEEN_THROUGH_MS / 1_000} s without strikes`]);
    if (told === null) run.violate('liveness', null, [`a schedule's jobs or a sweep did not end within ${SEEN_THROUGH_MS / 1_000} s without strikes`]);
    await Promise.all([load, byItself]);
    if (!run.signal.aborted) await judgeTheEnd(run);
    run.violate('enough', null, enoughProblems(makeReport(run, told, options), options.everyMs));
    watching.abort();
    await watched;
    if (run.signal.reason !== undefined && !run.violation) throw run.signal.reason as Error;
    await tellViolation(run);
    await system.end();
    await judgeWhatIsLeft(run);
    if (run.violation?.invariant === 'left') await tellViolation(run);
    return makeReport(run, told, options);
  } finally {
    if (options.keep) say(`kept: ${system.folder}`);
    await system.end().catch(() => undefined);
    if (!options.keep) await system.remove();
  }
}

async function tellViolation(run: Run): Promise<void> {
  const { violation } = run;
  if (!violation) return;
  say(`\nVIOLATED with seed ${run.seed}: ${violation.invariant}: ${violation.message}\nThe schedule so far:`);
  for (const struck of run.strikes) say(`  ${describePlan(struck)}${struck.job ? `  ${struck.job}` : ''}${struck.struck ? '' : `  missed: ${struck.note}`}`);
  if (violation.job) say(await describeJob(run, violation.job));
}

async function main(): Promise<void> {
  const options = parseArguments(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const seed = options.seed ?? Math.floor(Math.random() * 1_000_000);
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      say('ending what was started');
      abort.abort(new Interrupted(signal));
    });
  }
  const report = await chaos(options, seed, abort);
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : `${showReport(report)}\n`);
  process.exitCode = report.violation ? 1 : 0;
}

main().catch((error: unknown) => {
  if (error instanceof Interrupted) {
    process.exitCode = 130;
    return;
  }
  say(error instanceof UsageError ? `chaos: ${error.message}` : String((error as Error).stack));
  process.exitCode = error instanceof UsageError ? 2 : 1;
});

// `npm run bench`: measures Pawl against others by whole jobs, one benchmark after another, and tells whether its goals are
// met. Compiled by the tsconfig.json beside it to dist/test/bench, because what it starts and forks are compiled files too and
// Node 20 runs no TypeScript; vitest would only put a second clock and its own workers in between.
import { parseArguments, type BenchOptions, usage, UsageError } from './arguments.js';
import { type Bench, type Benchmark, FULL, QUICK, type Result } from './benchmark.js';
import { BENCHMARKS } from './benchmarks/index.js';
import { describeMachine, type Machine, showMachine } from './machine.js';
import { isGood, makeDocument, makeTable, showTotals, totalsOf, verdictOf } from './report.js';
import { makeUndo, type Undo } from './undo.js';

/** Standard output belongs to the results. */
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Every claim gets a result: what was not reported failed. */
async function runBenchmark(benchmark: Benchmark, { pairs, quick }: BenchOptions, undo: Undo): Promise<Result[]> {
  const results = new Map<string, Result>();
  const report = (id: string, make: (base: Pick<Result, 'benchmark' | 'claim'>) => Result): void => {
    const claim = benchmark.claims.find((each) => each.id === id);
    if (!claim) throw new Error(`the benchmark ${benchmark.name} makes no claim ${id}`);
    const result = make({ benchmark: benchmark.name, claim });
    results.set(id, result);
    say(`  ${claim.text}: ${result.kind === 'failed' ? `failed: ${result.reason}` : verdictOf(result)}`);
  };
  const bench: Bench = {
    pairs,
    durations: quick ? QUICK : FULL,
    undo,
    say,
    compared: (id, sides, note = '') => report(id, (base) => ({ ...base, kind: 'compared', ...sides, note: note || null })),
    measured: (id, values, note = '') => report(id, (base) => ({ ...base, kind: 'measured', values, note: note || null })),
    failed: (id, reason) => report(id, (base) => ({ ...base, kind: 'failed', reason, note: null })),
  };
  const fail = (claims: Benchmark['claims'], reason: string): void => {
    for (const { id } of claims) bench.failed(id, reason);
  };
  const unreported = (): Benchmark['claims'] => benchmark.claims.filter(({ id }) => !results.has(id));
  say(`${benchmark.name}: ${benchmark.title}`);
  try {
    await benchmark.run(bench);
    fail(unreported(), 'it was not measured');
  } catch (error) {
    // Wrong after everything was reported: a part of the system had died, and what was measured meanwhile is no figure.
    fail(unreported().length > 0 ? unreported() : benchmark.claims, (error as Error).message);
  }
  for (const problem of await undo.all(false)) say(`  left something behind: ${problem.message}`);
  return benchmark.claims.map(({ id }) => results.get(id)!);
}

/** How long what was just being started may take until it can be ended. */
const SETTLE_MS = 30_000;

/**
 * Ctrl-C: everything is ended, also what is being started at this moment.
 * @param halt lets nothing else begin, and tells when what runs has noticed
 */
function endOnSignals(undo: Undo, halt: () => Promise<unknown>): void {
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const) {
    process.once(signal, () => {
      say('ending what was started');
      void (async () => {
        const running = halt();
        const problems = await undo.all(true);
        await Promise.race([running, new Promise((resolve) => setTimeout(resolve, SETTLE_MS))]);
        for (const problem of [...problems, ...(await undo.all(true))]) say(problem.message);
        process.exit(code);
      })();
    });
  }
}

async function main(): Promise<void> {
  const options = parseArguments(process.argv.slice(2), BENCHMARKS.map(({ name }) => name));
  if (options === 'help') {
    process.stdout.write(`${usage(BENCHMARKS)}\n`);
    return;
  }
  const undo = makeUndo();
  let running: Promise<unknown> = Promise.resolve();
  let interrupted = false;
  endOnSignals(undo, () => {
    interrupted = true;
    return running;
  });
  const machine = describeMachine(new Date());
  say(showMachine(machine));
  const results: Result[] = [];
  for (const benchmark of BENCHMARKS.filter(({ name }) => options.names.includes(name))) {
    const run = runBenchmark(benchmark, options, undo);
    running = run;
    results.push(...(await run));
    if (interrupted) return;
  }
  show(results, options, machine);
}

function show(results: readonly Result[], { json, pairs, quick }: BenchOptions, machine: Machine): void {
  const totals = totalsOf(results);
  if (json) process.stdout.write(`${JSON.stringify(makeDocument(results, { machine, pairs, quick }), null, 2)}\n`);
  else process.stdout.write(`${showMachine(machine)}; ${pairs} pairs${quick ? ', quick: not for keeping' : ''}\n${makeTable(results)}\n`);
  (json ? process.stderr : process.stdout).write(`${showTotals(totals)}\n`);
  if (!isGood(totals)) process.exitCode = 1;
}

main().catch((error: unknown) => {
  say(error instanceof UsageError ? `bench: ${error.message}` : String((error as Error).stack));
  process.exitCode = error instanceof UsageError ? 2 : 1;
});

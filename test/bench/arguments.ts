// The command line of the benchmarks. Pure: what it cannot use is an error that says what it can.
import { parseArgs } from 'node:util';

export interface BenchOptions {
  /** In the order in which they are listed, all of them if none was named. */
  names: string[];
  json: boolean;
  /** How often every side is measured, in turns. */
  pairs: number;
  /** Short windows and few pairs: shows that a benchmark works, gives no figure worth keeping. */
  quick: boolean;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Fewer pairs are no figure on a machine that others use too. */
export const PAIRS_MIN = 5;
const PAIRS_MAX = 1_000;
const QUICK_PAIRS = 2;

export function usage(known: readonly { name: string; title: string }[]): string {
  const width = Math.max(...known.map(({ name }) => name.length));
  return [
    'npm run bench [-- name …] [--json] [--pairs N] [--quick]',
    '',
    ...known.map(({ name, title }) => `  ${name.padEnd(width)}  ${title}`),
    '',
    `  --pairs N  every side N times, in turns; ${PAIRS_MIN} unless given, and at least that without --quick`,
    '  --json     one JSON document on standard output instead of the table',
    `  --quick    short windows and ${QUICK_PAIRS} pairs: shows that a benchmark works, and no more`,
    '',
    'Exits with 1 if a goal was missed or a benchmark could not run.',
  ].join('\n');
}

/** @throws UsageError */
export function parseArguments(args: readonly string[], known: readonly string[]): BenchOptions | 'help' {
  const { values, positionals } = parsed(args);
  if (values.help === true) return 'help';
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new UsageError(`there is no benchmark ${unknown.map((name) => JSON.stringify(name)).join(', ')}; there are ${known.join(', ')}`);
  const quick = values.quick === true;
  return { names: known.filter((name) => positionals.length === 0 || positionals.includes(name)), json: values.json === true, pairs: pairsOf(values.pairs, quick), quick };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { json: { type: 'boolean' }, pairs: { type: 'string' }, quick: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function pairsOf(given: string | undefined, quick: boolean): number {
  if (given === undefined) return quick ? QUICK_PAIRS : PAIRS_MIN;
  const pairs = Number(given);
  const least = quick ? 1 : PAIRS_MIN;
  if (!/^\d+$/.test(given) || pairs < least || pairs > PAIRS_MAX) throw new UsageError(`--pairs takes an integer from ${least} to ${PAIRS_MAX}${quick ? '' : ' (fewer with --quick)'}, not ${JSON.stringify(given)}`);
  return pairs;
}

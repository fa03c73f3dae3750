// The command line of a chaos run. Pure: what it cannot use is an error that says what it can.
import { parseArgs } from 'node:util';
import { kindsOf, STRIKE_KINDS, type StoreKind, type StrikeKind } from './kinds.js';

export interface ChaosOptions {
  /** Null: one is chosen, and said. */
  seed: number | null;
  minutes: number;
  store: StoreKind;
  everyMs: number;
  kinds: StrikeKind[];
  /** How many kinds of jobs. */
  recipes: number;
  json: boolean;
  /** The folder with the store and the log stays. */
  keep: boolean;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const MINUTES = 2;
const EVERY_SECONDS = 2;
/** Every job's undisturbed result is computed first: in a short run that would take longer than the run. */
const RECIPES_OF_A_SHORT_RUN = 3;
const SHORT_MINUTES = 1;

export const USAGE = [
  'npm run chaos -- [--seed N] [--minutes M] [--store file|s3] [--every S] [--kinds KIND,…] [--recipes N] [--keep] [--json]',
  '',
  'Runs jobs of many kinds on a real system on loopback, strikes all of it, and checks from outside, all the time, what',
  'docs/chaos.md says must hold. Exits with 1 if something did not, and says with which seed.',
  '',
  '  --seed N      the same seed strikes the same targets in the same way at the same times; a random one unless given',
  `  --minutes M   how long strikes go on; ${MINUTES} unless given. What was begun is then seen through`,
  '  --store S     file (a folder; the default), or s3 (a real S3 server behind a proxy that spoils requests)',
  `  --every S     seconds between two strikes, on average; ${EVERY_SECONDS} unless given`,
  `  --kinds K,…   only these: ${STRIKE_KINDS.join(', ')}`,
  `  --recipes N   how many kinds of jobs; all, or ${RECIPES_OF_A_SHORT_RUN} in runs shorter than ${SHORT_MINUTES} min`,
  '  --keep        leaves the folder with the store and the log behind, and says where it is',
  '  --json        the report as one JSON document on standard output',
].join('\n');

/** @throws UsageError */
export function parseArguments(args: readonly string[]): ChaosOptions | 'help' {
  const values = parsed(args);
  if (values.help === true) return 'help';
  const store = values.store ?? 'file';
  if (store !== 'file' && store !== 's3') throw new UsageError(`--store is file or s3, not ${JSON.stringify(store)}`);
  const possible = kindsOf(store);
  const kinds = values.kinds === undefined ? possible : values.kinds.split(',').map((kind) => possible.find((each) => each === kind) ?? wrongKind(kind, possible));
  const minutes = positive('minutes', values.minutes, MINUTES);
  const seed = values.seed === undefined ? null : Number(values.seed);
  if (seed !== null && !(Number.isSafeInteger(seed) && seed >= 0)) throw new UsageError(`--seed takes a whole number, not ${JSON.stringify(values.seed)}`);
  return { seed, minutes, store, everyMs: 1_000 * positive('every', values.every, EVERY_SECONDS), kinds, recipes: Math.ceil(positive('recipes', values.recipes, minutes < SHORT_MINUTES ? RECIPES_OF_A_SHORT_RUN : Number.MAX_SAFE_INTEGER)), json: values.json === true, keep: values.keep === true };
}

function wrongKind(kind: string, possible: readonly StrikeKind[]): never {
  throw new UsageError(`${JSON.stringify(kind)} is no kind of strike with this store; there are ${possible.join(', ')}`);
}

function positive(name: string, given: string | undefined, otherwise: number): number {
  const value = given === undefined ? otherwise : Number(given);
  if (!(value > 0 && Number.isFinite(value))) throw new UsageError(`--${name} takes a number above 0, not ${JSON.stringify(given)}`);
  return value;
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({ args: [...args], options: { seed: text, minutes: text, store: text, every: text, kinds: text, recipes: text, keep: flag, json: flag, help: { ...flag, short: 'h' } } }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

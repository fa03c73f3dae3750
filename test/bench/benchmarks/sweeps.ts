// What the sampler of sweeps finds in a hundred trials, beside Optuna with its defaults and beside chance, and how long one ask
// takes. The functions are closed forms and tables of trainings that were really done; nothing here is a job.
import type { Preset } from '../../../lib/sweeps/samplers/tpe-presets.js';
import type { Bench, Benchmark } from '../benchmark.js';
import type { Peer } from '../peer.js';
import { findTablePackage, startOptuna } from '../python.js';
import { meanOf, type Mean, standardErrorsAbove } from '../statistics.js';
import { FUNCTIONS, type TestFunction } from '../sweeps/functions.js';
import { type Asked, askMs, bestOfOptuna, bestOfOurs, bestOfRandom } from '../sweeps/studies.js';
import { loadTable } from '../sweeps/table-files.js';
import { TABLES } from '../sweeps/tables.js';

const TRIALS = 100;
/** Twenty, with the pairs that a run has at least. */
const SEEDS_A_PAIR = 4;
const ASKS = 30;

const asError = (error: unknown): Error => error as Error;
const show = ({ mean, error }: Mean): string => `${mean.toPrecision(4)} ± ${error.toPrecision(2)}`;

async function compare(bench: Bench, optuna: Peer<Asked> | Error, test: TestFunction): Promise<void> {
  const seeds = Array.from({ length: bench.pairs * SEEDS_A_PAIR }, (_, seed) => seed);
  const of = (preset: Preset): Mean => meanOf(seeds.map((seed) => bestOfOurs(test, TRIALS, { seed, preset })));
  const [ours, unchanged, published] = [of('pawl'), of('optuna5'), of('watanabe2023')];
  const random = meanOf(seeds.map((seed) => bestOfRandom(test, TRIALS, seed)));
  const figures = `means of ${seeds.length} seeds ± s.e.: Pawl ${show(ours)}, its presets optuna5 ${show(unchanged)} and watanabe2023 ${show(published)}, random ${show(random)}`;
  if (optuna instanceof Error) {
    bench.failed(test.name, `${optuna.message} (${figures})`);
    return;
  }
  const values: number[] = [];
  for (const seed of seeds) values.push(await bestOfOptuna(optuna, test, TRIALS, seed));
  const theirs = meanOf(values);
  const away = standardErrorsAbove(unchanged, theirs);
  const note = `${figures}, Optuna ${optuna.versions.Optuna} ${show(theirs)}; the preset optuna5 is ${Math.abs(away) <= 3 ? 'within' : 'NOT within'} 3 s.e. of it`;
  bench.say(`  ${test.name}: ${note}`);
  bench.measured(test.name, [standardErrorsAbove(ours, theirs)], note);
}

export const sweeps: Benchmark = {
  name: 'sweeps',
  title: `what TPE finds in ${TRIALS} trials, against Optuna and random search, and how long an ask takes`,
  claims: [
    ...[...FUNCTIONS, ...TABLES].map(({ name }) => ({ id: name, text: `${name}: mean best value, above Optuna’s`, unit: 's.e.' as const, goal: { atMost: 3 } })),
    { id: 'ask-200', text: 'an ask after 200 trials on ten dimensions', unit: 'ms', goal: { below: 10 } },
    { id: 'ask-1000', text: 'an ask after 1,000 trials on ten dimensions', unit: 'ms', goal: { below: 60 } },
  ],
  run: async (bench) => {
    bench.measured('ask-200', askMs(200, ASKS));
    bench.measured('ask-1000', askMs(1_000, ASKS));
    const optuna = await startOptuna<Asked>(bench.undo).catch(asError);
    for (const test of FUNCTIONS) await compare(bench, optuna, test);
    const tables = await findTablePackage(bench.undo).catch(asError);
    for (const table of TABLES) {
      const test = tables instanceof Error ? tables : await loadTable(tables, table).catch(asError);
      if (test instanceof Error) bench.failed(table.name, test.message);
      else await compare(bench, optuna, test);
    }
    if (!(optuna instanceof Error)) await optuna.close();
  },
};

// What early stopping finds with a given amount of training, on a function that is known (MF-Hartmann6) and in simulated time: successive
// halving by promotion and by stopping, and whole trials only, all of them at the same random points. Needs no system.
import { rungResources } from '../../../lib/sweeps/stoppers/rungs.js';
import { HARTMANN6_MINIMUM, MF_PRESETS, randomHartmannTrials } from '../../support/mf-hartmann6.js';
import { type Simulated, simulateSweep } from '../../support/sweep-simulator.js';
import type { Bench, Benchmark, Claim } from '../benchmark.js';

const MAX = 81;
const ETA = 3;
const WORKERS = 9;
/** 200 seeds for the usual five pairs. */
const SEEDS_A_PAIR = 40;

type Preset = keyof typeof MF_PRESETS;
const RULES = { none: 'random, whole trials', stopping: 'stopping by rank', promotion: 'promotion' } as const;
type Rule = keyof typeof RULES;
const GOALS: Partial<Record<string, number>> = { 'promotion-default-20': 0.98, 'promotion-good-20': 1.5 };

interface Case {
  claim: Claim;
  preset: Preset;
  /** In whole trials. */
  budget: number;
  rule: Rule;
}

const cases: Case[] = (['default', 'good'] as const).flatMap((preset) =>
  [20, 50].flatMap((budget) =>
    (['none', 'stopping', 'promotion'] as const).map((rule): Case => {
      const id = `${rule}-${preset}-${budget}`;
      const atMost = GOALS[id];
      const claim: Claim = { id, text: `${preset}, ${budget} R: ${RULES[rule]}, mean regret`, unit: '', goal: atMost === undefined ? null : { atMost } };
      return { claim, preset, budget, rule };
    }),
  ),
);

function simulate(seed: number, { preset, budget, rule }: Case): Simulated {
  const resources = rungResources({ min: 1, max: MAX, eta: ETA });
  return simulateSweep({ workers: WORKERS, resources, eta: ETA, rule, valueOf: randomHartmannTrials(seed, MAX, MF_PRESETS[preset]), maxResource: budget * MAX });
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function standardError(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1) / values.length);
}

export const sweepAsha: Benchmark = {
  name: 'sweep-asha',
  title: 'early stopping on MF-Hartmann6, in simulated time, by promotion, by stopping and without',
  claims: cases.map(({ claim }) => claim),
  run: async (bench: Bench) => {
    const seeds = Array.from({ length: bench.pairs * SEEDS_A_PAIR }, (_, seed) => seed);
    for (const each of cases) {
      const runs = seeds.map((seed) => simulate(seed, each));
      const regrets = runs.map(({ completed }) => Math.min(...completed.map(({ value }) => value ?? Infinity)) - HARTMANN6_MINIMUM);
      const trials = mean(runs.map((run) => run.trials));
      bench.measured(each.claim.id, [mean(regrets)], `${mean(regrets).toFixed(3)} ± ${standardError(regrets).toFixed(3)} (s.e.) over ${seeds.length} seeds; ${trials.toFixed(0)} configurations`);
    }
  },
};

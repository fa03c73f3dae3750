// What early stopping finds with a given amount of training, on a function that is known (MF-Hartmann6) and in simulated time: successive
// halving by promotion and by stopping, and whole trials only, all of them at the same random points. Needs no system.
import { rungResources } from '../../../lib/sweeps/stoppers/rungs.js';
import { HARTMANN6_MINIMUM, hartmannAt, MF_PRESETS, randomHartmannTrials } from '../../support/mf-hartmann6.js';
import { simulateSweep } from '../../support/sweep-simulator.js';
import type { Bench, Benchmark, Claim } from '../benchmark.js';
import { simulateDecided } from '../sweeps/decided.js';

const MAX = 81;
const ETA = 3;
const WORKERS = 9;
/** 200 seeds for the usual five pairs. */
const SEEDS_A_PAIR = 40;

type Preset = keyof typeof MF_PRESETS;
const RULES = { none: 'random, whole trials', stopping: 'stopping by rank', promotion: 'promotion', tpe: 'tpe, whole trials', 'tpe-promotion': 'tpe and promotion' } as const;
type Rule = keyof typeof RULES;
const GOALS: Partial<Record<string, number>> = { 'promotion-default-20': 0.98, 'promotion-good-20': 1.5, 'tpe-promotion-default-20': 0.85, 'tpe-promotion-good-20': 1.3 };

interface Case {
  claim: Claim;
  preset: Preset;
  /** In whole trials. */
  budget: number;
  rule: Rule;
}

const RULE_NAMES = Object.keys(RULES) as Rule[];
/** A model is asked at every event, which takes its time: fewer seeds, and the smaller budget only. */
const isLearned = (rule: Rule): rule is 'tpe' | 'tpe-promotion' => rule.startsWith('tpe');
const SEEDS_A_PAIR_LEARNED = 8;

const cases: Case[] = (['default', 'good'] as const).flatMap((preset) =>
  [20, 50].flatMap((budget) =>
    (budget === 20 ? RULE_NAMES : RULE_NAMES.filter((rule) => !isLearned(rule))).map((rule): Case => {
      const id = `${rule}-${preset}-${budget}`;
      const atMost = GOALS[id];
      const claim: Claim = { id, text: `${preset}, ${budget} R: ${RULES[rule]}, mean regret`, unit: '', goal: atMost === undefined ? null : { atMost } };
      return { claim, preset, budget, rule };
    }),
  ),
);

function learn(seed: number, { preset, budget, rule }: Case): { whole: number[]; trials: number } {
  const valueAt = hartmannAt(seed, MAX, MF_PRESETS[preset]);
  const names = Array.from({ length: 6 }, (_, i) => `x${i}`);
  const early_terminate = rule === 'tpe' ? { type: 'none' } : { type: 'asha', min_iter: 1, max_iter: MAX, eta: ETA };
  const spec = { method: 'tpe', execution: 'external', metric: { name: 'loss' }, parameters: Object.fromEntries(names.map((name) => [name, { distribution: 'uniform', min: 0, max: 1 }])), budget: { max_concurrent: WORKERS }, sampler: { seed }, early_terminate };
  return simulateDecided({ spec, max: MAX, budget: budget * MAX, valueOf: (trial, params, step) => valueAt(trial, names.map((name) => params[name] as number), step) });
}

function simulate(seed: number, each: Case): { whole: number[]; trials: number } {
  const { preset, budget, rule } = each;
  if (isLearned(rule)) return learn(seed, each);
  const resources = rungResources({ min: 1, max: MAX, eta: ETA });
  const { completed, trials } = simulateSweep({ workers: WORKERS, resources, eta: ETA, rule, valueOf: randomHartmannTrials(seed, MAX, MF_PRESETS[preset]), maxResource: budget * MAX });
  return { whole: completed.map(({ value }) => value ?? Infinity), trials };
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
    for (const each of cases) {
      const seeds = Array.from({ length: bench.pairs * (isLearned(each.rule) ? SEEDS_A_PAIR_LEARNED : SEEDS_A_PAIR) }, (_, seed) => seed);
      const runs = seeds.map((seed) => simulate(seed, each));
      const regrets = runs.map(({ whole }) => Math.min(...whole) - HARTMANN6_MINIMUM);
      const trials = mean(runs.map((run) => run.trials));
      bench.measured(each.claim.id, [mean(regrets)], `${mean(regrets).toFixed(3)} ± ${standardError(regrets).toFixed(3)} (s.e.) over ${seeds.length} seeds; ${trials.toFixed(0)} configurations`);
    }
  },
};

// What a report is made of, from a sweep without jobs: as the API would show it.
import { importanceView, sweepView, trialView } from '../../../../lib/sweeps/view.js';
import { emptySweep, type SweepState } from '../../../../lib/sweeps/state.js';
import type { SweepFacts } from '../../../../lib/sweeps/report/report.js';
import { rulesOf, runSweep, type World, type WorldOptions } from '../world.js';

export const ID = 'swp_01jz0000000000000000000000';
export const NOW = new Date('2026-01-01T03:00:00.000Z');

/** Two numbers, one of them on a logarithmic axis, choices, a parameter that not every trial has, and a constant. */
export const MIXED = {
  name: 'mixed',
  method: 'random',
  metric: { name: 'val_loss' },
  parameters: {
    lr: { distribution: 'log_uniform_values', min: 1e-4, max: 1e-1 },
    width: { values: [8, 16, 32] },
    type: { values: ['sgd', 'adam'] },
    momentum: { min: 0.1, max: 0.9, when: { type: ['sgd'] } },
    fixed: { value: 7 },
  },
  run_cap: 40,
};
export const ASHA = { ...MIXED, early_terminate: { type: 'asha', min_iter: 1, max_iter: 27, eta: 3 } };

/** Better with a learning rate near 0.01 and a large width; better at later steps. */
export const lossOf = (params: Readonly<Record<string, unknown>>, step: number): number => Math.abs(Math.log10(params['lr'] as number) + 2) + 8 / (params['width'] as number) + 1 / step;

export const factsOf = ({ rules, state }: Pick<World, 'rules' | 'state'>): SweepFacts => {
  const seen = { record: { id: ID, created_at: '2026-01-01T00:00:00.000Z', spec: rules.spec, schedule: null }, rules, warnings: [], state, status: state.end?.status ?? ('running' as const) };
  return { whole: { object: 'sweep_export', sweep: sweepView(seen, 12.5, NOW), trials: state.trials.map((trial) => trialView(ID, state, trial, true)) }, space: rules.space, importance: importanceView(rules.spec, rules.space, state) };
};
export const factsAfter = (input: object, options: WorldOptions = {}): SweepFacts => factsOf(runSweep({ execution: 'external', ...input }, { end: 27, value: lossOf, ...options }));

/** Of a sweep that nobody has begun yet. */
export function notBegun(input: object): SweepFacts {
  const rules = rulesOf({ execution: 'external', ...input });
  return factsOf({ rules, state: emptySweep(rules.spec) });
}

/** So many trials that ran to their end, without going through a log. */
export function manyTrials(input: object, count: number): SweepFacts {
  const { rules, state: small } = runSweep({ execution: 'external', ...input, run_cap: 40 }, { end: 27, value: lossOf });
  const trials: SweepState['trials'] = Array.from({ length: count }, (_, number) => ({ ...small.trials[number % small.trials.length]!, number, value: 1 + (number * 7919) % count }));
  return factsOf({ rules, state: { ...small, trials } });
}

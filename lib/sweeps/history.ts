// What samplers are told of the trials so far: those of the sweep and those that were taken over, with a value for those that have none
// of their own, as `metric.impute` and `impute_while_running` say. Names and meanings are those of Weights & Biases
// (https://docs.wandb.ai/models/sweeps/sweep-config-keys), but for what has nothing to go by: there it counts as 0, which may be the
// best value of all; here as worse than every other one. Pure.
import type { MetricSpec, SweepSpec } from '../contract/sweep.js';
import { isFinished, type PastTrial } from './samplers/past-trials.js';
import { goalOf, type TrialState } from './state.js';
import { bestOf, isNumber } from './stoppers/ranking.js';
import type { ImportedTrial, WarmStart } from './warm-start.js';

export interface History {
  /** Lower is better. */
  trials: PastTrial[];
  /** Trials of another sweep among them. */
  imported: number;
  /** Trials among them whose value is not what they ended with. */
  imputed: number;
}

export function historyOf(spec: Pick<SweepSpec, 'metric'>, trials: readonly TrialState[], warm: Pick<WarmStart, 'trials'> | null): History {
  const own = trials.map((trial) => imputed(spec, trial));
  const imported = warm?.trials ?? [];
  // Older than every own one, in their order.
  const before = imported.map((trial, index) => ({ ...pastOf(trial, signOf(spec)), number: index - imported.length }));
  return { trials: [...before, ...own.map(({ past }) => past)], imported: imported.length, imputed: own.filter(({ isImputed }) => isImputed).length };
}

const signOf = (spec: Pick<SweepSpec, 'metric'>): 1 | -1 => (goalOf(spec) === 'maximize' ? -1 : 1);
const STATES = { running: 'running', paused: 'running', succeeded: 'complete', pruned: 'pruned', failed: 'failed', cancelled: 'failed' } as const;

/** A trial by its own values alone. */
export function pastOf({ number, params, status, value, values }: ImportedTrial, sign: 1 | -1): PastTrial {
  const steps = values.flatMap(({ step, value }) => (isNumber(value) ? [{ step, value: sign * value }] : []));
  return { number, params, state: STATES[status], value: isNumber(value) ? sign * value : null, steps };
}

function imputed({ metric }: Pick<SweepSpec, 'metric'>, trial: TrialState): { past: PastTrial; isImputed: boolean } {
  const past = pastOf(trial, signOf({ metric }));
  const isOwn = isFinished(past) && past.value !== null;
  const strategy = past.state === 'running' ? (metric?.impute_while_running ?? false) : (metric?.impute ?? 'worst');
  if (isOwn || strategy === false) return { past, isImputed: false };
  const value = valueBy(strategy, past);
  // Of one that runs nothing is known yet: it is none of the finished ones.
  if (value === null && past.state === 'running' && strategy !== 'worst') return { past, isImputed: false };
  return { past: { ...past, state: 'complete', value: value ?? Infinity }, isImputed: true };
}

/** Null: worse than every other. It is no number that could be the best of a few. */
function valueBy(strategy: MetricSpec['impute'], { steps }: PastTrial): number | null {
  switch (strategy) {
    case 'latest':
      return steps.at(-1)?.value ?? null;
    case 'best':
      return bestOf(steps.map(({ value }) => value), 'minimize');
    case 'worst':
      return null;
  }
}

// What samplers are told of the trials so far: those of the sweep and those that were taken over, with a value for those that have none
// of their own, as `metric.impute` and `impute_while_running` say. Names and meanings are those of Weights & Biases
// (https://docs.wandb.ai/models/sweeps/sweep-config-keys), but for what has nothing to go by: there it counts as 0, which may be the
// best value of all; here as worse than every other one.
//
// Where trials are stopped early most never end, and the few that do say little. A model then goes by the highest step that enough trials
// have come to, and by their values there, as BOHB does (https://arxiv.org/abs/1807.01774, algorithm 2): until enough have ended. Pure.
import type { MetricSpec, SweepSpec } from '../contract/sweep.js';
import { isFinished, type PastTrial } from './samplers/past-trials.js';
import { goalOf, type TrialState } from './state.js';
import { bestOf, isNumber, type Value } from './stoppers/ranking.js';
import type { ImportedTrial, WarmStart } from './warm-start.js';

export interface History {
  /** Lower is better. */
  trials: PastTrial[];
  /** Trials of another sweep among them. */
  imported: number;
  /** Trials among them whose value is not what they ended with. */
  imputed: number;
  /** The step whose values they have; null: of their ends. */
  step: number | null;
}

/** What a model needs beside one trial a parameter. */
const MORE_THAN_PARAMETERS = 2;

type HistorySpec = Pick<SweepSpec, 'metric' | 'early_terminate'> & { sampler: Pick<SweepSpec['sampler'], 'n_startup_trials'> };

/** @param parameters how many are searched for */
export function historyOf(spec: HistorySpec, parameters: number, trials: readonly TrialState[], warm: Pick<WarmStart, 'trials'> | null): History {
  const imported = warm?.trials ?? [];
  // Of fewer than it begins with a model would be told in vain.
  const enough = Math.max(parameters + MORE_THAN_PARAMETERS, spec.sampler.n_startup_trials);
  const step = stepOf(spec, enough, [...imported, ...trials]);
  if (step !== null) {
    // Of another sweep nobody is on the way to it.
    const before = olderOnes(imported.filter(({ values }) => isNumber(valueAt(values, step))));
    return { trials: [...before, ...trials].map((trial) => atStep(trial, step, signOf(spec))), imported: before.length, imputed: 0, step };
  }
  const own = trials.map((trial) => imputed(spec, trial));
  const before = olderOnes(imported).map((trial) => pastOf(trial, signOf(spec)));
  return { trials: [...before, ...own.map(({ past }) => past)], imported: before.length, imputed: own.filter(({ isImputed }) => isImputed).length, step: null };
}

/** Older than every own one, in their order. */
const olderOnes = (imported: readonly ImportedTrial[]): ImportedTrial[] => imported.map((trial, index) => ({ ...trial, number: index - imported.length }));

/** Null where trials are not stopped early, where so many have ended, or where it is said what the others count as. */
function stepOf({ metric, early_terminate: rule }: Pick<SweepSpec, 'metric' | 'early_terminate'>, enough: number, trials: readonly ImportedTrial[]): number | null {
  if (rule.type === 'none' || (metric?.impute_while_running ?? false) !== false) return null;
  if (trials.filter(({ status, value }) => status === 'succeeded' && isNumber(value)).length >= enough) return null;
  const counts = new Map<number, number>();
  for (const { values } of trials) for (const { step, value } of values) if (isNumber(value)) counts.set(step, (counts.get(step) ?? 0) + 1);
  return [...counts].reduce<number | null>((highest, [step, count]) => (count >= enough && (highest === null || step > highest) ? step : highest), null);
}

/** Who has no value there only keeps others away, but for those that failed: they are worse than every other. */
function atStep({ number, params, status, values }: ImportedTrial, step: number, sign: 1 | -1): PastTrial {
  const value = valueAt(values, step);
  if (isNumber(value)) return { number, params, state: 'complete', value: sign * value, steps: [] };
  return status === 'failed' ? { number, params, state: 'complete', value: Infinity, steps: [] } : { number, params, state: 'running', value: null, steps: [] };
}

const valueAt = (values: ImportedTrial['values'], step: number): Value => values.findLast((each) => each.step === step)?.value ?? null;
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

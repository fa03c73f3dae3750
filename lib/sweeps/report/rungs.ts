// What became of the trials at each rung, and their values on the way. Pure.
import type { EarlyTerminateSpec, SweepSpec } from '../../contract/sweep.js';
import type { Trial, TrialStatus } from '../../contract/sweep-views.js';
import { ladderOf } from '../ladder.js';
import { compareValues, type Goal, isNumber } from '../stoppers/ranking.js';

/** A rung by what its trials did there; the numbers sum to `trials`. */
export interface RungFigures {
  bracket: number;
  step: number;
  trials: number;
  /** Promoted, or never held up. */
  wentOn: number;
  /** They wait, and may still go on. */
  waiting: number;
  pruned: number;
  /** Here it was all done. */
  finished: number;
  /** Failed or cancelled with this as their last value. */
  lost: number;
  best: number | null;
}

/** A trial's values, as far as they are numbers. */
export interface Curve {
  trial: number;
  status: TrialStatus;
  points: [step: number, value: number][];
}

type Outcome = 'wentOn' | 'waiting' | 'pruned' | 'finished' | 'lost';

/** By bracket, and in each from the first rung on. */
export function rungFigures(trials: readonly Trial[], spec: Pick<SweepSpec, 'early_terminate' | 'execution'>, goal: Goal): RungFigures[] {
  const rungs = new Map<string, RungFigures>();
  const ladders = spec.execution === 'external' ? ladderOf(spec) : null;
  for (const trial of trials) {
    const values = valuesOf(trial, spec.early_terminate);
    const reached = ladders === null ? values.map(({ step }, index) => ({ step, index })) : rungsAmong(values, ladders[trial.bracket] ?? []);
    for (const [rungIndex, { step, index }] of reached.entries()) {
      const { value } = values[index]!;
      const key = `${trial.bracket} ${step}`;
      const rung = rungs.get(key) ?? { bracket: trial.bracket, step, trials: 0, wentOn: 0, waiting: 0, pruned: 0, finished: 0, lost: 0, best: null };
      rung.trials += 1;
      rung[outcomeOf(trial, index, rungIndex)] += 1;
      if (compareValues(value, rung.best, goal) < 0) rung.best = value;
      rungs.set(key, rung);
    }
  }
  return [...rungs.values()].sort((a, b) => a.bracket - b.bracket || a.step - b.step);
}

export function curvesOf(trials: readonly Trial[], rule: EarlyTerminateSpec): Curve[] {
  return trials.flatMap((trial) => {
    const { number, status } = trial;
    const points = valuesOf(trial, rule).flatMap(({ step, value }): [number, number][] => (isNumber(value) ? [[step, value]] : []));
    return points.length === 0 ? [] : [{ trial: number, status, points }];
  });
}

/** With that of its end, which a trial comes to without a stop, where the rule says which step that is. */
function valuesOf({ status, value, values }: Trial, rule: EarlyTerminateSpec): Trial['values'] {
  const end = 'max_iter' in rule ? rule.max_iter : null;
  return status === 'succeeded' && end !== null && (values.at(-1)?.step ?? 0) < end ? [...values, { step: end, value }] : values;
}

/** Programs tell as many values as they like: at a rung there is the first one that has got there. */
function rungsAmong(values: Trial['values'], ladder: readonly number[]): { step: number; index: number }[] {
  const reached: { step: number; index: number }[] = [];
  for (const step of ladder) {
    const index = values.findIndex((told) => told.step >= step);
    if (index < 0) break;
    reached.push({ step, index });
  }
  return reached;
}

/** Of the value at this place in the list, at the trial's rung of that number: each decision to go on was about one of them. */
function outcomeOf({ status, values, why }: Trial, index: number, rung: number): Outcome {
  const onwards = why.filter(({ decision }) => decision === 'go_on').length;
  if (index < values.length - 1 || onwards > rung) return 'wentOn';
  switch (status) {
    case 'running':
    case 'waiting':
    case 'paused':
      return 'waiting';
    case 'pruned':
      return 'pruned';
    case 'succeeded':
      return 'finished';
    case 'failed':
    case 'cancelled':
      return 'lost';
  }
}

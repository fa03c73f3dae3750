// What became of the trials at each rung, and their values on the way. Pure.
import type { EarlyTerminateSpec } from '../../contract/sweep.js';
import type { Trial, TrialStatus } from '../../contract/sweep-views.js';
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
export function rungFigures(trials: readonly Trial[], rule: EarlyTerminateSpec, goal: Goal): RungFigures[] {
  const rungs = new Map<string, RungFigures>();
  for (const trial of trials) {
    for (const [index, { step, value }] of valuesOf(trial, rule).entries()) {
      const key = `${trial.bracket} ${step}`;
      const rung = rungs.get(key) ?? { bracket: trial.bracket, step, trials: 0, wentOn: 0, waiting: 0, pruned: 0, finished: 0, lost: 0, best: null };
      rung.trials += 1;
      rung[outcomeOf(trial, index)] += 1;
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

/** Of the value at this place in the list: each decision to go on was about one of them. */
function outcomeOf({ status, values, why }: Trial, index: number): Outcome {
  const onwards = why.filter(({ decision }) => decision === 'go_on').length;
  if (index < values.length - 1 || onwards > index) return 'wentOn';
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

// Which of two values is better, and the order of merit that this gives trials. Pure.

export type Goal = 'minimize' | 'maximize';

/** A metric. Null and whatever is not finite (a loss that diverged) is no value: worse than any number, whatever the goal. */
export type Value = number | null;

export const isNumber = (value: Value): value is number => value !== null && Number.isFinite(value);

/** Negative if `a` is better, 0 if they are alike. */
export function compareValues(a: Value, b: Value, goal: Goal): number {
  if (!isNumber(a) || !isNumber(b)) return Number(isNumber(b)) - Number(isNumber(a));
  return Math.sign(goal === 'minimize' ? a - b : b - a);
}

/** Best first; of equal values the lower trial number, so that no two trials are ever alike. */
export const compareTrials =
  (goal: Goal) =>
  (a: { trial: number; value: Value }, b: { trial: number; value: Value }): number =>
    compareValues(a.value, b.value, goal) || a.trial - b.trial;

export function bestOf(values: readonly Value[], goal: Goal): Value {
  return values.reduce((best, value) => (compareValues(value, best, goal) < 0 ? value : best), null);
}

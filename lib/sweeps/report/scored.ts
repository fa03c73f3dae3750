// A trial's value as plots have it, the best so far, and which trials are drawn where there are too many. Pure.
import type { Trial, TrialStatus } from '../../contract/sweep-views.js';
import { compareValues, type Goal, isNumber } from '../stoppers/ranking.js';

/** A trial with a value: the last one that is known, which of a pruned trial is that of the rung where it ended. */
export interface Scored {
  number: number;
  value: number;
  status: TrialStatus;
  params: Readonly<Record<string, unknown>>;
}

/** What is drawn, and of how many. */
export interface Share {
  shown: number;
  of: number;
}

export const scoredOf = (trials: readonly Trial[]): Scored[] =>
  trials.flatMap(({ number, value, status, params }) => (isNumber(value) ? [{ number, value, status, params }] : []));

/** Those whose values may be compared: trials that ran to their end, if there are any, as the best of the sweep is one of them. */
export function comparable(scored: readonly Scored[]): readonly Scored[] {
  const whole = scored.filter(({ status }) => status === 'succeeded');
  return whole.length > 0 ? whole : scored;
}

/** Each trial that was better than all before it, in the order of their numbers. */
export function bestSoFar(scored: readonly Scored[], goal: Goal): Scored[] {
  const best: Scored[] = [];
  for (const each of comparable(scored)) if (best.length === 0 || compareValues(each.value, best.at(-1)!.value, goal) < 0) best.push(each);
  return best;
}

/** Of what may be drawn, so much is kept for the best. */
const BEST_SHARE = 0.25;

/** At most `max`: the best, and of the others every so-manieth; in the order of their numbers. */
export function thinned(scored: readonly Scored[], max: number, goal: Goal): Scored[] {
  if (scored.length <= max) return [...scored];
  const ranked = scored.toSorted((a, b) => compareValues(a.value, b.value, goal) || a.number - b.number);
  const best = ranked.slice(0, Math.floor(max * BEST_SHARE));
  const others = ranked.slice(best.length).sort((a, b) => a.number - b.number);
  return [...best, ...spread(others, max - best.length)].sort((a, b) => a.number - b.number);
}

/** At most `max` of them, evenly, the first and the last among them. */
export function spread<T>(items: readonly T[], max: number): T[] {
  if (items.length <= max) return [...items];
  return Array.from({ length: max }, (_, k) => items[Math.round((k * (items.length - 1)) / Math.max(1, max - 1))]!);
}

// The stretch of values that a plot shows: all of them, unless a few are so bad (a loss that ran away) that the others would lie on one
// line. Pure.
import type { Goal } from '../stoppers/ranking.js';

export interface ValueWindow {
  low: number;
  high: number;
  /** Values worse than that, which are not drawn. */
  beyond: number;
}

/** Of the distance from the best value to the one that three quarters are better than. */
const WIDEST = 10;
const TYPICAL = 0.75;

/** Null of no values. */
export function valueWindow(values: readonly number[], goal: Goal): ValueWindow | null {
  if (values.length === 0) return null;
  const sign = goal === 'maximize' ? -1 : 1;
  const costs = values.map((value) => sign * value).sort((a, b) => a - b);
  const best = costs[0]!;
  const typical = costs[Math.floor((costs.length - 1) * TYPICAL)]!;
  const limit = best + WIDEST * (typical - best);
  // Where most are alike there is no typical distance.
  const shown = typical > best && Number.isFinite(limit) ? costs.filter((cost) => cost <= limit) : costs;
  const ends = [sign * best, sign * shown.at(-1)!];
  return { low: Math.min(...ends), high: Math.max(...ends), beyond: costs.length - shown.length };
}

export const isWithin = ({ low, high }: ValueWindow, value: number): boolean => value >= low && value <= high;

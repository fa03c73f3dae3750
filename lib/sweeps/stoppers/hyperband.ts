// Weights & Biases' `early_terminate: {type: hyperband}`, judged at our rungs: where its bands lie, and who stops there. Pure.
//
// Their rule is kept (https://github.com/wandb/sweeps, hyperband_stopping.py): of n trials at a band, those no worse than the ⌊n/η⌋-th
// after the best go on, so ⌊n/η⌋ + 1 of them and all their equals; running and ended trials count alike. What differs is what it is fed:
//   - A band is a count of updates or samples. Theirs is an index into the run's logged history, which arrives sampled: a run that logs
//     every tenth step, or whose history was thinned, is compared at another step than its neighbours, or never.
//   - A trial is judged once at each band, as it arrives. Theirs are judged every few minutes, against thresholds that others move
//     meanwhile, so the outcome depends on when somebody looked; ours can be replayed.
//   - A trial without a usable value at a band stops, and counts as the worst. Theirs drops such values, which shifts every later index.
//   - Bands that round to the same count are one band.
import type { RungVerdict } from './asha.js';
import { compareValues, type Goal, isNumber, type Value } from './ranking.js';
import type { Rung } from './rungs.js';

/** `max_iter` with `s` goes before `min_iter`, as there. */
export interface HyperbandSpec {
  min_iter?: number;
  max_iter?: number;
  s?: number;
  eta?: number;
  strict?: boolean;
}

export const HYPERBAND_DEFAULTS = { eta: 3, strict: true };
const BANDS_MAX = 100;

/** The bands before a trial's end, in order: min_iter·η^k, or the s counts max_iter/η, max_iter/η², … that are at least 1. η may be any number above 1. */
export function bandsOf({ min_iter: min, max_iter: max, s, eta = HYPERBAND_DEFAULTS.eta }: HyperbandSpec, end: number): number[] {
  const powers = Array.from({ length: BANDS_MAX }, (_, k) => eta ** k);
  const wanted = max !== undefined && s !== undefined ? powers.slice(1, Math.floor(s) + 1).map((power) => Math.floor(max / power)) : powers.map((power) => Math.floor((min ?? 1) * power));
  return [...new Set(wanted)].filter((band) => band >= 1 && band < end).sort((a, b) => a - b);
}

export interface HyperbandRule {
  eta: number;
  /** Judges the value at the band; else the best so far. */
  strict: boolean;
  goal: Goal;
}

/**
 * Whether a trial that has just arrived at a band, and was entered there, goes on.
 * @param best of all its values so far
 * @throws RangeError if it is not at the band
 */
export function judgeAtBand(rungs: readonly Rung[], band: number, trial: number, best: Value, { eta, strict, goal }: HyperbandRule): RungVerdict {
  const { resource, entries } = rungs[band]!;
  const entry = entries.find((each) => each.trial === trial);
  if (!entry) throw new RangeError(`trial ${trial} is not at band ${band}`);
  const value = strict ? entry.value : best;
  const cutoff = entries[Math.floor(entries.length / eta)]!.value;
  const goesOn = isNumber(entry.value) && compareValues(value, cutoff, goal) <= 0;
  const rank = 1 + entries.filter((each) => compareValues(each.value, value, goal) < 0).length;
  return { verdict: goesOn ? 'continue' : 'stop', why: { rung: band, resource, value, rank, of: entries.length, cutoff } };
}

// Asynchronous successive halving (https://arxiv.org/abs/1810.05934): which trial goes on to the next rung. By promotion, where trials
// pause at each rung and the best are resumed, or by stopping, where a trial is judged as it arrives and goes on or ends. Pure.
import { isNumber, type Value } from './ranking.js';
import type { Rung } from './rungs.js';

/** What a decision at a rung was made of. */
export interface RungWhy {
  rung: number;
  resource: number;
  value: Value;
  /** 1 is the best of the `of` trials that have arrived. */
  rank: number;
  of: number;
  /** The value of the last one that goes on; null if none does, or it has no value. */
  cutoff: Value;
}

export interface Promotion {
  trial: number;
  fromRung: number;
  toRung: number;
  why: RungWhy;
}

export interface RungVerdict {
  verdict: 'continue' | 'stop';
  why: RungWhy;
}

/**
 * What a free worker resumes, the paper's Algorithm 2: from the highest rung but one down, of the best ⌊n/η⌋ the best that still waits.
 * Null: nothing, so that a new configuration begins. Late arrivals may push a trial out of the best that was promoted before: it keeps
 * its promotion, and nobody gets another for it.
 */
export function nextPromotion(rungs: readonly Rung[], eta: number): Promotion | null {
  for (let rung = rungs.length - 2; rung >= 0; rung--) {
    const keep = Math.floor(rungs[rung]!.entries.length / eta);
    const promotion = promotionFrom(rungs, rung, keep, keep);
    if (promotion) return promotion;
  }
  return null;
}

/**
 * What goes on when nothing runs, nothing can be promoted and no configuration may begin any more, so that a sweep of a few trials ends
 * with a whole one too: the best that waits on the highest rung where any does. Null if a trial has been through the highest rung.
 */
export function lastPromotion(rungs: readonly Rung[], eta: number): Promotion | null {
  if (rungs.at(-1)!.entries.some(({ value }) => isNumber(value))) return null;
  for (let rung = rungs.length - 2; rung >= 0; rung--) {
    const { entries } = rungs[rung]!;
    const promotion = promotionFrom(rungs, rung, entries.length, Math.floor(entries.length / eta));
    if (promotion) return promotion;
  }
  return null;
}

/** The best that waits among a rung's first `among`; one without a value never goes on. */
function promotionFrom(rungs: readonly Rung[], rung: number, among: number, keep: number): Promotion | null {
  const { entries } = rungs[rung]!;
  const index = entries.findIndex(({ waiting, value }, place) => place < among && waiting && isNumber(value));
  if (index < 0) return null;
  return { trial: entries[index]!.trial, fromRung: rung, toRung: rung + 1, why: whyAt(rungs, rung, index, keep) };
}

/**
 * Whether a trial that has just arrived at a rung, and was entered there, goes on: if its rank is among max(⌊n/η⌋, 1), as in Determined and
 * Optuna. Among fewer than 2η, therefore, only the best so far goes on, and the very first always does. One without a
 * value never does. Of equal values the lower trial number is the better one; Optuna lets all of them go on.
 * @throws RangeError if it is not at the rung
 */
export function judgeAtRung(rungs: readonly Rung[], rung: number, trial: number, eta: number): RungVerdict {
  const { entries } = rungs[rung]!;
  const index = entries.findIndex((each) => each.trial === trial);
  if (index < 0) throw new RangeError(`trial ${trial} is not at rung ${rung}`);
  const keep = Math.max(Math.floor(entries.length / eta), 1);
  return { verdict: index < keep && isNumber(entries[index]!.value) ? 'continue' : 'stop', why: whyAt(rungs, rung, index, keep) };
}

function whyAt(rungs: readonly Rung[], rung: number, index: number, keep: number): RungWhy {
  const { resource, entries } = rungs[rung]!;
  return { rung, resource, value: entries[index]!.value, rank: index + 1, of: entries.length, cutoff: entries[keep - 1]?.value ?? null };
}

// Which nominal times are due now, and which were missed because nothing ticked; and how long jitter puts one off. Pure.
import type { FireRule } from '../contract/schedule.js';
import { keyOf, uniformAt } from '../training/random.js';
import { fireTimes } from './next.js';

/** Later than this is not late but missed: of missed times only the latest is made up for, inside the window. */
export const ON_TIME_MS = 10_000;
/** Nominal times looked at in one go. */
const TIMES_MAX = 10_000;

export interface Timing {
  schedule: string;
  rule: FireRule;
  windowMs: number;
  jitterMs: number;
}

export interface CatchUp {
  /** Nominal times that fire now, oldest first. */
  due: number[];
  /** A stretch of nominal times that do not fire any more. */
  missed: { fromMs: number; throughMs: number; count: number } | null;
  /** Every nominal time up to here is among them. */
  lastNominalMs: number;
}

/** How long a nominal time is put off: the same whoever asks, at most until the next one. */
export function delayMs({ schedule, jitterMs }: Timing, nominalMs: number, nextMs: number): number {
  if (jitterMs === 0) return 0;
  return Math.floor(Math.min(jitterMs, nextMs - nominalMs) * uniformAt(keyOf(0, `jitter/${schedule}`, nominalMs), 0));
}

/** When the first nominal time after one is due; null: never. */
export function nextDueMs(timing: Timing, lastNominalMs: number): number | null {
  const times = fireTimes(timing.rule, lastNominalMs);
  const nominal = times.next().value;
  if (nominal === undefined) return null;
  return timing.jitterMs === 0 ? nominal : nominal + delayMs(timing, nominal, times.next().value ?? Infinity);
}

/** What is to be done about the nominal times after the last one that was. Of very many, the oldest: ask again. */
export function catchUp(timing: Timing, lastNominalMs: number, nowMs: number): CatchUp {
  const times: number[] = [];
  let next = Infinity;
  for (const time of fireTimes(timing.rule, lastNominalMs)) {
    next = time;
    if (time > nowMs || times.length === TIMES_MAX) break;
    times.push(time);
    next = Infinity;
  }
  const dueAt = (index: number): number => times[index]! + delayMs(timing, times[index]!, times[index + 1] ?? next);
  const isLast = next > nowMs;
  if (times.length > 0 && dueAt(times.length - 1) > nowMs) times.pop();
  if (times.length === 0) return { due: [], missed: null, lastNominalMs };
  let from = times.length;
  while (from > 0 && nowMs - dueAt(from - 1) <= ON_TIME_MS) from--;
  if (from === times.length && isLast && nowMs - dueAt(from - 1) <= timing.windowMs) from--;
  return { due: times.slice(from), missed: from === 0 ? null : { fromMs: times[0]!, throughMs: times[from - 1]!, count: from }, lastNominalMs: times.at(-1)! };
}

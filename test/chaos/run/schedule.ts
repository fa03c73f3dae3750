// What will happen, from a seed alone: which strike, when, at what, for how long; and which job follows which. Pure.
import { keyOf, type Key, uniformAt } from '../../../lib/training/random.js';
import { KINDS, SLOTS, type StrikeKind, targetsOf } from './kinds.js';

export interface Planned {
  number: number;
  /** From the start of the chaos. */
  atMs: number;
  kind: StrikeKind;
  target: number;
  lastsMs: number;
  /** 0 to 1: what else the kind has to choose. */
  chance: number;
}

export interface ScheduleOptions {
  seed: number;
  durationMs: number;
  /** On average, between two strikes. */
  everyMs: number;
  kinds: readonly StrikeKind[];
}

/** Strikes come from shuffled decks, so that no kind is long in coming; the pauses between them are as uneven as they come. */
export function makeSchedule({ seed, durationMs, everyMs, kinds }: ScheduleOptions): Planned[] {
  const cards = kinds.flatMap((kind) => Array.from({ length: KINDS[kind].cards }, () => kind));
  const times = keyOf(seed, 'chaos/times');
  const planned: Planned[] = [];
  let deck: StrikeKind[] = [];
  for (let atMs = 0, number = 0; ; number++) {
    atMs += everyMs * (0.2 + 1.6 * uniformAt(times, number));
    if (atMs >= durationMs || cards.length === 0) return planned;
    if (deck.length === 0) deck = shuffled(cards, keyOf(seed, 'chaos/deck', number));
    const kind = deck.pop()!;
    const key = keyOf(seed, 'chaos/strike', number);
    const { aim, lasts: [from, to] } = KINDS[kind];
    // Short ones are more frequent: long ones hide what the others do.
    const lastsMs = Math.round(from + (to - from) * uniformAt(key, 0) ** 3);
    planned.push({ number, atMs: Math.round(atMs), kind, target: Math.floor(uniformAt(key, 1) * targetsOf(aim)), lastsMs, chance: uniformAt(key, 2) });
  }
}

/** In which order a slot takes the recipes. */
export function recipeAt(seed: number, slot: number, nth: number, recipes: number): number {
  const first = Math.floor(uniformAt(keyOf(seed, 'chaos/recipes', slot), nth) * recipes);
  // No slot begins with what another one begins with.
  return nth === 0 ? (slot + Math.floor(uniformAt(keyOf(seed, 'chaos/first'), 0) * recipes)) % recipes : first;
}

/** Which recipes a run uses, in its own order: `count` of them. */
export function recipesOf<T>(seed: number, all: readonly T[], count: number): T[] {
  return shuffled(all, keyOf(seed, 'chaos/choice')).slice(0, Math.max(1, Math.min(count, all.length)));
}

export const describePlan = ({ number, atMs, kind, target, lastsMs }: Planned): string => `#${number} ${(atMs / 1_000).toFixed(1)} s  ${kind} ${target}${lastsMs > 0 ? `  for ${(lastsMs / 1_000).toFixed(1)} s` : ''}`;

function shuffled<T>(values: readonly T[], key: Key): T[] {
  const out = [...values];
  for (let last = out.length - 1; last > 0; last--) {
    const other = Math.floor(uniformAt(key, last) * (last + 1));
    [out[last], out[other]] = [out[other]!, out[last]!];
  }
  return out;
}

export const slotOf = (planned: Planned): number => planned.target % SLOTS;

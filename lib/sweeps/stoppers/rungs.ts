// The rungs at which trials are compared: where they lie, how Hyperband's brackets are cut from them, and who has arrived at each, in
// order of merit. What follows from that is decided in asha.ts and hyperband.ts. Pure.
//
// A rung lies at a count of updates or samples, which only ever grows and which a resumed trial goes on with. It is never a number of
// reports: those depend on how often a trial says something, and start anew with a process.
import { keyOf, uniformAt } from '../../training/random.js';
import { compareTrials, type Goal, isNumber, type Value } from './ranking.js';

/** A trial at a rung. */
export interface RungEntry {
  trial: number;
  /** Null: it got here without a usable value, or failed here. */
  value: Value;
  /** It is paused here and may still be promoted; false once it was promoted or has ended. */
  waiting: boolean;
}

export interface Rung {
  resource: number;
  /** Best first, as compareTrials has it. */
  entries: readonly RungEntry[];
}

export interface LadderOptions {
  /** Resource of the lowest rung (r). */
  min: number;
  /** Of a whole trial (R). */
  max: number;
  /** What part of a rung goes on: one in `eta`. */
  eta: number;
}

/**
 * r·η^k below R, then R: the highest rung is a whole trial also where R is no power of η, and none is compared at all where r ≥ R.
 * By multiplication of integers, without a logarithm: ln 1000 / ln 10 is below 3 in floating-point numbers.
 * @throws RangeError unless all three are positive integers and eta is at least 2
 */
export function rungResources({ min, max, eta }: LadderOptions): number[] {
  for (const number of [min, max, eta]) if (!Number.isSafeInteger(number) || number < 1) throw new RangeError(`rungs are made of positive integers, got ${number}`);
  if (eta < 2) throw new RangeError(`eta is at least 2, got ${eta}`);
  const resources: number[] = [];
  for (let resource = min; resource < max; resource *= eta) resources.push(resource);
  return [...resources, max];
}

/** One of Hyperband's brackets: successive halving that begins with so many trials at the first of these rungs. */
export interface Bracket {
  trials: number;
  resources: number[];
}

/**
 * Hyperband's brackets over rungs, the one with the most rungs first: bracket s has the highest s + 1 of the L rungs, and
 * ⌈L·η^s / (s + 1)⌉ trials. The division is of integers below 2⁵³ and so rounds correctly: the ceiling is exact.
 */
export function bracketsOf(resources: readonly number[], eta: number): Bracket[] {
  const rungs = resources.length;
  return resources.map((_, cut) => {
    const s = rungs - 1 - cut;
    return { trials: Math.ceil((rungs * eta ** s) / (s + 1)), resources: resources.slice(cut) };
  });
}

/**
 * The bracket of a trial, by its number alone: drawn in proportion to the brackets' trials, with a random number of its own. So it is the
 * same whoever asks and in whatever order, and it does not depend on how many trials there will be.
 */
export function bracketOf(trial: number, brackets: readonly Pick<Bracket, 'trials'>[], seed: number): number {
  let left = Math.floor(uniformAt(keyOf(seed, 'sweep/bracket', trial), 0) * brackets.reduce((sum, { trials }) => sum + trials, 0));
  return brackets.findIndex(({ trials }) => (left -= trials) < 0);
}

/** The rungs that a trial reaches by going from one resource to another, in order: several where it says little in between. */
export function rungsReached(resources: readonly number[], from: number, to: number): number[] {
  return resources.flatMap((resource, rung) => (resource > from && resource <= to ? [rung] : []));
}

export const emptyRungs = (resources: readonly number[]): Rung[] => resources.map((resource) => ({ resource, entries: [] }));

/** With a trial that has arrived at a rung. A trial arrives once: what is told again changes nothing. */
export function enterRung(rungs: readonly Rung[], rung: number, { trial, value }: { trial: number; value: Value }, goal: Goal): Rung[] {
  const entry: RungEntry = { trial, value: isNumber(value) ? value : null, waiting: true };
  return withEntries(rungs, rung, (entries) => {
    if (entries.some((each) => each.trial === trial)) return entries;
    const compare = compareTrials(goal);
    const place = entries.findIndex((each) => compare(entry, each) < 0);
    return entries.toSpliced(place < 0 ? entries.length : place, 0, entry);
  });
}

/** With a trial that no longer waits at a rung: it was promoted, or has ended. Its value goes on counting. */
export function leaveRung(rungs: readonly Rung[], rung: number, trial: number): Rung[] {
  return withEntries(rungs, rung, (entries) => {
    const place = entries.findIndex((each) => each.trial === trial);
    return place < 0 ? entries : entries.with(place, { ...entries[place]!, waiting: false });
  });
}

/** With a trial that waits at no rung any more. */
export function leaveRungs(rungs: readonly Rung[], trial: number): Rung[] {
  return rungs.reduce<Rung[]>((left, { entries }, rung) => (entries.some((entry) => entry.trial === trial && entry.waiting) ? leaveRung(left, rung, trial) : left), [...rungs]);
}

function withEntries(rungs: readonly Rung[], rung: number, change: (entries: readonly RungEntry[]) => readonly RungEntry[]): Rung[] {
  return rungs.with(rung, { ...rungs[rung]!, entries: change(rungs[rung]!.entries) });
}

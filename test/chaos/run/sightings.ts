// When attempts were there and commits landed, as the run itself saw it: what others write may come from a clock that jumped. Pure.
import type { Head } from '../../../lib/contract/records.js';

/** Milliseconds since 1970. */
export interface Span {
  from: number;
  /** Null while it lasts. */
  to: number | null;
}

export interface Sightings {
  /** HEAD was as it was last seen at this time, or not there yet. */
  lookedAt: number;
  /** By number, at their widest: from the last look without one to the first look after it. */
  attempts: Map<number, Span>;
  /** By seq: the last look without it. */
  commits: Map<number, number>;
}

export const startSightings = (at: number): Sightings => ({ lookedAt: at, attempts: new Map(), commits: new Map() });

/** A HEAD that was asked for at `askedAt` and was there at `now`, unlike the one before. */
export function noteHead(seen: Sightings, before: Pick<Head, 'seq' | 'owner' | 'counters'> | null, head: Pick<Head, 'seq' | 'owner' | 'counters'>, askedAt: number, now: number): void {
  for (let number = (before?.counters.attempts ?? 0) + 1; number <= head.counters.attempts; number++) seen.attempts.set(number, { from: seen.lookedAt, to: null });
  for (const [number, span] of seen.attempts) if (number < head.counters.attempts || head.owner === null) span.to ??= now;
  for (let seq = (before?.seq ?? 0) + 1; seq <= head.seq; seq++) seen.commits.set(seq, seen.lookedAt);
  seen.lookedAt = Math.max(seen.lookedAt, askedAt);
}

/**
 * When what an attempt did not keep was trained, at its widest. A snapshot is taken when the commit before it has landed, or waits for
 * one more where the best epochs are kept: what came before the last commit but two cannot have made it late.
 * @param seqs of its commits
 * @param aliveAt when its worker's process was last seen
 * @returns null of an attempt that was not seen, or whose end was not
 */
export function workOf({ attempts, commits }: Sightings, number: number, seqs: readonly number[], aliveAt: number): { from: number; to: number } | null {
  const span = attempts.get(number);
  if (!span || span.to === null) return null;
  const earlier = [...seqs].sort((a, b) => a - b).at(-3);
  const from = Math.max(span.from, (earlier === undefined ? undefined : commits.get(earlier)) ?? 0);
  return { from, to: Math.max(from, Math.min(span.to, aliveAt)) };
}

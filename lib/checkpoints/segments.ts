// Rows and events as JSON-lines segments, and which of them to merge so that a manifest stays short. Pure.
// A log-structured merge: FANOUT neighbours of one level become one of the next, so a row is rewritten log₈(n) times.
import type { Segment } from '../contract/records.js';

const FANOUT = 8;

export function encodeLines(values: readonly unknown[]): Buffer {
  return Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

export function decodeLines<T>(body: Buffer): T[] {
  return body
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** The trailing segments to merge into one, oldest first; empty if none need it. At most 7 stay per level. */
export function segmentsToMerge(segments: readonly Segment[]): Segment[] {
  let from = segments.length;
  for (;;) {
    const level = from < segments.length ? (segments[from]?.level ?? 0) + 1 : (segments.at(-1)?.level ?? 0);
    let start = from;
    while (start > 0 && segments[start - 1]!.level === level) start--;
    // What is merged already counts as one more segment of this level.
    if (from - start + (from < segments.length ? 1 : 0) < FANOUT) break;
    from = start;
  }
  return segments.slice(from);
}

/** The level of the segment that `merged` become. */
export function mergedLevel(merged: readonly Segment[]): number {
  return Math.max(...merged.map((segment) => segment.level)) + 1;
}

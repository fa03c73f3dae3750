import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeLines, encodeLines, mergedLevel, segmentsToMerge } from '../../../lib/checkpoints/segments.js';
import type { Segment } from '../../../lib/contract/records.js';

const segment = (first: number, level: number, count = 1): Segment => ({ key: `k${first}.${level}`, bytes: count, sha256: '0'.repeat(64), first, last: first + count - 1, count, level });

/** What a job's commits do: one new segment each, merged as told. */
function commit(segments: Segment[], id: number): { segments: Segment[]; rewritten: number } {
  const all = [...segments, segment(id, 0)];
  const merging = segmentsToMerge(all);
  if (merging.length === 0) return { segments: all, rewritten: 1 };
  const count = merging.reduce((sum, { count: n }) => sum + n, 0);
  return { segments: [...all.slice(0, all.length - merging.length), { ...segment(merging[0]!.first, mergedLevel(merging), count), last: merging.at(-1)!.last }], rewritten: 1 + count };
}

describe('segments', () => {
  test('stay few and cover every row once, in order, however many commits there are', () => {
    let segments: Segment[] = [];
    let rewritten = 0;
    const commits = 5_000;
    for (let id = 1; id <= commits; id++) {
      const next = commit(segments, id);
      segments = next.segments;
      rewritten += next.rewritten;
      expect(segments.length).toBeLessThanOrEqual(64);
      expect(segments[0]!.first).toBe(1);
      expect(segments.at(-1)!.last).toBe(id);
      for (let i = 1; i < segments.length; i++) expect(segments[i]!.first).toBe(segments[i - 1]!.last + 1);
      expect(segments.reduce((sum, { count }) => sum + count, 0)).toBe(id);
    }
    // Each row is written again once a level: log₈(5000) < 5.
    expect(rewritten).toBeLessThan(commits * 6);
  });

  test('lines round trip, non-finite numbers as null', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ update: fc.nat(), loss: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })), text: fc.string() })), (rows) => {
        const normal = JSON.parse(JSON.stringify(rows)) as unknown;
        expect(decodeLines(encodeLines(rows))).toEqual(normal);
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { areJoined, decodeLines, encodeLines, encodePieces, mergedPlace, parseLines, SEGMENT_BYTES, segmentsToMerge } from '../../../lib/checkpoints/segments.js';
import type { Segment } from '../../../lib/contract/records.js';

const segment = (first: number, level: number, count = 1): Segment => ({ key: `k${first}.${level}`, bytes: count, sha256: '0'.repeat(64), first, last: first + count - 1, count, level });

/** What a job's commits do: one new segment each, merged as told, as if each took one byte. */
function commit(segments: Segment[], id: number): { segments: Segment[]; rewritten: number } {
  let all = [...segments, segment(id, 0)];
  let rewritten = 1;
  for (let merging = segmentsToMerge(all); merging.length > 0; merging = segmentsToMerge(all)) {
    const place = mergedPlace(merging);
    all = [...all.slice(0, all.length - merging.length), { ...segment(place.first, place.level, place.count), ...place }];
    rewritten += place.count;
  }
  return { segments: all, rewritten };
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

  test('are joined as long as a reader can take them whole', () => {
    const half = { ...segment(1, 2), bytes: SEGMENT_BYTES / 2 };
    expect(areJoined([half, half])).toBe(true);
    expect(areJoined([half, half, segment(3, 2)])).toBe(false);
    expect(areJoined([segment(1, 0), { ...segment(2, 0), index: true }])).toBe(false);
  });

  test('pieces hold all lines in order, none more than it may but for one that is longer', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 60 })), fc.integer({ min: 1, max: 100 }), (texts, most) => {
        const pieces = [...encodePieces(texts, most)];
        expect(pieces.flatMap(({ body }) => decodeLines<string>(body))).toEqual(texts);
        for (const { body, from, to } of pieces) {
          expect(decodeLines<string>(body)).toEqual(texts.slice(from, to));
          if (to - from > 1) expect(body.length).toBeLessThanOrEqual(most);
        }
      }),
    );
  });

  test('of lines only those that are asked for are parsed', () => {
    const body = Buffer.from('1\nnone\n"ü"\nnone\n');
    expect([...parseLines(body, (line) => line % 2 === 0)]).toEqual([1, 'ü']);
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

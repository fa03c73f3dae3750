// Rows and events as JSON-lines segments, and what becomes of many of them so that a manifest stays short. Pure.
//
// A log-structured merge: FANOUT neighbours of one level become one of the next. As long as they have at most SEGMENT_BYTES together
// they are joined, so a row is rewritten a few times; beyond that they stay as they are, and what takes their place is an index:
// a segment whose lines are theirs. So no segment grows without bound, and a list of them has at most 7 of each level.
import type { Segment } from '../contract/records.js';

const FANOUT = 8;
/** What a reader has to take whole: some 6,000 rows of updates. */
export const SEGMENT_BYTES = 1 << 20;

const toLine = (value: unknown): string => `${JSON.stringify(value)}\n`;

export function encodeLines(values: readonly unknown[]): Buffer {
  return Buffer.from(values.map(toLine).join(''));
}

/** Where the values `from` to `to` (not included) lie as lines. */
export interface LinePiece {
  body: Buffer;
  from: number;
  to: number;
}

/** The same in pieces of at most `mostBytes`; a longer line is a piece by itself. */
export function* encodePieces(values: readonly unknown[], mostBytes = SEGMENT_BYTES): Generator<LinePiece, void, void> {
  let lines: string[] = [];
  let [bytes, from] = [0, 0];
  for (const [index, value] of values.entries()) {
    const line = toLine(value);
    const size = Buffer.byteLength(line);
    if (lines.length > 0 && bytes + size > mostBytes) {
      yield { body: Buffer.from(lines.join('')), from, to: index };
      [lines, bytes, from] = [[], 0, index];
    }
    lines.push(line);
    bytes += size;
  }
  if (lines.length > 0) yield { body: Buffer.from(lines.join('')), from, to: values.length };
}

/** Lines one after another: what is not asked for is not parsed. @param wanted by its number, from 0 */
export function* parseLines<T>(body: Buffer, wanted: (line: number) => boolean = () => true): Generator<T, void, void> {
  for (let [start, line] = [0, 0]; start < body.length; line++) {
    const found = body.indexOf(NEWLINE, start);
    const end = found < 0 ? body.length : found;
    if (end > start && wanted(line)) yield JSON.parse(body.toString('utf8', start, end)) as T;
    start = end + 1;
  }
}

const NEWLINE = 10;

export const decodeLines = <T>(body: Buffer): T[] => [...parseLines<T>(body)];

/** The trailing segments that are to become one, oldest first; empty if none are. To be asked again until there are none. */
export function segmentsToMerge(segments: readonly Segment[]): Segment[] {
  const run = segments.slice(-FANOUT);
  return run.length === FANOUT && run.every(({ level }) => level === run[0]!.level) ? run : [];
}

/** Whether they are joined; otherwise an index takes their place. */
export function areJoined(merging: readonly Segment[]): boolean {
  return merging.every(({ index }) => index !== true) && merging.reduce((sum, { bytes }) => sum + bytes, 0) <= SEGMENT_BYTES;
}

/** What the segment says that `merging` become, but for its object. */
export function mergedPlace(merging: readonly Segment[]): Pick<Segment, 'first' | 'last' | 'count' | 'level'> {
  return { first: merging[0]!.first, last: merging.at(-1)!.last, count: merging.reduce((sum, { count }) => sum + count, 0), level: merging[0]!.level + 1 };
}

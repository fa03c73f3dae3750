// A time zone as stretches of constant offset, found by asking Intl: the zone database is Node's own. Pure. It knows no cron.
import { makeRecent } from '../jobs/recent.js';

/**
 * A stretch of time [startMs, endMs) in which local time is UTC + offsetMs throughout; `beforeMs` and `nextMs` are the offsets just before
 * and just after it. Its ends may be no changes of the offset. After a change it goes back to that, for two days at least.
 */
export interface Stretch {
  startMs: number;
  endMs: number;
  offsetMs: number;
  beforeMs: number;
  nextMs: number;
}

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
/** Days that are looked at together. A rule that fires once a year needs but one such piece of each year. */
const PIECE_DAYS = 8;
/** Before a piece: a change within them is one of its own, too. Longer than any repeats local time, or jumps over it. */
const BEFORE_DAYS = 2;

const formats = new Map<string, Intl.DateTimeFormat>();
/** Pieces of zones; a piece is some ten questions to Intl. */
const pieces = makeRecent<readonly Stretch[]>(8_192);

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  // With the second alone Intl is quickest; nobody reads it.
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, second: 'numeric', timeZoneName: 'longOffset' });
  formats.set(zone, format);
  return format;
}

/** Whether it is in the zone database, whatever its case. */
export function isZone(zone: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(zone)) return false;
  try {
    formatOf(zone);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Local time minus UTC at a moment, in whole seconds. */
export function offsetAt(zone: string, ms: number): number {
  const [, sign = '+', hours = 0, minutes = 0, seconds = 0] = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(formatOf(zone).format(ms))!;
  const offset = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * SECOND_MS;
  return sign === '-' ? -offset : offset;
}

/** The stretches of some days and of those before them, cut off at both ends. Two changes within a day that undo each other are not seen. */
function stretchesOfPiece(zone: string, piece: number): readonly Stretch[] {
  const key = `${zone} ${piece}`;
  const known = pieces.get(key);
  if (known) return known;
  const startMs = (piece * PIECE_DAYS - BEFORE_DAYS) * DAY_MS;
  const endMs = (piece + 1) * PIECE_DAYS * DAY_MS;
  const found: Stretch[] = [];
  // the last second of each day: a change at midnight belongs to the new day
  let seenMs = startMs - SECOND_MS;
  let seen = offsetAt(zone, seenMs);
  let open = { startMs, offsetMs: seen, beforeMs: seen };
  while (seenMs < endMs - SECOND_MS) {
    const dayMs = seenMs + DAY_MS;
    const next = offsetAt(zone, dayMs);
    if (next !== seen) {
      const changeMs = firstAfter(zone, seenMs, dayMs, seen);
      if (changeMs > open.startMs) found.push({ ...open, endMs: changeMs, nextMs: next });
      open = { startMs: changeMs, offsetMs: next, beforeMs: seen };
    }
    [seenMs, seen] = [dayMs, next];
  }
  const stretches = [...found, { ...open, endMs, nextMs: offsetAt(zone, endMs) }];
  pieces.set(key, stretches);
  return stretches;
}

/** The first whole second after `fromMs`, at most `toMs`, at which the offset is not `offset` any more. */
function firstAfter(zone: string, fromMs: number, toMs: number, offset: number): number {
  let [low, high] = [fromMs, toMs];
  while (high - low > SECOND_MS) {
    const middle = low + Math.floor((high - low) / 2 / SECOND_MS) * SECOND_MS;
    if (offsetAt(zone, middle) === offset) low = middle;
    else high = middle;
  }
  return high;
}

/** The stretch that a moment is in; those of two moments may overlap. */
export function stretchAt(zone: string, ms: number): Stretch {
  return stretchesOfPiece(zone, Math.floor(ms / (PIECE_DAYS * DAY_MS))).find((stretch) => ms < stretch.endMs)!;
}

// A time zone as stretches of constant offset, found by asking Intl: the zone database is Node's own. Pure. It knows no cron.
import { makeRecent } from '../jobs/recent.js';

/** A stretch of time [startMs, endMs) in which local time is UTC + offsetMs throughout; `beforeMs` is the offset just before it. */
export interface Stretch {
  startMs: number;
  endMs: number;
  offsetMs: number;
  beforeMs: number;
}

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();
/** Years of zones; a year is some 365 questions to Intl. */
const years = makeRecent<readonly Stretch[]>(4_096);

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known) return known;
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' });
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
  const [, month, day, year, hour, minute, second] = /^(\d+)\/(\d+)\/(\d+), (\d+):(\d+):(\d+)$/.exec(formatOf(zone).format(ms))!.map(Number) as [number, number, number, number, number, number, number];
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / SECOND_MS) * SECOND_MS;
}

/** The stretches of a UTC year, cut off at its ends. Two changes within a day that undo each other are not seen. */
function stretchesOfYear(zone: string, year: number): readonly Stretch[] {
  const key = `${zone} ${year}`;
  const known = years.get(key);
  if (known) return known;
  const startMs = Date.UTC(year, 0, 1);
  const endMs = Date.UTC(year + 1, 0, 1);
  const found: Stretch[] = [];
  // the last second of each day: a change at midnight of New Year belongs to the new year
  let seenMs = startMs - SECOND_MS;
  let seen = offsetAt(zone, seenMs);
  let open = { startMs, offsetMs: seen, beforeMs: seen };
  while (seenMs < endMs - SECOND_MS) {
    const nextMs = Math.min(endMs - SECOND_MS, seenMs + DAY_MS);
    const next = offsetAt(zone, nextMs);
    if (next !== seen) {
      const changeMs = firstAfter(zone, seenMs, nextMs, seen);
      if (changeMs > open.startMs) found.push({ ...open, endMs: changeMs });
      open = { startMs: changeMs, offsetMs: next, beforeMs: seen };
    }
    [seenMs, seen] = [nextMs, next];
  }
  const stretches = [...found, { ...open, endMs }];
  years.set(key, stretches);
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

/** The stretch that a moment is in. A year's end ends one, too, without a change of the offset. */
export function stretchAt(zone: string, ms: number): Stretch {
  return stretchesOfYear(zone, new Date(ms).getUTCFullYear()).find((stretch) => ms < stretch.endMs)!;
}

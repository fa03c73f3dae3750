// What lib/schedules/next.ts is checked against: local time minute by minute, as Intl tells it, and expressions as plain conditions
// on it. It shares nothing with the code under test, croner included.
import { fireTimes } from '../../../lib/schedules/next.js';

interface Minute {
  utcMs: number;
  /** Local time as if it were UTC, in ms: two minutes with the same one are a repeated time. */
  localMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const SETTINGS = (['shift', 'skip'] as const).flatMap((gap) => (['first', 'both'] as const).map((overlap) => ({ gap, overlap })));
const formats = new Map<string, Intl.DateTimeFormat>();

function localMs(zone: string, utcMs: number): number {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
    formats.set(zone, format);
  }
  return Date.parse(`${format.format(utcMs).replace(' ', 'T')}Z`);
}

const offsetOf = (zone: string, utcMs: number): number => localMs(zone, utcMs) - utcMs;

/** Whole minutes from `fromMs` on. */
function minutesOf(zone: string, fromMs: number, count: number): Minute[] {
  return Array.from({ length: count }, (_, index) => ({ utcMs: fromMs + index * MINUTE_MS, localMs: localMs(zone, fromMs + index * MINUTE_MS) }));
}

/** Moments, `stepMs` apart, between which the offset changes. */
export function changesOf(zone: string, fromMs: number, toMs: number, stepMs: number): number[] {
  const changes: number[] = [];
  let before = offsetOf(zone, fromMs);
  for (let at = fromMs + stepMs; at <= toMs; at += stepMs) {
    const offset = offsetOf(zone, at);
    if (offset !== before) changes.push(at - stepMs);
    before = offset;
  }
  return changes;
}

interface Expression {
  cron: string;
  /** Plain numbers in its minutes and hours. */
  fixed: boolean;
  matches: (minute: number, hour: number, dayOfWeek: number) => boolean;
}

const EXPRESSIONS: readonly Expression[] = [
  { cron: '30 2 * * *', fixed: true, matches: (minute, hour) => minute === 30 && hour === 2 },
  { cron: '30 1 * * *', fixed: true, matches: (minute, hour) => minute === 30 && hour === 1 },
  { cron: '0 0 * * *', fixed: true, matches: (minute, hour) => minute === 0 && hour === 0 },
  { cron: '*/30 * * * *', fixed: false, matches: (minute) => minute % 30 === 0 },
  { cron: '15 3 * * 0', fixed: true, matches: (minute, hour, dayOfWeek) => minute === 15 && hour === 3 && dayOfWeek === 0 },
  { cron: '0,45 0-2 * * *', fixed: true, matches: (minute, hour) => minute % 45 === 0 && hour <= 2 },
];

/** When an expression fires within the minutes, the first day of which only says what was there before. */
function firesByMinutes({ fixed, matches }: Expression, dst: { gap: string; overlap: string }, minutes: readonly Minute[]): number[] {
  const named = (local: number): boolean => {
    const time = new Date(local);
    return matches(time.getUTCMinutes(), time.getUTCHours(), time.getUTCDay());
  };
  const seen = new Set<number>();
  const fires: number[] = [];
  minutes.forEach(({ utcMs, localMs: local }, index) => {
    const before = minutes[index - 1]?.localMs ?? local - MINUTE_MS;
    let fire = named(local) && !(fixed && dst.overlap === 'first' && seen.has(local));
    if (fixed && dst.gap === 'shift') for (let gone = before + MINUTE_MS; gone < local; gone += MINUTE_MS) fire ||= named(gone);
    seen.add(local);
    if (fire) fires.push(utcMs);
  });
  return fires;
}

/** Where the fires of an expression differ from what the minutes say, from some hours before a change on. */
export function differences(zone: string, change: number, hoursBefore: number, hours: number): string[] {
  const from = change - hoursBefore * HOUR_MS;
  const minutes = minutesOf(zone, from, hours * 60);
  const until = minutes.at(-1)!.utcMs;
  return EXPRESSIONS.flatMap((expression) =>
    SETTINGS.flatMap((dst) => {
      const expected = firesByMinutes(expression, dst, minutes).filter((ms) => ms > from);
      const fires: number[] = [];
      for (const ms of fireTimes({ cron: expression.cron, timezone: zone, dst }, from)) {
        if (ms > until) break;
        fires.push(ms);
      }
      return JSON.stringify(fires) === JSON.stringify(expected) ? [] : [`${zone} ${expression.cron} ${JSON.stringify(dst)}: ${fires.map((ms) => new Date(ms).toISOString()).join(' ')} instead of ${expected.map((ms) => new Date(ms).toISOString()).join(' ')}`];
    }),
  );
}

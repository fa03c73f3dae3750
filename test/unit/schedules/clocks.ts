// What next.ts is checked against: local time minute by minute, as Intl tells it, and expressions as plain conditions on it.
// It shares nothing with the code under test, croner included.

export interface Minute {
  utcMs: number;
  /** Local time as if it were UTC, in ms: two minutes with the same one are a repeated time. */
  localMs: number;
}

const MINUTE_MS = 60_000;
const formats = new Map<string, Intl.DateTimeFormat>();

function localMs(zone: string, utcMs: number): number {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
    formats.set(zone, format);
  }
  return Date.parse(`${format.format(utcMs).replace(' ', 'T')}Z`);
}

export const offsetOf = (zone: string, utcMs: number): number => localMs(zone, utcMs) - utcMs;

/** Whole minutes from `fromMs` on. */
export function minutesOf(zone: string, fromMs: number, count: number): Minute[] {
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

export interface Expression {
  cron: string;
  /** Plain numbers in its minutes and hours. */
  fixed: boolean;
  matches: (minute: number, hour: number, dayOfWeek: number) => boolean;
}

export const EXPRESSIONS: readonly Expression[] = [
  { cron: '30 2 * * *', fixed: true, matches: (minute, hour) => minute === 30 && hour === 2 },
  { cron: '30 1 * * *', fixed: true, matches: (minute, hour) => minute === 30 && hour === 1 },
  { cron: '0 0 * * *', fixed: true, matches: (minute, hour) => minute === 0 && hour === 0 },
  { cron: '*/30 * * * *', fixed: false, matches: (minute) => minute % 30 === 0 },
  { cron: '15 3 * * 0', fixed: true, matches: (minute, hour, dayOfWeek) => minute === 15 && hour === 3 && dayOfWeek === 0 },
  { cron: '0,45 0-2 * * *', fixed: true, matches: (minute, hour) => minute % 45 === 0 && hour <= 2 },
];

/** When an expression fires within the minutes, the first day of which only says what was there before. */
export function firesByMinutes({ fixed, matches }: Expression, dst: { gap: string; overlap: string }, minutes: readonly Minute[]): number[] {
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

// When a rule fires: cron fields in a time zone, with our two rules for changes of the clocks. Pure. The calendar is croner's
// (https://croner.56k.guru): it says which local times an expression names; which moments those are is decided here, stretch by
// stretch of constant offset, because croner has one answer for times that come twice and we have two.
//
// An expression is FIXED if its seconds, minutes and hours are without `*`, `?` and `/` (croner's fixedTimeRule "no-wildcard", close
// to Vixie cron). Of a fixed one, a local time in a gap fires at the first moment after it (gap: shift) or not (skip), several of
// them once; a local time that comes twice fires the first time (overlap: first) or both times. Any other expression keeps to
// elapsed time, whatever `dst` says: nothing in a gap, and each occurrence of a repeated hour.
import { Cron } from 'croner';
import type { FireRule, FireTime } from '../contract/schedule.js';
import { messageOf, type Problem } from '../errors.js';
import { makeRecent } from '../jobs/recent.js';
import { isZone, offsetAt, stretchAt } from './zone.js';

const SECOND_MS = 1_000;
/** Farther than local time is ever from UTC, or jumps. */
const MARGIN_MS = 2 * 86_400_000;
/** An expression takes 100 KiB in croner. */
const EXPRESSIONS_MAX = 128;
const expressions = makeRecent<Cron>(EXPRESSIONS_MAX);

const FIELDS = 'allowed are five fields (minute hour day-of-month month day-of-week), or six with seconds first';
const OR_WARNING = 'both a day of month and a day of week are given: it fires on days that match either; write + before the day of week for days that match both';

/** Of one that has been parsed. UTC without changes of the clocks: its moments read as local times. */
function calendarOf(cron: string): Cron {
  const known = expressions.get(cron);
  if (known) return known;
  const made = new Cron(cron, { mode: '5-or-6-parts', utcOffset: 0, paused: true });
  expressions.set(cron, made);
  return made;
}

/** The first local time that an expression names after one, both as if they were UTC; null: never again. */
const localAfter = (cron: string, localMs: number): number | null => calendarOf(cron).nextRun(new Date(localMs))?.getTime() ?? null;

const fieldsOf = (cron: string): string[] => cron.trim().split(/\s+/);
const isFixed = (cron: string): boolean => !fieldsOf(cron).slice(0, -3).some((field) => /[*?/]/.test(field));

/**
 * A rule that can be asked for its times, or what is wrong with it; `warnings` say what may not be meant so.
 * @param nowMs it has to fire after this moment
 */
export function parseRule(given: FireRule, nowMs: number): { rule: FireRule; warnings: string[] } | { problems: Problem[] } {
  const problems: Problem[] = [];
  const fields = fieldsOf(given.cron);
  const cron = fields.join(' ');
  if (!isZone(given.timezone)) problems.push({ param: 'timezone', message: `${JSON.stringify(given.timezone)} is no time zone; allowed are IANA names, such as UTC or Europe/Berlin` });
  if (fields.length < 5 || fields.length > 6) problems.push({ param: 'cron', message: `has ${fields.length} ${fields.length === 1 ? 'field' : 'fields'}; ${FIELDS}` });
  else {
    try {
      if (localAfter(cron, nowMs) === null) problems.push({ param: 'cron', message: `${JSON.stringify(cron)} never fires: no date matches it` });
    } catch (error) {
      problems.push({ param: 'cron', message: `${messageOf(error).replace(/^CronPattern: /, '').replace(/\.$/, '')}; ${FIELDS}` });
    }
  }
  if (problems.length > 0) return { problems };
  const [dayOfMonth = '', , dayOfWeek = ''] = fields.slice(-3);
  const ored = !/^[*?]$/.test(dayOfMonth) && !/^([*?]|\+.*)$/.test(dayOfWeek);
  return { rule: { cron, timezone: given.timezone, dst: { gap: given.dst.gap, overlap: given.dst.overlap } }, warnings: ored ? [OR_WARNING] : [] };
}

/** The moments after `afterMs` at which a rule fires, without end as far as the calendar goes (the year 3000). */
export function* fireTimes({ cron, timezone, dst }: FireRule, afterMs: number): Generator<number, void, undefined> {
  const fixed = isFixed(cron);
  // all before it has been looked at
  for (let fromMs = afterMs + 1; ; ) {
    const { startMs, endMs, offsetMs, beforeMs, nextMs } = stretchAt(timezone, fromMs);
    // where to look on, in local time
    let local = Math.max(fromMs, startMs) - 1 + offsetMs;
    if (startMs >= fromMs && offsetMs > beforeMs && fixed && dst.gap === 'shift') {
      const missing = localAfter(cron, startMs + beforeMs - 1);
      if (missing !== null && missing < startMs + offsetMs) {
        yield startMs;
        local = startMs + offsetMs;
      }
    }
    if (offsetMs < beforeMs && fixed && dst.overlap === 'first') local = Math.max(local, startMs + beforeMs - 1);
    let next = localAfter(cron, local);
    for (; next !== null && next < endMs + offsetMs; next = localAfter(cron, next)) yield next - offsetMs;
    if (next === null) return;
    // nothing can fire before this, but for times that come again
    fromMs = nextMs < offsetMs ? endMs : Math.max(endMs, next - MARGIN_MS);
  }
}

/** The next `count` fires after a moment. */
export function firesAfter(rule: FireRule, after: Date, count: number): FireTime[] {
  const fires: FireTime[] = [];
  for (const ms of fireTimes(rule, after.getTime())) {
    if (fires.push(fireTime(rule, ms)) >= count) break;
  }
  return fires;
}

/** A moment in UTC and on the clocks of the rule's time zone. */
function fireTime({ timezone }: Pick<FireRule, 'timezone'>, ms: number): FireTime {
  const offsetMs = offsetAt(timezone, ms);
  return { utc: toIso(ms), local: `${toIso(ms + offsetMs).slice(0, -1)}${showOffset(offsetMs)}` };
}

/** Without milliseconds where there are none. */
const toIso = (ms: number): string => new Date(ms).toISOString().replace(/\.000Z$/, 'Z');

/** `+05:30`; with seconds for the local mean times of old. */
function showOffset(offsetMs: number): string {
  const seconds = Math.abs(offsetMs) / SECOND_MS;
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, ...(seconds % 60 === 0 ? [] : [seconds % 60])];
  return `${offsetMs < 0 ? '-' : '+'}${parts.map((part) => String(part).padStart(2, '0')).join(':')}`;
}

import { Cron } from 'croner';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { FireRule } from '../../../lib/contract/schedule.js';
import { firesAfter, parseRule } from '../../../lib/schedules/next.js';

const now = Date.UTC(2026, 0, 1);
const rule = (cron: string, timezone = 'UTC', dst: Partial<FireRule['dst']> = {}): FireRule => ({ cron, timezone, dst: { gap: 'shift', overlap: 'first', ...dst } });
const problemsOf = (given: FireRule): string[] => {
  const parsed = parseRule(given, now);
  return 'problems' in parsed ? parsed.problems.map(({ param, message }) => `${param}: ${message}`) : [];
};
const fires = (cron: string, timezone: string, dst: Partial<FireRule['dst']>, after: string, count: number): string[] => firesAfter(rule(cron, timezone, dst), new Date(after), count).map(({ utc, local }) => `${utc} ${local}`);

it.each([
  ['five fields', '30 2 * * 1-5'],
  ['six fields', '*/10 30 2 * * *'],
  ['names', '0 9 * JAN-MAR MON,FRI'],
  ['the last day and the nearest weekday', '0 0 L,15W * *'],
  ['the second Friday', '0 0 * * FRI#2'],
  ['29 February', '0 0 29 2 *'],
])('takes %s', (_, cron) => {
  expect(parseRule(rule(`  ${cron.replace(' ', '   ')} `), now)).toEqual({ rule: rule(cron), warnings: [] });
});

it.each([
  ['* * *', 'cron: has 3 fields; allowed are five fields (minute hour day-of-month month day-of-week), or six with seconds first'],
  ['0 0 0 1 1 * 2030', 'cron: has 7 fields; '],
  ['@daily', 'cron: has 1 field; '],
  ['60 0 * * *', 'cron: Invalid value for minute: 60; allowed are'],
  ['0 0 * * FOO', 'cron: configuration entry 5 (FOO) contains illegal characters; allowed are'],
  ['5/15 * * * *', "stepping with numeric prefix ('5/15') is not allowed"],
  ['0 0 31 2 *', 'cron: "0 0 31 2 *" never fires: no date matches it'],
  ['0 0 31 2,4,6,9,11 *', 'never fires'],
  ['0 0 30W 2 *', 'never fires'],
])('refuses %s and says why', (cron, message) => {
  expect(problemsOf(rule(cron))).toEqual([expect.stringContaining(message)]);
});

it.each(['Mars/Phobos', '+01:00', '', 'local', 'Europe/Berlin; x'])('refuses the time zone %j and says what is allowed', (timezone) => {
  expect(problemsOf(rule('0 0 * * *', timezone))).toEqual([`timezone: ${JSON.stringify(timezone)} is no time zone; allowed are IANA names, such as UTC or Europe/Berlin`]);
});

it('names every problem at once', () => {
  expect(problemsOf(rule('61 * * * *', 'Nowhere'))).toHaveLength(2);
});

it('warns where a day of month and a day of week are both given, unless they are meant to hold together', () => {
  const warnings = (cron: string): string[] => (parseRule(rule(cron), now) as { warnings: string[] }).warnings;
  expect(warnings('0 0 13 * 5')).toEqual([expect.stringContaining('days that match either; write + before')]);
  for (const cron of ['0 0 13 * +5', '0 0 13 * *', '0 0 * * 5', '0 0 ? * 5', '0 0 13 * ?']) expect(warnings(cron)).toEqual([]);
  expect(firesAfter(rule('0 0 13 * +5'), new Date(now), 2).map(({ utc }) => utc)).toEqual(['2026-02-13T00:00:00Z', '2026-03-13T00:00:00Z']);
  expect(firesAfter(rule('0 0 13 * 5'), new Date(now), 3).map(({ utc }) => utc)).toEqual(['2026-01-02T00:00:00Z', '2026-01-09T00:00:00Z', '2026-01-13T00:00:00Z']);
});

it('shifts a time in a gap to the first moment after it, or skips it', () => {
  expect(fires('30 2 * * *', 'America/New_York', {}, '2026-03-07T12:00:00Z', 2)).toEqual(['2026-03-08T07:00:00Z 2026-03-08T03:00:00-04:00', '2026-03-09T06:30:00Z 2026-03-09T02:30:00-04:00']);
  expect(fires('30 2 * * *', 'America/New_York', { gap: 'skip' }, '2026-03-07T12:00:00Z', 1)).toEqual(['2026-03-09T06:30:00Z 2026-03-09T02:30:00-04:00']);
});

it('fires once for several times in one gap, and for one that is the moment after it', () => {
  expect(fires('0,30 2-3 * * *', 'America/New_York', {}, '2026-03-08T06:59:59.999Z', 2)).toEqual(['2026-03-08T07:00:00Z 2026-03-08T03:00:00-04:00', '2026-03-08T07:30:00Z 2026-03-08T03:30:00-04:00']);
});

it('fires the first time, or both times, of a time that comes twice', () => {
  const first = '2026-11-01T05:30:00Z 2026-11-01T01:30:00-04:00';
  const second = '2026-11-01T06:30:00Z 2026-11-01T01:30:00-05:00';
  const next = '2026-11-02T06:30:00Z 2026-11-02T01:30:00-05:00';
  expect(fires('30 1 * * *', 'America/New_York', {}, '2026-11-01T00:00:00Z', 2)).toEqual([first, next]);
  expect(fires('30 1 * * *', 'America/New_York', { overlap: 'both' }, '2026-11-01T00:00:00Z', 3)).toEqual([first, second, next]);
  expect(fires('30 1 * * *', 'America/New_York', { overlap: 'both' }, '2026-11-01T05:30:00Z', 1)).toEqual([second]);
});

it('keeps to elapsed time with * or / in the hours or minutes, whatever the rules say', () => {
  for (const dst of [{}, { gap: 'skip', overlap: 'both' }] as const) {
    expect(fires('0 * * * *', 'America/New_York', dst, '2026-03-08T05:30:00Z', 3).map((fire) => fire.slice(0, 20))).toEqual(['2026-03-08T06:00:00Z', '2026-03-08T07:00:00Z', '2026-03-08T08:00:00Z']);
    expect(fires('*/30 1 * * *', 'America/New_York', dst, '2026-11-01T00:00:00Z', 4).map((fire) => fire.slice(0, 20))).toEqual(['2026-11-01T05:00:00Z', '2026-11-01T05:30:00Z', '2026-11-01T06:00:00Z', '2026-11-01T06:30:00Z']);
  }
});

it('knows half an hour of summer time, and a time zone of half hours', () => {
  expect(fires('15 2 * * *', 'Australia/Lord_Howe', {}, '2026-10-03T00:00:00Z', 2)).toEqual(['2026-10-03T15:30:00Z 2026-10-04T02:30:00+11:00', '2026-10-04T15:15:00Z 2026-10-05T02:15:00+11:00']);
  expect(fires('0 9 * * *', 'Asia/Kathmandu', {}, '2026-01-01T00:00:00Z', 1)).toEqual(['2026-01-01T03:15:00Z 2026-01-01T09:00:00+05:45']);
});

it('finds a date that is years away, and ends where the calendar does', () => {
  expect(fires('0 12 29 2 *', 'Europe/Berlin', {}, '2096-03-01T00:00:00Z', 1)).toEqual(['2104-02-29T11:00:00Z 2104-02-29T12:00:00+01:00']);
  expect(fires('0 0 1 1 *', 'UTC', {}, '2998-06-01T00:00:00Z', 5)).toEqual(['2999-01-01T00:00:00Z 2999-01-01T00:00:00+00:00']);
});

it('reads the years before 100 as what they are', () => {
  expect(fires('0 12 1 1 *', 'UTC', {}, '0050-03-01T00:00:00Z', 2)).toEqual(['0051-01-01T12:00:00Z 0051-01-01T12:00:00+00:00', '0052-01-01T12:00:00Z 0052-01-01T12:00:00+00:00']);
  // on the sun's time of Berlin, which is 53 min 28 s before that of Greenwich
  expect(fires('0 12 1 1 *', 'Europe/Berlin', {}, '0098-03-01T00:00:00Z', 2)).toEqual(['0099-01-01T11:06:32Z 0099-01-01T12:00:00+00:53:28', '0100-01-01T11:06:32Z 0100-01-01T12:00:00+00:53:28']);
  expect(fires('0 0 1 * *', 'UTC', {}, '0000-01-01T00:00:00Z', 1)).toEqual(['0000-02-01T00:00:00Z 0000-02-01T00:00:00+00:00']);
});

it('fires both times of a time that comes twice also where the next one is far away', () => {
  expect(fires('0 0 1 */2 *', 'Atlantic/Madeira', { overlap: 'both' }, '1916-10-15T00:00:00Z', 3)).toEqual(['1916-11-01T00:00:00Z 1916-11-01T00:00:00+00:00', '1916-11-01T01:00:00Z 1916-11-01T00:00:00-01:00', '1917-01-01T01:00:00Z 1917-01-01T00:00:00-01:00']);
  expect(fires('0 0 1 */2 *', 'Atlantic/Madeira', {}, '1916-10-15T00:00:00Z', 2)).toEqual(['1916-11-01T00:00:00Z 1916-11-01T00:00:00+00:00', '1917-01-01T01:00:00Z 1917-01-01T00:00:00-01:00']);
});

it('asks little of the zone where a rule fires seldom: a thousand years of it hold nobody up', () => {
  const asked = vi.spyOn(Intl.DateTimeFormat.prototype as { format: object }, 'format', 'get');
  onTestFinished(() => asked.mockRestore());
  expect(fires('0 12 1 1 *', 'Europe/Samara', {}, '2000-03-01T00:00:00Z', 900)).toHaveLength(900);
  expect(asked.mock.calls.length / 900).toBeGreaterThan(1);
  expect(asked.mock.calls.length / 900).toBeLessThan(30);
});

it('says what croner says where there is only one answer', () => {
  const expressions = ['30 2 * * *', '0 0 * * *', '15,45 1-3 * * 0', '*/20 * * * *', '0 */2 * * *', '0 12 L * *', '10 20 1 */5 * *'];
  for (const timezone of ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Santiago', 'Africa/Casablanca', 'Pacific/Apia', 'Asia/Gaza']) {
    for (const cron of expressions) {
      const start = new Date('2026-02-01T00:00:00Z');
      const expected = new Cron(cron, { timezone, paused: true, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' }).nextRuns(60, start).map((date) => date.toISOString());
      const found = firesAfter(rule(cron, timezone), start, 60).map(({ utc }) => new Date(utc).toISOString());
      expect({ timezone, cron, found }).toEqual({ timezone, cron, found: expected });
    }
  }
});

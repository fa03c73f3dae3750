import { expect, it } from 'vitest';
import { fireTimes } from '../../../lib/schedules/next.js';
import { changesOf, EXPRESSIONS, firesByMinutes, minutesOf } from './clocks.js';

const FROM = Date.UTC(2026, 0, 1);
const TO = Date.UTC(2028, 0, 1);
const HOUR_MS = 3_600_000;
const SETTINGS = (['shift', 'skip'] as const).flatMap((gap) => (['first', 'both'] as const).map((overlap) => ({ gap, overlap })));

/** Some hours before a change until some after it, against the minutes themselves. */
function differences(zone: string, change: number, hoursBefore: number, hours: number): string[] {
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

it('agrees with the clocks, minute by minute, around every change of every zone in two years', { timeout: 120_000 }, () => {
  let changes = 0;
  const wrong: string[] = [];
  for (const zone of Intl.supportedValuesOf('timeZone')) {
    for (const change of changesOf(zone, FROM, TO, 24 * HOUR_MS)) {
      changes++;
      wrong.push(...differences(zone, change, 3, 30));
    }
  }
  expect(wrong).toEqual([]);
  expect(changes).toBeGreaterThan(400);
});

it('agrees with the clocks where a zone lost a whole day, half an hour, or changed its mind', () => {
  const odd: [string, number][] = [
    ['Pacific/Apia', Date.UTC(2011, 11, 30, 6)], // no 30 December 2011
    ['Pacific/Kwajalein', Date.UTC(1993, 7, 21, 8)], // no 21 August 1993
    ['Asia/Pyongyang', Date.UTC(2015, 7, 14, 12)], // half an hour back, without summer time
    ['Asia/Pyongyang', Date.UTC(2018, 4, 4, 12)],
    ['America/Caracas', Date.UTC(2007, 11, 9, 6)],
    ['Europe/Istanbul', Date.UTC(2016, 2, 27, 0)],
    ['Asia/Beirut', Date.UTC(2025, 2, 29, 18)], // a gap at midnight
    ['America/Sao_Paulo', Date.UTC(2018, 10, 4, 0)], // a gap at midnight
    ['America/Sao_Paulo', Date.UTC(2019, 1, 16, 18)],
    ['Asia/Singapore', Date.UTC(1981, 11, 31, 12)], // half an hour, at New Year
    ['Australia/Lord_Howe', Date.UTC(2026, 3, 4, 12)],
    ['Antarctica/Troll', Date.UTC(2026, 2, 29, 0)], // two hours
    ['Europe/London', Date.UTC(1971, 9, 31, 0)],
  ];
  expect(odd.flatMap(([zone, change]) => differences(zone, change, 30, 78))).toEqual([]);
});

import { expect, it } from 'vitest';
import { differences } from '../../support/schedules/clocks.js';

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

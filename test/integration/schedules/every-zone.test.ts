import { expect, it } from 'vitest';
import { changesOf, differences } from '../../support/schedules/clocks.js';

const FROM = Date.UTC(2026, 0, 1);
const TO = Date.UTC(2028, 0, 1);
const DAY_MS = 86_400_000;

it('agrees with the clocks, minute by minute, around every change of every zone in two years', { timeout: 120_000 }, () => {
  let changes = 0;
  const wrong: string[] = [];
  for (const zone of Intl.supportedValuesOf('timeZone')) {
    for (const change of changesOf(zone, FROM, TO, DAY_MS)) {
      changes++;
      wrong.push(...differences(zone, change, 3, 30));
    }
  }
  expect(wrong).toEqual([]);
  expect(changes).toBeGreaterThan(400);
});

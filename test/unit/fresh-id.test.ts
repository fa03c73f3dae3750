import { decodeTime } from 'ulid';
import { expect, test } from 'vitest';
import { ULID_ALPHABET } from '../../lib/derived-id.js';
import { freshUlid, idRandom } from '../../lib/fresh-id.js';

const COUNT = 20_000;
const TIME_LENGTH = 10;

test('an id has the time in front, and no two are alike', () => {
  const from = Date.now();
  const ids = Array.from({ length: COUNT }, freshUlid);
  const to = Date.now();
  expect(new Set(ids).size).toBe(COUNT);
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/);
    const ms = decodeTime(id.toUpperCase());
    expect(ms >= from && ms <= to).toBe(true);
  }
});

test('every letter is as likely as every other at each of its sixteen random places', () => {
  const ids = Array.from({ length: COUNT }, freshUlid);
  const expected = COUNT / 32;
  for (let place = TIME_LENGTH; place < 26; place++) {
    const counts = new Map<string, number>();
    for (const id of ids) counts.set(id[place]!, (counts.get(id[place]!) ?? 0) + 1);
    const chiSquared = [...ULID_ALPHABET].reduce((sum, letter) => sum + ((counts.get(letter) ?? 0) - expected) ** 2 / expected, 0);
    // 31 degrees of freedom: beyond this once in some 10^9
    expect(chiSquared).toBeLessThan(105);
  }
});

test('random numbers are from 0 to below 1', () => {
  const numbers = Array.from({ length: COUNT }, idRandom);
  expect(Math.min(...numbers)).toBe(0);
  expect(Math.max(...numbers)).toBe(255 / 256);
});

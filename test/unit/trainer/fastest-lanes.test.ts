import { expect, test } from 'vitest';
import { fastestLanes, rememberLanes, timeOf } from '../../../worker/trainer/engines/fastest-lanes.js';

test.each<[string, number, Record<number, number>, number]>([
  ['the fastest', 4, { 1: 10, 2: 6, 4: 4 }, 4],
  ['one, where no number of them is much faster', 4, { 1: 10, 2: 9.8, 4: 9.7 }, 1],
  ['fewer, where more are not worth it', 8, { 1: 10, 2: 6, 4: 5.9, 8: 5.8 }, 2],
  ['many, where a few do not help', 4, { 1: 10, 2: 11, 4: 5 }, 4],
  ['all there are, whatever their number', 6, { 1: 12, 2: 6, 4: 4, 6: 3 }, 6],
  ['one of one', 1, { 1: 10 }, 1],
])('takes %s', (_, most, ms, lanes) => {
  const asked: number[] = [];
  expect(fastestLanes(most, (count) => (asked.push(count), ms[count]!))).toBe(lanes);
  expect(asked.map(String)).toEqual(Object.keys(ms));
});

test('does not count the run that warms up', () => {
  const times = [1, 9, 7];
  expect(timeOf(() => times.shift()!)).toBe(7);
});

test('measures a program once, and again where fewer can run at a time', () => {
  const choose = rememberLanes();
  const asked: number[] = [];
  const msOf = (count: number): number => (asked.push(count), 10 / count);
  expect([choose({ key: 'a' }, 2, msOf), choose({ key: 'a' }, 2, msOf), choose({ key: 'b' }, 2, msOf), choose({ key: 'a' }, 4, msOf)]).toEqual([2, 2, 2, 4]);
  expect(asked).toEqual([1, 2, 1, 2, 1, 2, 4]);
});

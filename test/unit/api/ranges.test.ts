import { describe, expect, it } from 'vitest';
import { parseRange } from '../../../api/ranges.js';

describe('a Range header', () => {
  it.each([
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=0-', { start: 0, end: 99 }],
    ['bytes=10-1000', { start: 10, end: 99 }],
    ['bytes = 10 - 20', { start: 10, end: 20 }],
    ['BYTES=10-20', { start: 10, end: 20 }],
    ['bytes=-1', { start: 99, end: 99 }],
    ['bytes=-1000', { start: 0, end: 99 }],
  ])('is a range: %s', (header, range) => expect(parseRange(header, 100)).toEqual(range));

  it.each(['bytes=100-', 'bytes=100-200', 'bytes=-0'])('is beyond the end: %s', (header) => expect(parseRange(header, 100)).toBe('unsatisfiable'));

  it.each([undefined, '', 'bytes=', 'bytes=-', 'bytes=5-4', 'bytes=a-b', 'bytes=0-1,3-4', 'items=0-1', 'bytes=1-99999999999999999999', 'bytes=--1'])('is passed over: %s', (header) => expect(parseRange(header, 100)).toBeNull());

  it('of nothing is never satisfied', () => {
    for (const header of ['bytes=0-', 'bytes=-5', 'bytes=0-0']) expect(parseRange(header, 0)).toBe('unsatisfiable');
  });
});

import { constants } from 'node:buffer';
import { totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { bytesToUnpack, defaultDataMemoryBytes, placeArrays } from '../../../lib/data/memory.js';

const array = (memoryBytes: number, stored: boolean) => ({ memoryBytes, unpackedBytes: stored ? 0 : memoryBytes });

describe('placeArrays', () => {
  it.each<[string, ReturnType<typeof array>[], number, boolean[]]>([
    ['nothing', [], 0, []],
    ['all, if they fit exactly', [array(60, true), array(40, false)], 100, [true, true]],
    ['what is compressed first, whatever its size', [array(10, true), array(95, false)], 100, [false, true]],
    ['then the small ones', [array(90, true), array(30, true), array(20, true)], 100, [false, true, true]],
    ['what still fits after something that does not', [array(101, false), array(60, true), array(50, true)], 100, [false, false, true]],
    ['nothing, without memory', [array(1, true), array(2, false)], 0, [false, false]],
  ])('brings into memory: %s', (_what, arrays, memoryBytes, placed) => {
    expect(placeArrays(arrays, memoryBytes)).toEqual(placed);
  });

  it('leaves out what no array can hold, however much memory there is, and nothing else for its sake', () => {
    const arrays = [array(101, true), array(100, true), array(101, false), array(100, false)];
    expect(placeArrays(arrays, 1_000, 100)).toEqual([false, true, false, true]);
    // as much as this Node.js can hold, which is what every Uint8Array of a set is held to
    expect(placeArrays([array(constants.MAX_LENGTH, true), array(constants.MAX_LENGTH + 1, true)], Infinity)).toEqual([true, false]);
  });
});

describe('what is to be unpacked', () => {
  it('is what is compressed and has no place in memory', () => {
    const arrays = [array(60, false), array(50, true), array(40, false)];
    expect([0, 40, 59, 60, 100].map((memoryBytes) => bytesToUnpack(arrays, memoryBytes))).toEqual([100, 60, 60, 60, 0]);
    // labels that take more of memory than of a file
    expect(bytesToUnpack([{ memoryBytes: 40, unpackedBytes: 10 }], 39)).toBe(10);
  });
});

describe('the memory for data', () => {
  it('is at most a quarter of what the machine has', () => {
    expect(defaultDataMemoryBytes()).toBeGreaterThan(1024 ** 2);
    expect(defaultDataMemoryBytes()).toBeLessThanOrEqual(totalmem() / 4);
  });
});

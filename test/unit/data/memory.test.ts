import { totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { defaultDataMemoryBytes, placeArrays } from '../../../lib/data/memory.js';

const array = (memoryBytes: number, stored: boolean, name = 'set.npz, array "x"') => ({ name, memoryBytes, stored });

describe('placeArrays', () => {
  it.each<[string, ReturnType<typeof array>[], number, boolean[]]>([
    ['nothing', [], 0, []],
    ['all, if they fit exactly', [array(60, true), array(40, false)], 100, [true, true]],
    ['what is compressed first, whatever its size', [array(10, true), array(95, false)], 100, [false, true]],
    ['then the small ones', [array(90, true), array(30, true), array(20, true)], 100, [false, true, true]],
    ['nothing that is stored, without memory', [array(1, true), array(2, true)], 0, [false, false]],
  ])('brings into memory: %s', (_what, arrays, memoryBytes, placed) => {
    expect(placeArrays(arrays, memoryBytes)).toEqual(placed);
  });

  it('refuses what is compressed and does not fit, alone or beside others', () => {
    expect(() => placeArrays([array(101, false)], 100)).toThrow('set.npz, array "x": it is compressed and has 101 bytes, and data may take 100 bytes of memory; store it uncompressed');
    expect(() => placeArrays([array(50, false, 'other'), array(60, false)], 100)).toThrow('set.npz, array "x": it is compressed and has 60 bytes, and data may take 100 bytes of memory, of which 50 are left; store');
  });
});

describe('the memory for data', () => {
  it('is at most a quarter of what the machine has', () => {
    expect(defaultDataMemoryBytes()).toBeGreaterThan(1024 ** 2);
    expect(defaultDataMemoryBytes()).toBeLessThanOrEqual(totalmem() / 4);
  });
});

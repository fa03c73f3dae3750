import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { permutationOf } from '../../../lib/training/permutation.js';

const order = (seed: number, epoch: number, n: number) => [...permutationOf(seed, epoch, n).slice(0, n)];

describe('permutationOf', () => {
  // computed from the definition by a second implementation in another language
  it('gives these orders for ever', () => {
    expect(order(0, 0, 10)).toEqual([0, 5, 9, 3, 1, 6, 8, 2, 4, 7]);
    expect([...permutationOf(42, 3, 1437).slice(0, 8)]).toEqual([240, 657, 1201, 814, 672, 384, 1307, 329]);
  });

  it('holds every sample exactly once, whatever the size', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(1000), fc.integer({ min: 1, max: 700 }), (seed, epoch, n) => {
        expect(order(seed, epoch, n).sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
      { numRuns: 100 },
    );
  });

  it.each([1, 2, 3, 4, 5, 16, 17, 255, 256, 257, 65_536, 65_537])('holds every one of %d samples once', (n) => {
    expect(new Set(order(7, 1, n)).size).toBe(n);
    expect(Math.max(...order(7, 1, Math.min(n, 1000)))).toBeLessThan(n);
  });

  it('gives the same sample by random access, in any order, from a fresh object', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 300 }), fc.nat(), (seed, n, start) => {
        const sequence = order(seed, 2, n);
        const from = start % n;
        expect(permutationOf(seed, 2, n).at(from)).toBe(sequence[from]);
        expect([...permutationOf(seed, 2, n).slice(from, n)]).toEqual(sequence.slice(from));
      }),
      { numRuns: 100 },
    );
  });

  it('is another one for another epoch and another seed', () => {
    expect(new Set([order(0, 0, 50), order(0, 1, 50), order(1, 0, 50), order(1, 1, 50)].map(String)).size).toBe(4);
  });

  it('is file order without shuffling', () => {
    expect([...permutationOf(3, 4, 6, false).slice(0, 6)]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it.each([
    [3, 6],
    [4, 24],
    [5, 120],
  ])('makes every order of %d samples equally likely', (n, orders) => {
    const trials = orders * 80;
    const counts = new Map<string, number>();
    for (let seed = 0; seed < trials; seed++) {
      const key = order(seed, 0, n).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(orders);
    const chi = [...counts.values()].reduce((sum, count) => sum + (count - 80) ** 2 / 80, 0);
    // 4 standard deviations above the mean of chi-square
    expect(chi).toBeLessThan(orders - 1 + 4 * Math.sqrt(2 * (orders - 1)));
  });

  it('spreads every position evenly over the samples', () => {
    const n = 20;
    const counts = Array.from({ length: n }, () => new Float64Array(n));
    const trials = 4000;
    for (let epoch = 0; epoch < trials; epoch++) for (const [position, sample] of order(1, epoch, n).entries()) counts[position]![sample]!++;
    const expected = trials / n;
    const chi = counts.reduce((sum, row) => sum + row.reduce((part, count) => part + (count - expected) ** 2 / expected, 0), 0);
    const freedom = (n - 1) ** 2;
    expect(Math.abs(chi - freedom)).toBeLessThan(5 * Math.sqrt(2 * freedom));
  });

  it('needs no memory for ten million samples', () => {
    const permutation = permutationOf(1, 0, 10_000_000);
    const samples = permutation.slice(9_999_000, 10_000_000);
    expect(new Set(samples).size).toBe(1000);
    expect(Math.max(...samples)).toBeLessThan(10_000_000);
    // neighbours in the order are strangers in the file
    expect(samples.filter((sample, i) => i > 0 && Math.abs(sample - samples[i - 1]!) < 1000).length).toBeLessThan(5);
  });

  it('refuses what is not a size and what is not a position', () => {
    for (const n of [0, -1, 1.5, 2 ** 31, NaN]) expect(() => permutationOf(0, 0, n)).toThrow(RangeError);
    for (const position of [-1, 3, 0.5, NaN]) expect(() => permutationOf(0, 0, 3).at(position)).toThrow(RangeError);
  });
});

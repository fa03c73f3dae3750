import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cosPi, power } from '../../../lib/training/portable-math.js';

describe('cosPi', () => {
  it('is exact where the cosine is', () => {
    expect([cosPi(0), cosPi(0.5), cosPi(1)]).toEqual([1, 0, -1]);
  });

  it('is the cosine to the last bits', () => {
    fc.assert(fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (t) => void expect(Math.abs(cosPi(t) - Math.cos(Math.PI * t))).toBeLessThan(5e-16)), { numRuns: 1000 });
  });

  // resumed trainings go by these bits
  it('gives these numbers for ever', () => {
    expect([0.1, 0.25, 0.3, 0.7].map(cosPi)).toEqual([0.9510565162951535, 0.7071067811865475, 0.5877852522924731, -0.587785252292473]);
  });
});

describe('power', () => {
  it('is the power to the last digits', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), fc.double({ min: -50, max: 50, noNaN: true }), (base, exponent) => {
        expect(Math.abs(power(base, exponent) / base ** exponent - 1)).toBeLessThan(3e-13);
      }),
      { numRuns: 1000 },
    );
  });

  it('ends where float64 ends', () => {
    expect([power(0.5, 1100), power(2, 1100), power(2, 0), power(1, 1e9), power(2, 10)]).toEqual([0, Infinity, 1, 1, 1024]);
    expect(power(2, 1023) / 2 ** 1023).toBeCloseTo(1, 12);
    expect(power(0.5, 1074)).toBe(2 ** -1074);
  });
});

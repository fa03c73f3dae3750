import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawTruncatedNormal, logMass } from '../../../../lib/sweeps/samplers/truncated-normal.js';
import { deriveKey } from '../../../../lib/training/random.js';

describe('the logarithm of a mass of the standard normal', () => {
  // by arithmetic with 60 digits
  test.each([
    [-1, 1, -0.38171514630212607],
    [-0.3, 0, -2.1378215958179827],
    [0, 1e-6, -14.734449091169114],
    [5, 6, -15.068446096529453],
    [-40, -39, -765.08315656437754],
    [60, 1000, -1805.0135606805671],
    [50, 50.000004, -1263.3482547283851],
    [-1e-5, 2e-4, -9.3873415668014781],
    [20, 20.00002, -211.73891681101495],
    [-8, 9, -6.2220891626777399e-16],
  ])('from %d to %d is exact, also far out and where the interval is narrow', (a, b, expected) => {
    expect(Math.abs(logMass(a, b) - expected)).toBeLessThan(Math.max(1e-9, 1e-13 * Math.abs(expected)));
  });

  test('is the same on both sides of 0', () => {
    fc.assert(fc.property(fc.double({ min: -90, max: 90, noNaN: true }), fc.double({ min: 1e-9, max: 50, noNaN: true }), (a, width) => {
      expect(logMass(a, a + width)).toBeCloseTo(logMass(-a - width, -a), 6);
    }));
  });

  test('adds up over neighbours', () => {
    fc.assert(fc.property(fc.double({ min: -30, max: 30, noNaN: true }), fc.double({ min: 1e-3, max: 3, noNaN: true }), fc.double({ min: 1e-3, max: 3, noNaN: true }), (a, first, second) => {
      const [left, right, both] = [logMass(a, a + first), logMass(a + first, a + first + second), logMass(a, a + first + second)];
      expect(both + Math.log(Math.exp(left - both) + Math.exp(right - both))).toBeCloseTo(both, 9);
    }));
  });
});

describe('a draw from a truncated normal', () => {
  test('lies within, and has the mean and the quantiles of its density', () => {
    const draws = Array.from({ length: 20_000 }, (_, i) => drawTruncatedNormal(deriveKey([3, 4], i), 0.2, 1, 0, 1));
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...draws)).toBeLessThanOrEqual(1);
    // Φ within [−0.2, 0.8]: P(x ≤ ½) from the masses themselves
    const expected = Math.exp(logMass(-0.2, 0.3) - logMass(-0.2, 0.8));
    const share = draws.filter((x) => x <= 0.5).length / draws.length;
    expect(Math.abs(share - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / draws.length));
  });

  test('ends even where the mean is at an end and the deviation as long as the interval', () => {
    for (let i = 0; i < 2_000; i++) expect(drawTruncatedNormal(deriveKey([1, 2], i), 1, 1, 0, 1)).toBeLessThanOrEqual(1);
  });
});

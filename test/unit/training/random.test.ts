import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import {
  bitsAt, deriveKey, dropoutKey, fillNormal, fillTruncatedNormal, fillUniform, keyOf, type Key, mix32, normalAt, TRUNCATED_NORMAL_STDDEV, uniformAt,
} from '../../../lib/training/random.js';

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const anyKey = fc.tuple(int32, int32);

describe('the definition', () => {
  // computed from the definition in random.ts by a second implementation in another language
  it('gives these numbers for ever', () => {
    expect(mix32(1)).toBe(1753845952);
    expect(keyOf(0, 'shuffle', 0)).toEqual([-147450538, 1889713947]);
    expect(keyOf(42, 'init/conv2d_1/kernel')).toEqual([818065444, -631388932]);
    expect(deriveKey([1, 2], 3)).toEqual([-238177609, -1567592405]);
    expect([0, 1, 2, 3].map((i) => bitsAt([1, 2], i))).toEqual([-889199728, -787275391, -726475646, -238177609]);
    expect([0, 1, 2, 3].map((i) => uniformAt([-5, 7], i))).toEqual([0.3276767134666443, 0.27340275049209595, 0.5861424803733826, 0.9819761514663696]);
  });

  it('gives these normal numbers up to the last bit of a logarithm', () => {
    const expected = [-0.21886422051894172, 1.4776852377368874, 1.0270059241714393, -0.11680519780724041];
    for (const [i, z] of expected.entries()) expect(normalAt([-5, 7], i)).toBeCloseTo(z, 14);
  });
});

describe('keys', () => {
  it('take 0 as a seed like any other', () => {
    const keys = [0, 1, 2, -1].map((seed) => keyOf(seed, 'shuffle', 0).join());
    expect(new Set(keys).size).toBe(4);
    expect(keyOf(0, 'shuffle', 0)).toEqual(keyOf(0, 'shuffle', 0));
  });

  it('keep apart what a joined text would confuse', () => {
    const keys = [keyOf(1, 'a', 2, 3), keyOf(1, 'a', 23), keyOf(1, 'a/2', 3), keyOf(12, 'a', 3), keyOf(1, 'a', 2), keyOf(1, 'a2')];
    expect(new Set(keys.map((key) => key.join())).size).toBe(keys.length);
  });

  it.each([0.5, NaN, Infinity, 2 ** 53])('refuse %d', (seed) => {
    expect(() => keyOf(seed, 'shuffle')).toThrow(RangeError);
    expect(() => keyOf(0, 'shuffle', seed)).toThrow(RangeError);
  });

  it('of different samples differ', () => {
    const base = keyOf(3, 'dropout/x', 1);
    expect(new Set(Array.from({ length: 50_000 }, (_, n) => deriveKey(base, n)[0])).size).toBe(50_000);
  });
});

describe('numbers', () => {
  it('depend on key and index only, not on how many are drawn', () => {
    fc.assert(
      fc.property(anyKey, fc.integer({ min: 1, max: 40 }), (key, length) => {
        const uniforms = fillUniform(key, new Float32Array(length));
        const normals = fillNormal(key, new Float64Array(length));
        const truncated = fillTruncatedNormal(key, new Float64Array(length));
        const longer = fillTruncatedNormal(key, new Float64Array(length + 7));
        for (let i = 0; i < length; i++) {
          expect(uniforms[i]).toBe(uniformAt(key, i));
          expect(normals[i]).toBe(normalAt(key, i));
          expect(truncated[i]).toBe(longer[i]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are exact float32 values in [0, 1)', () => {
    fc.assert(
      fc.property(anyKey, fc.nat(), (key, i) => {
        const u = uniformAt(key, i);
        expect(u).toBe(Math.fround(u));
        expect(u).toBeGreaterThanOrEqual(0);
        expect(u).toBeLessThan(1);
      }),
    );
  });

  it('are uniform: every sixteenth of [0, 1) gets its share, for several keys', () => {
    for (let seed = 0; seed < 8; seed++) {
      const n = 1 << 16;
      const counts = new Float64Array(16);
      for (const u of fillUniform(keyOf(seed, 'test'), new Float32Array(n))) counts[Math.floor(u * 16)]!++;
      // chi-square with 15 degrees of freedom: above 44 once in ten thousand
      expect(counts.reduce((sum, count) => sum + (count - n / 16) ** 2 / (n / 16), 0)).toBeLessThan(44);
    }
  });

  it('are standard normal, cut or not', () => {
    const moments = (values: Float64Array) => {
      const mean = values.reduce((sum, z) => sum + z, 0) / values.length;
      return { mean, deviation: Math.sqrt(values.reduce((sum, z) => sum + (z - mean) ** 2, 0) / values.length) };
    };
    const n = 100_000;
    const normal = moments(fillNormal(keyOf(1, 'test'), new Float64Array(n)));
    expect(Math.abs(normal.mean)).toBeLessThan(0.013);
    expect(Math.abs(normal.deviation - 1)).toBeLessThan(0.01);
    const values = fillTruncatedNormal(keyOf(1, 'test'), new Float64Array(n));
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(2);
    const truncated = moments(values);
    expect(Math.abs(truncated.mean)).toBeLessThan(0.012);
    expect(Math.abs(truncated.deviation - TRUNCATED_NORMAL_STDDEV)).toBeLessThan(0.01);
  });
});

describe('neighbours are independent', () => {
  const n = 1 << 14;
  const row = (key: Key) => fillUniform(key, new Float32Array(n));
  const correlation = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += (a[i]! - 0.5) * (b[i]! - 0.5);
    return (sum / n) * 12;
  };
  // 5 standard errors of a correlation over n pairs
  const limit = 5 / Math.sqrt(n);
  const base = (seed: number, layer: string, epoch: number) => dropoutKey(seed, layer, epoch);

  it.each([
    ['samples', deriveKey(base(0, 'dropout_1', 0), 0), deriveKey(base(0, 'dropout_1', 0), 1)],
    ['far samples', deriveKey(base(0, 'dropout_1', 0), 5), deriveKey(base(0, 'dropout_1', 0), 65541)],
    ['epochs', deriveKey(base(0, 'dropout_1', 0), 3), deriveKey(base(0, 'dropout_1', 1), 3)],
    ['layers', deriveKey(base(0, 'dropout_1', 0), 3), deriveKey(base(0, 'dropout_2', 0), 3)],
    ['seeds', deriveKey(base(0, 'dropout_1', 0), 3), deriveKey(base(1, 'dropout_1', 0), 3)],
    ['keys that differ in one bit', [1234, 77] as Key, [1235, 77] as Key],
    ['second words that differ in one bit', [1234, 76] as Key, [1234, 77] as Key],
  ])('%s', (_, a, b) => {
    expect(Math.abs(correlation(row(a), row(b)))).toBeLessThan(limit);
  });

  it.each([1, 2, 3, 7, 8, 64, 1024])('indices %d apart', (lag) => {
    const values = fillUniform(keyOf(9, 'lag'), new Float32Array(n + lag));
    expect(Math.abs(correlation(values, values.subarray(lag)))).toBeLessThan(limit);
  });

  it('pairs of neighbouring samples fill the square evenly', () => {
    const counts = new Float64Array(64);
    const layer = base(4, 'dropout_1', 2);
    const pairs = 1 << 16;
    for (let sample = 0; sample < pairs; sample++) {
      counts[(bitsAt(deriveKey(layer, sample), 0) >>> 29) * 8 + (bitsAt(deriveKey(layer, sample + 1), 0) >>> 29)]!++;
    }
    // chi-square with 63 degrees of freedom: above 113 once in ten thousand
    expect(counts.reduce((sum, count) => sum + (count - pairs / 64) ** 2 / (pairs / 64), 0)).toBeLessThan(113);
  });
});

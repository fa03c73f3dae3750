import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyOf } from '../../../lib/training/random.js';
import { qmcParams, scramble, SOBOL_DIMENSIONS, sobolWord } from '../../../lib/sweeps/samplers/qmc.js';
import { randomParams } from '../../../lib/sweeps/samplers/random.js';
import { everyDistribution, spaceOf } from './spaces.js';

const SCALE = 2 ** -32;

describe('the unscrambled sequence', () => {
  it('is the published one', () => {
    // the first points in three dimensions of https://web.maths.unsw.edu.au/~fkuo/sobol/
    const published = [
      [0, 0, 0], [0.5, 0.5, 0.5], [0.75, 0.25, 0.25], [0.25, 0.75, 0.75], [0.375, 0.375, 0.625],
      [0.875, 0.875, 0.125], [0.625, 0.125, 0.875], [0.125, 0.625, 0.375], [0.1875, 0.3125, 0.9375], [0.6875, 0.8125, 0.4375],
    ];
    expect(published.map((_, index) => [0, 1, 2].map((dimension) => sobolWord(dimension, index) * SCALE))).toEqual(published);
  });

  it('is the one of scipy in all its dimensions', () => {
    expect(SOBOL_DIMENSIONS).toBe(128);
    // sums of (d + 1) · 2³² · coordinate d over scipy.stats.qmc.Sobol(128, scramble=False, bits=32)
    const sums = [[1, 17729624997888], [2, 17285095882752], [4095, 16871873052672], [12345, 17576671838208], [16383, 17459684311040]] as const;
    for (const [index, sum] of sums) expect(Array.from({ length: SOBOL_DIMENSIONS }, (_, d) => (d + 1) * sobolWord(d, index)).reduce((a, b) => a + b)).toBe(sum);
  });

  it('has no dimension beyond the last one', () => {
    expect(() => sobolWord(SOBOL_DIMENSIONS, 1)).toThrow(RangeError);
  });
});

describe('scrambling', () => {
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });

  it('keeps how many leading bits two words share', () => {
    fc.assert(
      fc.property(word, word, fc.nat(), (a, b, seed) => {
        const key = keyOf(seed, 'test');
        expect(Math.clz32(scramble(a, key) ^ scramble(b, key))).toBe(Math.clz32(a ^ b));
      }),
    );
  });

  it('makes every word uniform, over the seeds', () => {
    const eighths = new Array<number>(8).fill(0);
    for (let seed = 0; seed < 4000; seed++) eighths[scramble(0, keyOf(seed, 'test')) >>> 29]! += 1;
    // 500 ± 4 standard deviations
    for (const count of eighths) expect(Math.abs(count - 500)).toBeLessThan(84);
  });
});

describe('quasi-random trials', () => {
  const plane = spaceOf({ x: { distribution: 'uniform', min: 0, max: 1 }, y: { distribution: 'uniform', min: 0, max: 1 } });

  it.each([0, 1, 42])('put one point into each elementary box of two dimensions, with seed %d', (seed) => {
    for (const m of [1, 4, 8]) {
      for (const first of [0, 2 ** m]) {
        const points = Array.from({ length: 2 ** m }, (_, n) => qmcParams(plane, seed, first + n) as { x: number; y: number });
        for (let a = 0; a <= m; a++) {
          const boxes = new Set(points.map(({ x, y }) => `${Math.floor(x * 2 ** a)} ${Math.floor(y * 2 ** (m - a))}`));
          expect(boxes.size).toBe(2 ** m);
        }
      }
    }
  });

  it('integrate far better than random ones', () => {
    const error = (params: (trial: number) => unknown) => Math.abs(Array.from({ length: 256 }, (_, trial) => params(trial) as { x: number; y: number }).reduce((sum, { x, y }) => sum + x * y, 0) / 256 - 0.25);
    const seeds = Array.from({ length: 20 }, (_, seed) => seed);
    const mean = (errors: number[]) => errors.reduce((a, b) => a + b) / errors.length;
    expect(mean(seeds.map((seed) => error((trial) => qmcParams(plane, seed, trial)))) * 10).toBeLessThan(mean(seeds.map((seed) => error((trial) => randomParams(plane, seed, trial)))));
  });

  it('are functions of seed and number', () => {
    const space = spaceOf(everyDistribution().parameters);
    expect(qmcParams(space, 3, 7)).toEqual(qmcParams(space, 3, 7));
    expect(qmcParams(space, 3, 7)).not.toEqual(qmcParams(space, 4, 7));
  });

  it('give these values for ever', () => {
    expect([0, 1, 2].map((trial) => qmcParams(spaceOf({ lr: { distribution: 'log_uniform_values', min: 1e-5, max: 0.1 }, units: { min: 1, max: 1000 } }), 42, trial))).toMatchInlineSnapshot(`
      [
        {
          "lr": 0.00010104093063416096,
          "units": 233,
        },
        {
          "lr": 0.005690105355457189,
          "units": 684,
        },
        {
          "lr": 0.040972725908025684,
          "units": 439,
        },
      ]
    `);
  });

  it('spend no dimension on a constant', () => {
    const without = qmcParams(spaceOf({ x: { min: 0.5, max: 1 } }), 1, 5);
    expect(qmcParams(spaceOf({ c: { value: 3 }, d: { values: ['one'] }, x: { min: 0.5, max: 1 } }), 1, 5)).toEqual({ c: 3, d: 'one', ...without });
  });

  it('have choices as often as they are probable, already of few', () => {
    const space = spaceOf({ x: { values: ['a', 'b', 'c', 'd'] }, y: { values: [0, 1], probabilities: [0.25, 0.75] } });
    const trials = Array.from({ length: 16 }, (_, trial) => qmcParams(space, 9, trial));
    for (const choice of ['a', 'b', 'c', 'd']) expect(trials.filter(({ x }) => x === choice)).toHaveLength(4);
    expect(trials.filter(({ y }) => y === 0)).toHaveLength(4);
  });

  it('may have more parameters than the sequence has dimensions', () => {
    const space = spaceOf(Object.fromEntries(Array.from({ length: SOBOL_DIMENSIONS + 2 }, (_, index) => [`p${index}`, { min: 0.5, max: 1 }])));
    const [first, second] = [qmcParams(space, 0, 0), qmcParams(space, 0, 1)];
    expect(Object.values(first).every((value) => typeof value === 'number' && value >= 0.5 && value <= 1)).toBe(true);
    expect(first[`p${SOBOL_DIMENSIONS + 1}`]).not.toBe(second[`p${SOBOL_DIMENSIONS + 1}`]);
  });
});

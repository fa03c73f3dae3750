import { describe, expect, it } from 'vitest';
import type { DistributionInput } from '../../../lib/sweeps/distributions.js';
import { randomParams } from '../../../lib/sweeps/samplers/random.js';
import { isActive } from '../../../lib/sweeps/space.js';
import { everyDistribution, kolmogorovSmirnov, spaceOf } from './spaces.js';

const drawn = (config: DistributionInput, count: number, seed = 1) => {
  const space = spaceOf({ x: config });
  return Array.from({ length: count }, (_, trial) => randomParams(space, seed, trial)['x']);
};
const shares = (values: readonly unknown[]) => {
  const counts = new Map<unknown, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1 / values.length);
  return counts;
};

describe('a random trial', () => {
  it('is a function of seed and number only', () => {
    const space = spaceOf(everyDistribution().parameters);
    expect(randomParams(space, 3, 7)).toEqual(randomParams(space, 3, 7));
    expect(randomParams(space, 3, 7)).not.toEqual(randomParams(space, 3, 8));
    expect(randomParams(space, 3, 7)).not.toEqual(randomParams(space, 4, 7));
    expect(randomParams(space, 3, 7, 1)).not.toEqual(randomParams(space, 3, 7));
  });

  it('does not change with what else is searched', () => {
    const few = randomParams(spaceOf({ lr: { min: 0.1, max: 0.9 } }), 5, 11);
    const many = randomParams(spaceOf({ first: { values: [1, 2, 3] }, lr: { min: 0.1, max: 0.9 } }), 5, 11);
    expect(many['lr']).toBe(few['lr']);
  });

  it('gives these values for ever', () => {
    expect(randomParams(spaceOf({ lr: { distribution: 'log_uniform_values', min: 1e-5, max: 0.1 }, units: { min: 1, max: 1000 }, loss: { values: ['a', 'b', 'c'] } }), 42, 0)).toMatchInlineSnapshot(`
      {
        "loss": "c",
        "lr": 0.00007362136001152746,
        "units": 266,
      }
    `);
  });

  it('has the parameters whose conditions hold, and no others', () => {
    const space = spaceOf({ type: { values: ['sgd', 'adam'] }, momentum: { min: 0.5, max: 0.9, when: { type: ['sgd'] } } });
    const trials = Array.from({ length: 100 }, (_, trial) => randomParams(space, 0, trial));
    for (const params of trials) expect('momentum' in params).toBe(isActive(space, 'momentum', params));
    expect(trials.filter((params) => 'momentum' in params).length).toBeGreaterThan(30);
    expect(trials.filter((params) => !('momentum' in params)).length).toBeGreaterThan(30);
  });
});

// with 2000 draws, 0.0437 is exceeded once in a thousand times (1.95 / √n)
const LIMIT = 1.95 / Math.sqrt(2000);
const logUniform = (low: number, high: number) => (x: number) => (Math.log(x) - Math.log(low)) / (Math.log(high) - Math.log(low));
/** The standard normal distribution, by Zelen and Severo, to 1e-7. */
function normalCdf(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const tail = (Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI)) * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z > 0 ? 1 - tail : tail;
}

describe('drawn numbers', () => {
  it.each<[DistributionInput, (x: number) => number]>([
    [{ distribution: 'uniform', min: -2, max: 6 }, (x) => (x + 2) / 8],
    [{ distribution: 'log_uniform', min: -9, max: -2 }, logUniform(Math.exp(-9), Math.exp(-2))],
    [{ distribution: 'log_uniform_values', min: 1e-5, max: 0.1 }, logUniform(1e-5, 0.1)],
    [{ distribution: 'inv_log_uniform', min: 2, max: 9 }, logUniform(Math.exp(-9), Math.exp(-2))],
    [{ distribution: 'inv_log_uniform_values', min: 1e-5, max: 0.1 }, logUniform(1e-5, 0.1)],
    [{ distribution: 'normal', mu: 3, sigma: 2 }, (x) => normalCdf((x - 3) / 2)],
    [{ distribution: 'log_normal', mu: -7, sigma: 1.5 }, (x) => normalCdf((Math.log(x) + 7) / 1.5)],
    // of 2 and 1 the beta distribution is x²
    [{ distribution: 'beta', a: 2, b: 1 }, (x) => x * x],
  ])('are distributed as %j says', (config, cdf) => {
    expect(kolmogorovSmirnov(drawn(config, 2000) as number[], cdf)).toBeLessThan(LIMIT);
  });

  it.each<[DistributionInput, [unknown, number][]]>([
    [{ min: 1, max: 4 }, [[1, 0.25], [2, 0.25], [3, 0.25], [4, 0.25]]],
    [{ distribution: 'q_uniform', min: 0, max: 1, q: 0.5 }, [[0, 1 / 3], [0.5, 1 / 3], [1, 1 / 3]]],
    [{ values: ['a', 'b'] }, [['a', 0.5], ['b', 0.5]]],
    [{ values: ['a', 'b', 'c'], probabilities: [0.2, 0, 0.8] }, [['a', 0.2], ['c', 0.8]]],
    [{ value: 'only' }, [['only', 1]]],
    // each step has the half of the gap on either side, in the logarithm: 4 … 12 … 20 … 28 … 36
    [{ distribution: 'q_log_uniform_values', min: 8, max: 32, q: 8 }, [[8, 12 / 4], [16, 20 / 12], [24, 28 / 20], [32, 36 / 28]].map(([value, ratio]) => [value, Math.log(ratio as number) / Math.log(9)])],
    [{ distribution: 'q_normal', q: 1, sigma: 0.5 }, [[-1, 0.1573], [0, 0.6827], [1, 0.1573]]],
    [{ distribution: 'q_beta', a: 2, b: 1, q: 0.5 }, [[0, 0.0625], [0.5, 0.5], [1, 0.4375]]],
  ])('with steps or choices are as often as %j says', (config, expected) => {
    const found = shares(drawn(config, 4000));
    for (const [value, share] of expected) expect([value, Math.abs((found.get(value) ?? 0) - share) < 0.025]).toEqual([value, true]);
    expect(expected.reduce((sum, [value]) => sum + (found.get(value) ?? 0), 0)).toBeGreaterThan(0.99);
  });

  it('lie within their bounds', () => {
    for (const value of drawn({ distribution: 'log_uniform_values', min: 1e-5, max: 0.1 }, 2000) as number[]) expect(value >= 1e-5 && value <= 0.1).toBe(true);
  });
});

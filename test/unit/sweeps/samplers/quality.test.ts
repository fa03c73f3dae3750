// What the sampler has to find in a hundred trials: gates with room above the means of many seeds, for changes that make it worse by
// more than luck. The full comparison, with Optuna beside it, is `npm run bench -- sweeps`.
import { describe, expect, test } from 'vitest';
import { meanOf } from '../../../bench/statistics.js';
import { FUNCTIONS, spaceOf } from '../../../bench/sweeps/functions.js';
import { bestOfOurs, bestOfRandom } from '../../../bench/sweeps/studies.js';

const SEEDS = 20;
const functionOf = (name: string) => FUNCTIONS.find((each) => each.name === name)!;

describe('in a hundred trials, over twenty seeds, the mean of the best value', () => {
  test.each([
    ['branin', 0.5],
    ['hartmann6', -2.95],
    ['sphere10', 9],
    ['rosenbrock10', 2_900],
  ])('of %s is at most %d', (name, most) => {
    const bests = Array.from({ length: SEEDS }, (_, seed) => bestOfOurs(functionOf(name), 100, { seed }));
    expect(meanOf(bests).mean).toBeLessThanOrEqual(most);
  });

  test.each(['cnn-mix', 'cell-mix'])('of %s is far below that of random search', (name) => {
    const seeds = Array.from({ length: SEEDS }, (_, seed) => seed);
    const ours = meanOf(seeds.map((seed) => bestOfOurs(functionOf(name), 100, { seed })));
    const random = meanOf(seeds.map((seed) => bestOfRandom(functionOf(name), 100, seed)));
    expect(ours.mean + 3 * Math.hypot(ours.error, random.error)).toBeLessThan(random.mean);
  });
});

describe('a test function', () => {
  const cell = ['none', 'conv3', 'conv1', 'pool', 'skip', 'none'];
  test.each([
    ['branin', { x: Math.PI, y: 2.275 }],
    ['hartmann6', { x0: 0.20169, x1: 0.150011, x2: 0.476874, x3: 0.275332, x4: 0.311652, x5: 0.6573 }],
    ['sphere10', Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`x${i}`, 0]))],
    ['rosenbrock10', Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`x${i}`, 1]))],
    ['cnn-mix', { lr: 10 ** -1.3, wd: 1e-4, filters: 64, layers: 4, optimizer: 'momentum', dropout: 0.3 }],
    ['deceptive-mix', { kind: 'e', x: 0.25, y: 0.65, n: 8 }],
    ['cell-mix', { ...Object.fromEntries(cell.map((operation, i) => [`edge${i}`, operation])), lr: 1e-2, wd: 1e-4 }],
  ])('%s has its minimum where it is said to be, and nothing of it below', (name, params) => {
    const { valueAt, minimum, ...rest } = functionOf(name);
    expect(valueAt(params)).toBeCloseTo(minimum, 5);
    expect(Object.keys(params)).toEqual(spaceOf({ valueAt, minimum, ...rest }).map(([each]) => each));
    const least = bestOfRandom({ valueAt, minimum, ...rest }, 300, 1);
    expect(least).toBeGreaterThanOrEqual(minimum - 1e-9);
  });
});

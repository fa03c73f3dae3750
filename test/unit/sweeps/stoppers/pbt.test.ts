import { describe, expect, test } from 'vitest';
import type { Params } from '../../../../lib/sweeps/dimension.js';
import { decidePbt, type Member, nextExchange, PBT_DEFAULTS, type PbtOptions } from '../../../../lib/sweeps/stoppers/pbt.js';
import { keyOf } from '../../../../lib/training/random.js';
import { numeric } from './dimensions.js';

const options: PbtOptions = { ...PBT_DEFAULTS, goal: 'minimize', dimensions: { lr: numeric(0, 1) }, isValid: () => true };
const population = (...values: (number | null)[]): Member[] => values.map((value, trial) => ({ trial, params: { lr: (trial + 1) / 100 }, step: 50, value }));
const key = keyOf(1, 'sweep/pbt', 0);
const forksOf = (members: readonly Member[], changed: Partial<PbtOptions> = {}, by = key) =>
  decidePbt(members, { ...options, ...changed }, by).flatMap((each) => (each.action === 'fork' ? [[each.trial, each.from]] : []));

describe('an exchange', () => {
  test('replaces the worst quarter by forks of the best quarter', () => {
    const decisions = decidePbt(population(8, 7, 6, 5, 4, 3, 2, 1), options, key);
    expect(decisions.map(({ trial, action }) => [trial, action])).toEqual([[0, 'fork'], [1, 'fork'], ...[2, 3, 4, 5, 6, 7].map((trial) => [trial, 'continue'])]);
    for (const each of decisions) if (each.action === 'fork') expect([6, 7]).toContain(each.from);
  });

  test('says where child and parent stood, and what was changed', () => {
    const [first, , , last] = decidePbt(population(4, 3, 2, 1), options, key);
    expect(last).toEqual({ trial: 3, action: 'continue', why: { step: 50, value: 1, rank: 1, of: 4 } });
    expect(first).toMatchObject({ trial: 0, action: 'fork', from: 3, why: { step: 50, value: 4, rank: 4, of: 4, parent: { step: 50, value: 1, rank: 1, of: 4 } } });
    const { params, why } = first as Extract<typeof first, { action: 'fork' }>;
    const change = why.changes['lr']!;
    if (change.how === 'multiplied') expect(params['lr']).toBe(0.04 * change.factor);
    else expect(change).toEqual({ how: 'resampled' });
  });

  test('draws parents with equal chances, by the key and the trial alone', () => {
    const members = population(8, 7, 6, 5, 4, 3, 2, 1);
    const parents = Array.from({ length: 1_000 }, (_, n) => forksOf(members, {}, keyOf(1, 'sweep/pbt', n)));
    expect(Math.abs(parents.filter(([first]) => first![1] === 7).length - 500)).toBeLessThan(65);
    expect(Math.abs(parents.filter(([first, second]) => first![1] === second![1]).length - 500)).toBeLessThan(65);
    expect(decidePbt(members.toReversed(), options, key)).toEqual(decidePbt(members, options, key));
  });

  test('changes parameters whichever parent was drawn', () => {
    const members = population(8, 7, 6, 5, 4, 3, 2, 1);
    const firsts = Array.from({ length: 1_000 }, (_, n) => decidePbt(members, options, keyOf(1, 'sweep/pbt', n))[0]!).flatMap((each) => (each.action === 'fork' ? [each] : []));
    for (const parent of [6, 7]) {
      const forks = firsts.filter(({ from }) => from === parent);
      expect(Math.abs(forks.filter(({ why }) => why.changes['lr']!.how === 'resampled').length / forks.length - 0.25)).toBeLessThan(0.08);
    }
  });

  test('turns around for a metric that grows', () => {
    expect(forksOf(population(4, 3, 2, 1), { goal: 'maximize' })).toEqual([[3, 0]]);
  });

  test.each([[1, 0], [2, 1], [3, 1], [4, 1], [5, 2], [8, 2], [9, 3]])('of %i members replaces %i', (size, replaced) => {
    expect(forksOf(population(...Array.from({ length: size }, (_, i) => i)))).toHaveLength(replaced);
  });

  test('never replaces more than half', () => {
    expect(forksOf(population(1, 2, 3), { quantile: 0.9 })).toEqual([[2, 0]]);
  });

  test('takes of equal ones the lower number for the better', () => {
    expect(forksOf(population(1, 1, 1, 1))).toEqual([[3, 0]]);
  });

  test('replaces every member without a value, also beyond the worst quarter', () => {
    expect(forksOf(population(NaN, 3, null, 1, Infinity, 2, 5, 4)).map(([trial]) => trial)).toEqual([0, 2, 4]);
    expect(forksOf(population(NaN, 1, null, NaN)).map(([, from]) => from)).toEqual([1, 1, 1]);
  });

  test('forks from none that has no value, and changes nothing where no change is valid', () => {
    const members = population(8, 7, 6, 5, 4, 3, 2, 1);
    let asked = 0;
    const decided = decidePbt(members, { ...options, isValid: ({ lr }) => (asked++, (lr as number) > 1e6) }, key).filter((each) => each.action === 'fork');
    expect(decided.map(({ from, params, why }) => [params['lr'] === members[from]!.params['lr'], why.changes])).toEqual([[true, {}], [true, {}]]);
    expect(asked).toBeGreaterThan(10);
    expect(forksOf(population(NaN, NaN, NaN, NaN))).toEqual([]);
    expect(forksOf(population(NaN))).toEqual([]);
    expect(decidePbt([], options, key)).toEqual([]);
  });

  test('comes at every multiple of the interval', () => {
    expect([0, 49, 50, 51, 119].map((step) => nextExchange(step, 50))).toEqual([50, 50, 100, 100, 150]);
  });
});

// The example of the paper's figure 2: Q = 1.2 − Σθ² is to grow, but each of two members can only train on 1.2 − Σhθ², with h = (1, 0) or (0, 1).
describe('the paper’s toy', () => {
  const STEPS = 300;
  const INTERVAL = 5;
  const LEARNING_RATE = 0.02;
  const NEVER = { quantile: 0 };
  const quality = (theta: readonly number[]): number => 1.2 - theta.reduce((sum, each) => sum + each ** 2, 0);

  /** The best quality that any member had, and the first step with one of at least 1.19. */
  function train(seed: number, changed: Partial<PbtOptions>, explores: boolean): { best: number; reachedAt: number } {
    const toy: PbtOptions = { ...PBT_DEFAULTS, goal: 'maximize', dimensions: { h0: numeric(0, 1), h1: numeric(0, 1) }, isValid: () => true, ...changed };
    let members: { trial: number; theta: number[]; params: Params }[] = [{ h0: 1, h1: 0 }, { h0: 0, h1: 1 }].map((params, trial) => ({ trial, theta: [0.9, 0.9], params }));
    let [best, reachedAt] = [-Infinity, Infinity];
    for (let step = 1; step <= STEPS; step++) {
      members = members.map((each) => ({ ...each, theta: each.theta.map((value, i) => value - LEARNING_RATE * 2 * Number(each.params[`h${i}`]) * value) }));
      best = Math.max(best, ...members.map(({ theta }) => quality(theta)));
      if (best >= 1.19) reachedAt = Math.min(reachedAt, step);
      if (step % INTERVAL !== 0) continue;
      const before = members;
      const decisions = decidePbt(before.map(({ trial, params, theta }) => ({ trial, params, step, value: quality(theta) })), toy, keyOf(seed, 'sweep/pbt', step));
      members = decisions.map((each, index) => (each.action === 'continue' ? before[index]! : { trial: each.trial, theta: before[each.from]!.theta, params: explores ? each.params : before[index]!.params }));
    }
    return { best, reachedAt };
  }
  const seeds = Array.from({ length: 50 }, (_, seed) => seed);
  const medianOf = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

  test('does not get beyond 0.39 without exchanges', () => {
    for (const seed of seeds) expect(train(seed, NEVER, false).best).toBeLessThanOrEqual(0.39 + 1e-9);
  });

  test('reaches 1.19 by taking over weights alone', () => {
    const runs = seeds.map((seed) => train(seed, {}, false));
    for (const { best } of runs) expect(best).toBeGreaterThan(1.19);
    expect(medianOf(runs.map(({ reachedAt }) => reachedAt))).toBe(126);
  });

  test('reaches 1.19 by taking over weights and changing parameters', () => {
    const runs = seeds.map((seed) => train(seed, {}, true));
    for (const { best } of runs) expect(best).toBeGreaterThan(1.19);
    expect(medianOf(runs.map(({ reachedAt }) => reachedAt))).toBeLessThan(126);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Params } from '../../../lib/sweeps/dimension.js';
import { gridParams, gridProblems, gridSize } from '../../../lib/sweeps/samplers/grid.js';
import { isActive, type Space } from '../../../lib/sweeps/space.js';
import { anyGridSpace, spaceOf, told } from './spaces.js';

const allOf = (space: Space) => Array.from({ length: gridSize(space) }, (_, index) => gridParams(space, index) as Params);

/** Every combination, by enumeration. */
function enumerate(space: Space): Params[] {
  let points: Params[] = [{}];
  for (const [name, dimension] of space.dimensions) {
    const values = dimension.kind === 'categorical' ? dimension.choices : Array.from({ length: dimension.high - dimension.low + 1 }, (_, k) => dimension.low + k);
    points = points.flatMap((params) => (isActive(space, name, params) ? values.map((value) => ({ ...params, [name]: value })) : [params]));
  }
  return points;
}

describe('a grid', () => {
  it('has every combination in order, the last parameter first to change', () => {
    expect(allOf(spaceOf({ a: { values: ['x', 'y'] }, b: { value: 7 }, c: { min: 1, max: 3 } }))).toEqual(['x', 'y'].flatMap((a) => [1, 2, 3].map((c) => ({ a, b: 7, c }))));
  });

  it('has steps of q, both ends included', () => {
    expect(allOf(spaceOf({ a: { distribution: 'q_uniform', min: 0.1, max: 0.4, q: 0.1 } })).map(({ a }) => a)).toEqual([0.1, 0.2, 0.3, 0.4]);
  });

  it('has equal choices once', () => {
    expect(allOf(spaceOf({ a: { values: [1, 1, 2, 2, 1] } }))).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it('has a conditional parameter only where its conditions hold', () => {
    const space = spaceOf({ type: { values: ['sgd', 'adam'] }, momentum: { values: [0, 0.9], when: { type: ['sgd'] } }, units: { values: [8, 16] } });
    expect(allOf(space)).toEqual([
      { type: 'sgd', momentum: 0, units: 8 }, { type: 'sgd', momentum: 0, units: 16 }, { type: 'sgd', momentum: 0.9, units: 8 }, { type: 'sgd', momentum: 0.9, units: 16 },
      { type: 'adam', units: 8 }, { type: 'adam', units: 16 },
    ]);
  });

  it('is what enumeration gives, in that order and without duplicates, whatever the conditions', () => {
    fc.assert(
      fc.property(anyGridSpace, (parameters) => {
        const space = spaceOf(parameters);
        const points = allOf(space);
        expect(points).toEqual(enumerate(space));
        expect(new Set(points.map((point) => JSON.stringify(point))).size).toBe(points.length);
        expect(gridParams(space, points.length)).toBeNull();
      }),
      { numRuns: 300 },
    );
  });

  it('is counted and looked into without being enumerated, however large', () => {
    const space = spaceOf({ a: { min: 1, max: 1_000_000 }, b: { min: 1, max: 1_000_000 }, c: { min: 0, max: 999, when: { b: [500_000] } }, d: { values: [1, 2, 3], when: { c: [7], a: [1, 1_000_000] } } });
    // b = 500 000 has 1000 values of c, and c = 7 has 3 of d, for two values of a
    const size = 1_000_000 * 999_999 + 1_000_000 * 1000 + 2 * 2;
    expect(gridSize(space)).toBe(size);
    expect(gridParams(space, 0)).toEqual({ a: 1, b: 1 });
    expect([0, 1, 2].map((d) => gridParams(space, 499_999 + 7 + d))).toEqual([1, 2, 3].map((d) => ({ a: 1, b: 500_000, c: 7, d })));
    expect(gridParams(space, size - 1)).toEqual({ a: 1_000_000, b: 1_000_000 });
    expect(gridParams(space, size)).toBeNull();
  });

  it('takes only what has finitely many values, all alike', () => {
    const space = spaceOf({ a: { min: 0.5, max: 1 }, b: { values: [1, 2], probabilities: [0.5, 0.5] }, c: { distribution: 'q_normal' }, d: { values: [1] }, e: { min: 1, max: 3 }, f: { distribution: 'q_uniform', min: 0, max: 4, q: 2 }, g: { distribution: 'q_log_uniform_values', min: 1, max: 9 } });
    const message = 'is not possible in a grid, which takes value, values, int_uniform and q_uniform';
    expect(told(gridProblems(space))).toEqual(['a', 'b', 'c', 'g'].map((name) => `parameters.${name}: ${message}`));
  });

  it('has at most as many points as a number can count', () => {
    const billion = { min: 1, max: 1e9 };
    expect(gridProblems(spaceOf({ a: billion, b: { min: 1, max: 9_007_199 } }))).toEqual([]);
    expect(told(gridProblems(spaceOf({ a: billion, b: { min: 1, max: 9_007_200 } })))).toEqual(['parameters: make a grid of more than 2⁵³ points']);
  });
});

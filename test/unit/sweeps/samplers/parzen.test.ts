import { describe, expect, test } from 'vitest';
import type { Dimension, JsonValue } from '../../../../lib/sweeps/dimension.js';
import { axisOf, cellOf, nearestPoint, pointOf, positionOf } from '../../../../lib/sweeps/samplers/axis.js';
import { improvementWeights, recencyWeights } from '../../../../lib/sweeps/samplers/bandwidths.js';
import { type CategoricalKernels, drawPoints, logDensities, makeParzen, type NumericKernels, type Parzen } from '../../../../lib/sweeps/samplers/parzen.js';
import type { PastTrial } from '../../../../lib/sweeps/samplers/past-trials.js';
import { PRESETS } from '../../../../lib/sweeps/samplers/tpe-presets.js';
import { choices, integers, numbers } from './dimensions.js';

const { bandwidths } = PRESETS.optuna5;

function estimate(dimensions: readonly Dimension[], observed: readonly (readonly JsonValue[])[]): { parzen: Parzen; at(...values: (readonly JsonValue[])[]): number[] } {
  const axes = dimensions.map(axisOf);
  const columns = (rows: readonly (readonly JsonValue[])[]): Float64Array[] => axes.map((axis, index) => Float64Array.from(rows, (row) => pointOf(axis, row[index])));
  const parzen = makeParzen(axes, columns(observed), recencyWeights(observed.length), bandwidths);
  return { parzen, at: (...values) => [...logDensities(parzen, columns(values))] };
}

const alone = (values: readonly JsonValue[]): JsonValue[][] => values.map((value) => [value]);
const widthsOf = ({ kernels }: Parzen): number[] => [...(kernels[0] as NumericKernels).widths];

/** To eight digits after the point. */
function expectEach(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [index, value] of expected.entries()) expect(actual[index]).toBeCloseTo(value, 8);
}

// All numbers in this file were computed by Optuna 5.0.0 from the same points.
describe('an estimator has Optuna’s widths and densities', () => {
  test('of plain numbers', () => {
    const { parzen, at } = estimate([numbers(0, 1)], alone([0.1, 0.4, 0.45, 0.9]));
    expectEach(widthsOf(parzen), [0.3, 0.3, 0.45, 0.45, 1]);
    expectEach(at([0], [0.42], [0.7], [1]), [-0.1089187235, 0.153833422, -0.0664344961, -0.4303648265]);
  });

  test('of logarithmic numbers, in the logarithm', () => {
    const { parzen, at } = estimate([numbers(1e-5, 1, { log: true })], alone([1e-4, 1e-3, 2e-3]));
    expectEach(widthsOf(parzen), [2.302585093, 2.302585093, 2.302585093, 11.512925465]);
    expectEach(at([1e-5], [1e-3], [0.1]), [-2.8082431364, -1.965310484, -3.254957632]);
  });

  test('of integers', () => {
    const { parzen, at } = estimate([integers(1, 10)], alone([2, 3, 3, 9]));
    expectEach(widthsOf(parzen), [10 / 6, 10 / 6, 6, 6, 10]);
    expectEach(at([1], [3], [10]), [-2.0745413452, -1.8409797788, -2.8801921867]);
  });

  test('of logarithmic integers', () => {
    const { parzen, at } = estimate([integers(8, 256, { log: true })], alone([16, 64]));
    expectEach(widthsOf(parzen), [1.3862943611, 1.3862943611, 3.5322256441]);
    expectEach(at([8], [64], [256]), [-3.4612038589, -5.34445024, -7.2584999051]);
  });

  test('of multiples of a fraction', () => {
    expectEach(estimate([numbers(0, 0.9, { step: 0.3 })], alone([0.3, 0.9, 0.3])).at([0], [0.3], [0.6], [0.9]), [-1.5319873004, -1.1606588739, -1.3137768753, -1.6004205733]);
  });

  test('of integers so many that a cell is narrow', () => {
    expectEach(estimate([integers(0, 1_000_000)], alone([500_000, 500_000, 500_000, 3])).at([0], [500_000], [999_999]), [-14.2149602219, -13.3424056089, -14.7789622402]);
  });

  test('of choices', () => {
    const { parzen, at } = estimate([choices('a', 'b', 'c', 'd')], alone(['a', 'a', 'c']));
    const { rows, offsets } = parzen.kernels[0] as CategoricalKernels;
    expectEach([...offsets].flatMap((offset) => [...rows.subarray(offset, offset + 4)]), [0.625, 0.125, 0.125, 0.125, 0.625, 0.125, 0.125, 0.125, 0.125, 0.125, 0.625, 0.125, 0.25, 0.25, 0.25, 0.25]);
    expectEach(at(['a'], ['b'], ['c'], ['d']), [-0.9007865453, -1.8562979904, -1.2685113255, -1.8562979904]);
  });

  test('of a number and a choice that went together', () => {
    const { at } = estimate([numbers(0, 1), choices('a', 'b', 'c')], [[0.1, 'a'], [0.4, 'c']]);
    expectEach(at([0.1, 'a'], [0.4, 'a'], [0.4, 'c']), [-0.4666662544, -0.7268619607, -0.6540837248]);
  });

  test('of thirty points on three axes, the older of which count less', () => {
    const rows = Array.from({ length: 30 }, (_, i) => [(((i * 7) % 30) + 0.5) / 30, 1 + ((i * 11) % 64), i % 3]);
    const { at } = estimate([numbers(0, 1), integers(1, 64, { log: true }), choices(0, 1, 2)], rows);
    expectEach(at([0.05, 1, 0], [0.5, 7, 1], [0.93, 64, 2]), [-4.7862247951, -7.828822243, -4.7366881729]);
  });

  test('of no points: the prior alone', () => {
    expectEach(estimate([numbers(0, 1)], []).at([0], [0.42], [0.7], [1]), [-0.0840221995, 0.0377778005, 0.0209778005, -0.0840221995]);
  });
});

describe('weights', () => {
  test.each([
    [0, [1]],
    [3, [1, 1, 1, 1]],
    [24, new Array(25).fill(1)],
    [25, new Array(26).fill(1)],
    [26, [1 / 26, ...new Array(26).fill(1)]],
    [30, [1 / 30, 0.275, 0.5166666667, 0.7583333333, ...new Array(27).fill(1)]],
  ] as [number, number[]][])('of %d points ramp up to the newest 25, then the prior', (points, expected) => {
    expectEach([...recencyWeights(points)], expected);
  });
});

describe('weights by improvement', () => {
  test('are how much better each point is than the best of the others, and their mean for the prior', () => {
    expectEach([...improvementWeights([1, 3, 4], 5)], [4, 2, 1, 7 / 3]);
  });

  test('are alike where no point is better, or there is nothing to compare with', () => {
    const alike = improvementWeights([5, 5], 5);
    expect(new Set(alike).size).toBe(1);
    expect([...improvementWeights([1, 2], Infinity)]).toEqual([1, 1, 1]);
    expect([...improvementWeights([], 5)]).toEqual([1]);
  });

  const trial = (number: number, value: number): PastTrial => ({ number, params: {}, state: 'complete', value, steps: [] });
  const pruned: PastTrial = { number: 2, params: {}, state: 'pruned', value: null, steps: [{ step: 1, value: 0 }] };

  test('are for complete trials: what pruned ones reported last is no value to compare', () => {
    const { pawl, watanabe2023 } = PRESETS;
    expect([...pawl.weightsBelow([trial(0, 1), trial(1, 3)], 5)]).toEqual([4, 2, 3]);
    expect([...pawl.weightsBelow([trial(0, 1), trial(1, 3), pruned], 5)]).toEqual([1, 1, 1, 1]);
    expect([...watanabe2023.weightsBelow([trial(0, 1), pruned], 5)]).toEqual([1, 1, 1]);
  });
});

describe('the bandwidths of the preset watanabe2023', () => {
  // by hand: neighbours are the ends, the other points and the prior's mean, 0.5
  test('take the ends and the prior’s mean for neighbours', () => {
    const axis = axisOf(numbers(0, 1));
    const { kernels } = makeParzen([axis], [Float64Array.from([0.4, 0.55, 0.56])], new Float64Array(4).fill(1), PRESETS.watanabe2023.bandwidths);
    expectEach([...(kernels[0] as NumericKernels).widths], [0.4, 0.05, 0.44, 1]);
  });

  test('are at least three hundredths of the interval', () => {
    const axis = axisOf(numbers(0, 10));
    const points = Float64Array.from({ length: 500 }, (_, i) => 4 + i / 1_000);
    const { kernels } = makeParzen([axis], [points], new Float64Array(501).fill(1), PRESETS.watanabe2023.bandwidths);
    expect((kernels[0] as NumericKernels).widths[250]).toBeCloseTo(0.3, 12);
  });
});

describe('densities', () => {
  test('over all cells and choices add up to 1', () => {
    const { at } = estimate([integers(1, 9, { log: true }), choices('a', 'b')], [[2, 'a'], [7, 'b'], [7, 'a']]);
    const everything = Array.from({ length: 9 }, (_, i) => [[i + 1, 'a'], [i + 1, 'b']]).flat();
    expect(at(...everything).reduce((sum, value) => sum + Math.exp(value), 0)).toBeCloseTo(1, 10);
  });

  test('over a line integrate to 1', () => {
    const { at } = estimate([numbers(-2, 3)], alone([-1.9, 0, 0.1, 3]));
    const n = 20_000;
    const middles = Array.from({ length: n }, (_, i) => [-2 + (5 * (i + 0.5)) / n]);
    expect(at(...middles).reduce((sum, value) => sum + (Math.exp(value) * 5) / n, 0)).toBeCloseTo(1, 6);
  });

  test('are finite where every kernel is far away', () => {
    const { at } = estimate([integers(0, 10_000)], alone(Array.from({ length: 120 }, (_, i) => i % 3)));
    expect(at([10_000]).every(Number.isFinite)).toBe(true);
  });

  test('of choices that are never drawn are finite, too', () => {
    const { at } = estimate([{ kind: 'categorical', choices: ['a', 'b'], probabilities: [1, 0] }], alone(['a', 'a']));
    expect(at(['b'])[0]).toBeLessThan(-10);
    expect(at(['b'])[0]).toBeGreaterThan(-Infinity);
  });
});

describe('draws', () => {
  const axes = [numbers(1e-5, 1, { log: true }), integers(8, 256, { log: true }), choices('a', 'b', 'c')];
  const rows = [[1e-3, 64, 'b'], [2e-3, 32, 'b'], [0.5, 8, 'c']];

  test('have the shares that the densities say', () => {
    const { parzen, at } = estimate([integers(1, 6), choices('a', 'b')], [[2, 'a'], [5, 'b']]);
    const count = 30_000;
    const [ns, cs] = drawPoints(parzen, count, [7, 8]);
    for (const [n, c] of [[2, 0], [5, 1], [5, 0], [6, 1]] as const) {
      const share = ns!.filter((value, i) => value === n && cs![i] === c).length / count;
      const expected = Math.exp(at([n, 'ab'[c]!])[0]!);
      expect(Math.abs(share - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / count));
    }
  });

  test('lie on their axes, and depend on the key alone', () => {
    const { parzen } = estimate(axes, rows);
    const drawn = drawPoints(parzen, 500, [1, 2]);
    expect(drawn).toEqual(drawPoints(parzen, 500, [1, 2]));
    expect(drawn).not.toEqual(drawPoints(parzen, 500, [1, 3]));
    const [rates, filters, kinds] = drawn.map((points) => [...points]);
    expect(rates!.every((x) => x >= Math.log(1e-5) && x <= 0)).toBe(true);
    expect(filters!.every((x) => Number.isInteger(x) && x >= 8 && x <= 256)).toBe(true);
    expect(new Set(kinds)).toEqual(new Set([0, 1, 2]));
  });

  test('do not change for the first when more are wanted', () => {
    const { parzen } = estimate(axes, rows);
    const [few, many] = [drawPoints(parzen, 5, [1, 2]), drawPoints(parzen, 50, [1, 2])];
    for (const [index, points] of few.entries()) expect(points).toEqual(many[index]!.slice(0, 5));
  });
});

describe('an axis', () => {
  test('ends with the last whole step', () => {
    const axis = axisOf(numbers(0, 1, { step: 0.3 }));
    expect(axis).toMatchObject({ lastCell: 3, low: -0.15 });
    if (axis.kind === 'numeric') {
      expect(axis.high).toBeCloseTo(1.05);
      expect(nearestPoint(axis, 1.05)).toBeCloseTo(0.9);
    }
  });

  test('stays above 0 where half a step would reach below it', () => {
    const axis = axisOf(numbers(2, 50, { log: true, step: 8 }));
    if (axis.kind !== 'numeric') throw new Error('not numeric');
    expect(axis.low).toBe(0);
    expect(cellOf(axis, 2)).toEqual([0, Math.log(6)]);
    expect(positionOf(axis, 2)).toBe(Math.log(2));
  });

  test('finds choices by what they are, whatever the order of their keys', () => {
    const axis = axisOf(choices(1, '1', null, { a: 1, b: [2] }));
    expect([1, '1', null, { b: [2], a: 1 }, 2].map((value) => pointOf(axis, value))).toEqual([0, 1, 2, 3, NaN]);
  });

  test('has no point for what is not a number', () => {
    expect(['1', null, undefined].map((value) => pointOf(axisOf(numbers(0, 1)), value))).toEqual([NaN, NaN, NaN]);
  });
});

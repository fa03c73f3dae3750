import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DISTRIBUTIONS } from '../../../lib/contract/sweep.js';
import { type DistributionInput, parseDistribution } from '../../../lib/sweeps/distributions.js';
import { dimensionOf, everyDistribution, numericOf, told } from './spaces.js';

const problemsOf = (config: DistributionInput) => {
  const parsed = parseDistribution(config, 'x');
  return 'problems' in parsed ? told(parsed.problems) : [];
};
const warningsOf = (config: DistributionInput) => {
  const parsed = parseDistribution(config, 'x');
  return 'problems' in parsed ? told(parsed.problems) : told(parsed.warnings);
};
const configs = Object.entries(everyDistribution().parameters).filter(([, config]) => config.parameters === undefined);

describe('inference', () => {
  it.each<[DistributionInput, DistributionInput]>([
    [{ value: 3 }, { distribution: 'constant', value: 3 }],
    [{ value: null }, { distribution: 'constant', value: null }],
    [{ values: [1, 2] }, { distribution: 'categorical', values: [1, 2] }],
    [{ values: [1, 2], probabilities: [0.1, 0.9] }, { distribution: 'categorical_w_probabilities', values: [1, 2], probabilities: [0.1, 0.9] }],
    [{ min: 1, max: 3 }, { distribution: 'int_uniform', min: 1, max: 3 }],
    [{ min: 1, max: 3.5 }, { distribution: 'uniform', min: 1, max: 3.5 }],
  ])('takes %j as %j', (short, long) => {
    expect(JSON.stringify(dimensionOf(short))).toBe(JSON.stringify(dimensionOf(long)));
  });

  it('warns of 0 to 1 in integers', () => {
    expect(warningsOf({ min: 0, max: 1 })).toEqual(['x: is either 0 or 1, because min and max are integers; for the numbers between say "distribution": "uniform"']);
    expect(warningsOf({ min: 0, max: 1, distribution: 'int_uniform' })).toEqual([]);
  });
});

describe('every distribution', () => {
  it('is in the fixture', () => {
    expect(new Set(configs.flatMap(([, { distribution }]) => distribution ?? []))).toEqual(new Set(DISTRIBUTIONS));
  });

  it.each(configs.filter(([, config]) => dimensionOf(config).kind === 'numeric'))('%s gives finite values that grow with the coordinate, and finds their coordinates', (_, config) => {
    const dimension = numericOf(config);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (a, b) => {
        const at = (share: number) => dimension.low + share * (dimension.high - dimension.low);
        const [low, high] = [dimension.toValue(at(Math.min(a, b))), dimension.toValue(at(Math.max(a, b)))];
        expect([low, high].every(Number.isFinite) && low <= high).toBe(true);
        const back = dimension.toCoordinate(low);
        expect(back >= dimension.low && back <= dimension.high).toBe(true);
        // what a value's coordinate gives is that value again
        expect(Math.abs(dimension.toValue(back) - low)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(low)));
        expect(Object.is(low, -0)).toBe(false);
      }),
      { numRuns: 200 },
    );
    for (const outside of [-1e300, 1e300]) expect([dimension.low, dimension.high]).toContain(dimension.toCoordinate(outside));
  });
});

describe('uniform numbers', () => {
  it('have their value as the coordinate', () => {
    expect(numericOf({ distribution: 'uniform', min: -1, max: 3 })).toMatchObject({ low: -1, high: 3, log: false, step: null });
    expect(numericOf({ distribution: 'int_uniform', min: -1, max: 3 })).toMatchObject({ low: -1, high: 3, log: false, step: 1 });
    expect(numericOf({ distribution: 'log_uniform_values', min: 1e-5, max: 0.1 })).toMatchObject({ low: 1e-5, high: 0.1, log: true, step: null });
  });

  it('of log_uniform have exponents of e as bounds', () => {
    expect(numericOf({ distribution: 'log_uniform', min: -3, max: 2 })).toMatchObject({ low: Math.exp(-3), high: Math.exp(2), log: true });
    expect(numericOf({ distribution: 'q_log_uniform', min: 0, max: Math.log(100), q: 10 })).toMatchObject({ low: 10, high: 100, log: true, step: 10 });
  });

  it('whose inverse is log-uniform are so themselves', () => {
    expect(numericOf({ distribution: 'inv_log_uniform', min: 2, max: 5 })).toMatchObject({ low: Math.exp(-5), high: Math.exp(-2), log: true });
    expect(numericOf({ distribution: 'inv_log_uniform_values', min: 0.01, max: 0.5 })).toMatchObject({ low: 0.01, high: 0.5, log: true });
  });

  it.each([
    [{ min: 0, max: 1, q: 0.1 }, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]],
    [{ min: 0.1, max: 0.3, q: 0.1 }, [0.1, 0.2, 0.3]],
    [{ min: 1, max: 10, q: 4 }, [4, 8]],
    [{ min: -0.3, max: 0.3, q: 0.1 }, [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]],
    [{ min: 0.05, max: 0.12, q: 0.01 }, [0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12]],
    [{ min: 3, max: 5 }, [3, 4, 5]],
  ])('of q_uniform %j are the multiples of q in between', (bounds, values) => {
    const { low, high, step, toValue } = numericOf({ distribution: 'q_uniform', ...bounds });
    const steps = Math.round((high - low) / (step as number));
    expect(Array.from({ length: steps + 1 }, (_, k) => toValue(low + k * (step as number)))).toEqual(values);
  });

  it('may be large integers', () => {
    const [min, max] = [2 ** 53 - 9, 2 ** 53 - 1];
    expect(numericOf({ min, max })).toMatchObject({ low: min, high: max });
    expect(problemsOf({ distribution: 'int_uniform', min: 0, max: 2 ** 53 })).toHaveLength(1);
  });
});

describe('numbers with tails', () => {
  // by scipy.stats at these quantiles
  const quantiles = [0.001, 0.1, 0.5, 0.9, 0.999];
  it.each<[DistributionInput, number[]]>([
    [{ distribution: 'normal', mu: 10, sigma: 2 }, [3.8195353876643736, 7.436896868910799, 10, 12.5631031310892, 16.180464612335626]],
    [{ distribution: 'log_normal', mu: -7, sigma: 1.5 }, [8.847740349805303e-06, 0.00013337746746371922, 0.0009118819655545162, 0.0062344017690226195, 0.09398204357589066]],
    [{ distribution: 'beta', a: 2, b: 5 }, [0.008255492787746678, 0.09259525891312873, 0.26444998329566005, 0.5103163065514917, 0.818613866919134]],
    [{ distribution: 'beta', a: 0.5, b: 0.5 }, [2.4673990709169446e-06, 0.024471741852423214, 0.5, 0.9755282581475768, 0.999997532600929]],
    [{ distribution: 'q_normal', mu: 64, sigma: 16, q: 4 }, [16, 44, 64, 84, 112]],
  ])('are the quantiles of %j', (config, expected) => {
    const { low, high, toValue, toCoordinate } = numericOf(config);
    expect([low, high]).toEqual([0, 1]);
    for (const [index, quantile] of quantiles.entries()) {
      expect(toValue(quantile) / (expected[index] as number)).toBeCloseTo(1, 10);
      if (config.q === undefined) expect(toCoordinate(expected[index] as number)).toBeCloseTo(quantile, 10);
    }
  });

  it('that are rounded have the middle of what is rounded to them as their coordinate', () => {
    const { toCoordinate } = numericOf({ distribution: 'q_normal', mu: 0, sigma: 1, q: 2 });
    expect(toCoordinate(0)).toBeCloseTo(0.5, 12);
    expect(toCoordinate(2)).toBeCloseTo((0.8413447460685429 + 0.9986501019683699) / 2, 12);
  });
});

describe('choices', () => {
  it('that are equal become one, with a warning', () => {
    expect(dimensionOf({ values: [1, 2, 1, { a: 1, b: 2 }, { b: 2, a: 1 }] })).toMatchObject({ choices: [1, 2, { a: 1, b: 2 }], probabilities: null });
    expect(warningsOf({ values: ['a', 'b', 'a'] })).toEqual(['x.values.2: is there already: "a" is one choice']);
    expect(dimensionOf({ values: ['a', 'b', 'a'], probabilities: [0.25, 0.5, 0.25] })).toMatchObject({ choices: ['a', 'b'], probabilities: [0.5, 0.5] });
  });
  it('may be almost anything', () => {
    expect(dimensionOf({ values: [null, true, 'x', [1, [2]], { a: {} }] })).toMatchObject({ choices: [null, true, 'x', [1, [2]], { a: {} }] });
  });
});

describe('a bad parameter', () => {
  it.each<[DistributionInput, string[]]>([
    [{}, ['x: needs a value, values, min and max, or a distribution, got an empty object']],
    [{ min: 1 }, ['x.max: is required of int_uniform']],
    [{ max: 1.5 }, ['x.min: is required of uniform']],
    [{ distribution: 'log_uniform_values' }, ['x.min: is required of log_uniform_values', 'x.max: is required of log_uniform_values']],
    [{ distribution: 'normal', min: 0, max: 1 }, ['x.min: is not a key of normal; its keys: mu, sigma', 'x.max: is not a key of normal; its keys: mu, sigma']],
    [{ distribution: 'uniform', min: 0, max: 1, q: 0.1 }, ['x.q: is not a key of uniform; its keys: min, max']],
    [{ distribution: 'categorical', values: [1, 2], probabilities: [0.5, 0.5] }, ['x.probabilities: is not a key of categorical; its keys: values']],
    [{ value: 1, values: [1] }, ['x.values: is not a key of constant; its keys: value']],
    [{ min: 3, max: 3 }, ['x.max: must be above min, 3 (for one value say "value"), got 3']],
    [{ min: 3, max: 1.5 }, ['x.max: must be above min, 3 (for one value say "value"), got 1.5']],
    [{ distribution: 'int_uniform', min: 0.5, max: 3 }, ['x.min: must be an integer from −2⁵³ to 2⁵³ (for real numbers say "distribution": "uniform"), got 0.5']],
    [{ distribution: 'log_uniform_values', min: 0, max: 3 }, ['x.min: must be above 0 for log_uniform_values, got 0']],
    [{ distribution: 'log_uniform', min: 1, max: 800 }, ['x: has exponents of e as min and max: from 2.718281828459045 to Infinity is not a range of numbers (for the values themselves say "distribution": "log_uniform_values")']],
    [{ distribution: 'q_uniform', min: 1, max: 3, q: 5 }, ['x.q: must have a multiple between 1 and 3, got 5']],
    [{ distribution: 'q_log_uniform_values', min: 0.1, max: 0.4, q: 0.5 }, ['x.q: must have a multiple between 0.1 and 0.4, got 0.5']],
    [{ distribution: 'q_uniform', min: 0, max: 1, q: 1e-20 }, ['x.q: must not divide 0 … 1 into more than 2⁵³ steps, got 1e-20']],
    [{ values: [1, 2], probabilities: [1] }, ['x.probabilities: must be as many as values, 2, got 1']],
    [{ values: [1, 2], probabilities: [0.5, 0.6] }, ['x.probabilities: must sum to 1, got 1.1']],
    [{ distribution: 'log_normal', mu: 0, sigma: 100 }, ['x: must have finite numbers, got values from 0 to Infinity']],
  ])('%j is named, with what is allowed', (config, problems) => {
    expect(problemsOf(config)).toEqual(problems);
  });

  it('that is only surely not meant is warned of: exponents of e that look like values', () => {
    expect(warningsOf({ distribution: 'log_uniform', min: 0.0001, max: 0.1 })).toEqual(['x: has exponents of e as min and max: its values go from 1 to 1.105; for values from 0.0001 to 0.1 say "distribution": "log_uniform_values"']);
    expect(warningsOf({ distribution: 'q_log_uniform', min: 1, max: 4 })).toHaveLength(1);
    expect(warningsOf({ distribution: 'log_uniform', min: -9, max: -2 })).toEqual([]);
    expect(warningsOf({ distribution: 'inv_log_uniform', min: 2.3, max: 9.2 })).toEqual([]);
  });
});

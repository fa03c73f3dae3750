// First weights: Keras's distributions, from keys that make every weight its own.
import { describe, expect, test } from 'vitest';
import type { Initializer } from '../../../lib/contract/layers.js';
import { initialWeight } from '../../../worker/trainer/model/initializers.js';

const [FAN_IN, FAN_OUT] = [300, 100];
const weight = (initializer: Initializer, name = 'dense_1/kernel') => ({ name, shape: [FAN_IN, FAN_OUT], trainable: true, initializer, fanIn: FAN_IN, fanOut: FAN_OUT });
const stddev = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

describe.each<[Initializer, number, number]>([
  // initializer, variance, largest value
  ['glorot_uniform', 2 / (FAN_IN + FAN_OUT), Math.sqrt(6 / (FAN_IN + FAN_OUT))],
  ['glorot_normal', 2 / (FAN_IN + FAN_OUT), (2 * Math.sqrt(2 / (FAN_IN + FAN_OUT))) / 0.87962566103423978],
  ['he_uniform', 2 / FAN_IN, Math.sqrt(6 / FAN_IN)],
  ['he_normal', 2 / FAN_IN, (2 * Math.sqrt(2 / FAN_IN)) / 0.87962566103423978],
])('%s', (initializer, variance, limit) => {
  const values = initialWeight(1, weight(initializer));
  test('has its variance, its limit and mean 0', () => {
    expect(stddev(values) / Math.sqrt(variance)).toBeGreaterThan(0.98);
    expect(stddev(values) / Math.sqrt(variance)).toBeLessThan(1.02);
    const most = Math.max(...values.map(Math.abs));
    expect(most).toBeLessThanOrEqual(Math.fround(limit));
    expect(most).toBeGreaterThan(limit * 0.98);
    expect(Math.abs(values.reduce((sum, value) => sum + value, 0) / values.length)).toBeLessThan(stddev(values) / 30);
  });
  test('is the weight\'s own: by seed and by name', () => {
    expect(initialWeight(1, weight(initializer))).toEqual(values);
    expect(initialWeight(0, weight(initializer))).not.toEqual(values);
    expect(initialWeight(1, weight(initializer, 'dense_2/kernel'))).not.toEqual(values);
  });
});

test('zeros and ones are what they say', () => {
  expect(new Set(initialWeight(1, weight('zeros')))).toEqual(new Set([0]));
  expect(new Set(initialWeight(1, weight('ones')))).toEqual(new Set([1]));
});

// First weights against what Keras draws for the same layers (test/fixtures/keras): the quantiles of tens of thousands of values.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import { planModel } from '../../../lib/model/plan-model.js';
import { initialWeight } from '../../../worker/trainer/model/initializers.js';

interface Draw {
  name: string;
  layer: JobSpecInput['model']['layers'][number];
  /** Of the layer: of an image, or of features. */
  input: number[];
  weight: string;
}

const read = (name: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/keras', name), 'utf8'));
const { initializers } = read('cases.json') as { initializers: Draw[] };
const expected = read('expected.json') as Record<string, { shape: number[]; quantiles: number[] }>;
const named = initializers.map((draw): [string, Draw] => [draw.name, draw]);

function drawn(draw: Draw): { shape: readonly number[]; values: Float32Array } {
  const { layer, input } = draw;
  const answer = resolveSpec({ data: { type: 'builtin', name: 'digits' }, model: { layers: input.length === 1 ? [{ type: 'flatten' }, layer] : [layer] } });
  if ('problems' in answer) throw new Error(JSON.stringify(answer.problems));
  const planned = planModel(answer.spec.model.layers, input.length === 1 ? [1, 1, ...input] : input);
  if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
  const weight = planned.plan.weights.find(({ name }) => name.endsWith(`/${draw.weight}`))!;
  return { shape: weight.shape, values: initialWeight(3, weight) };
}

/** As many as `count`, evenly spaced from the least to the largest; linear between two values, as numpy's. */
function quantiles(values: Float32Array, count: number): number[] {
  const sorted = values.toSorted();
  return Array.from({ length: count }, (_, index) => {
    const at = (index / (count - 1)) * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
    return low + (high - low) * (at % 1);
  });
}

describe('what Keras draws too', () => {
  test.each(named)('%s', (name, draw) => {
    const { shape, values } = drawn(draw);
    const wanted = expected[name]!;
    expect(shape).toEqual(wanted.shape);
    // two samples of tens of thousands of values differ by about a hundredth of the range at most
    const range = wanted.quantiles.at(-1)! - wanted.quantiles[0]!;
    quantiles(values, wanted.quantiles.length).forEach((value, index) => expect(Math.abs(value - wanted.quantiles[index]!), `quantile ${index}`).toBeLessThan(range / 100));
  });

  test('differs from each other by more than that', () => {
    const shapes = named.map(([name]) => expected[name]!.quantiles);
    const near = shapes.flatMap((a, index) => shapes.slice(index + 1).filter((b) => a.every((value, at) => Math.abs(value - b[at]!) < (a.at(-1)! - a[0]!) / 50)));
    expect(near).toEqual([]);
  });
});

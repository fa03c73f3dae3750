// The whole catalogue against Keras in float64 (test/fixtures/keras): forward, gradient and windows of training of every layer,
// loss, optimizer, schedule, regularizer, constraint and clipping. What is expected is in the checkout: no Python is needed.
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Engine } from '../../../worker/trainer/engines/index.js';
import { makeTempDir } from '../../support/temp.js';
import { COMPILERS, engine, expectNoTensors } from './support/engine.js';
import { CASES, CASES_OF_UPDATES, compute, type Case, type Computed } from './support/keras.js';
import { expectedOf, mismatches } from './support/keras-expected.js';

afterEach(expectNoTensors);

const named = (cases: readonly Case[]): [string, Case][] => cases.map((kase) => [kase.name, kase]);

async function computed(kase: Case, compile: Engine['compile']): Promise<Computed> {
  const folder = await makeTempDir('keras');
  onTestFinished(folder.remove);
  return compute(kase, folder.path, compile);
}

const [[how, asTheEngineDoes], [, eager]] = COMPILERS;
// a graph takes most of a second to compile; forward and gradient in graphs are in gradients.test.ts
const isSlow = engine.name === 'tensorflow';

test.each(named(CASES))('%s', async (name, kase) => {
  expect(mismatches(await computed(kase, isSlow ? eager : asTheEngineDoes), expectedOf(name))).toEqual([]);
});

if (isSlow) {
  test.each(named(CASES_OF_UPDATES))(`${how}: %s`, async (name, kase) => {
    expect(mismatches(await computed(kase, asTheEngineDoes), expectedOf(name))).toEqual([]);
  });
}

describe('the comparison', () => {
  const changed = (values: readonly (number | null)[], at: number, by: number): number[] => values.map((value, index) => value! + (index === at ? by : 0));

  test('sees a change of a thousandth in any number', async () => {
    const actual = await computed(CASES.find(({ name }) => name === 'all at once')!, eager);
    const expected = expectedOf('all at once');
    for (const [kind, values] of Object.entries(expected.tensors)) {
      const by = Math.max(...values.map(Math.abs)) / 1000;
      for (const at of values.keys()) {
        const seen = mismatches(actual, { ...expected, tensors: { ...expected.tensors, [kind]: changed(values, at, by) } });
        expect(seen, `${kind} ${at}`).toEqual([expect.stringContaining(kind)]);
      }
    }
    for (const series of ['updates', 'epochs'] as const) {
      for (const [name, values] of Object.entries(expected[series]!)) {
        const seen = mismatches(actual, { ...expected, [series]: { ...expected[series], [name]: changed(values, 1, values[1]! / 1000) } });
        expect(seen, `${series}.${name}`).toEqual([expect.stringContaining(`${series}.${name}`)]);
      }
    }
  });

  test('could not take one case for another: no two end with the same weights', () => {
    const ends = CASES.filter((kase) => !kase.only_inference).map(({ name }) => {
      const { weights, ema } = expectedOf(name).tensors;
      return { name, values: [...weights!, ...(ema ?? [])] };
    });
    const areAlike = (a: number[], b: number[]): boolean => a.length === b.length && a.every((value, at) => Math.abs(value - b[at]!) < 1e-5);
    const pairs = ends.flatMap(({ name, values }, index) => ends.slice(index + 1).filter((other) => areAlike(values, other.values)).map((other) => `${name} and ${other.name}`));
    expect(pairs).toEqual([]);
  });
});

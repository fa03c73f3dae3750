// What a micro-batch is judged by: predicted classes and ranks on every kind of output, and the one place where a composed
// binary cross-entropy has no gradient.
import { afterEach, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { accumulatorName } from '../../../lib/model/slots.js';
import type { HostTensor } from '../../../lib/training/state.js';
import type { Batch } from '../../../worker/trainer/engines/index.js';
import { COMPILERS, dataOf, expectNoTensors, programOf, stateOf, withProgram } from './support/engine.js';

afterEach(expectNoTensors);

type Training = NonNullable<JobSpecInput['training']>;

/** A dense layer on inputs of [1, 1, classes] that gives them back. */
function identity(classes: number, activation: 'softmax' | 'sigmoid' | null, training: Training) {
  const program = programOf([{ type: 'flatten' }, { type: 'dense', units: classes, activation, use_bias: false, trainable: true }], [1, 1, classes], Math.max(2, classes), { batch_size: 4, ...training });
  const kernel: HostTensor = { dtype: 'F32', shape: [classes, classes], data: Float32Array.from({ length: classes * classes }, (_, index) => (index % (classes + 1) === 0 ? 1 : 0)) };
  return { program, weights: new Map([['dense_1/kernel', kernel]]) };
}
const batch = (x: number[][], y: number[][]): Batch => ({ x: Float32Array.from(x.flat()), y: Float32Array.from(y.flat()), samples: x.length, masks: new Map() });

describe.each(COMPILERS)('%s', (_, compile) => {
  const rowsOf = (classes: number, activation: 'softmax' | 'sigmoid' | null, training: Training, given: () => Batch) => {
    const { program, weights } = identity(classes, activation, training);
    return withProgram(program, (compiled) => {
      compiled.loadWeights(weights);
      return [compiled.evaluate(given()), compiled.runBlock([given()], null).rows[0]!];
    }, compile);
  };

  test('top_k_accuracy counts outputs above that of the label, in training and in inference', () => {
    // ranks of the label: 0, 1, 2, and 1 of two equal ones
    const given = () => batch([[4, 3, 2, 1], [3, 4, 2, 1], [3, 4, 2, 1], [4, 2, 2, 1]], [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0.4, 0.6, 0]]);
    for (const activation of ['softmax', null] as const) {
      for (const [k, hits] of [[1, 1], [2, 3], [3, 4]] as const) {
        for (const row of rowsOf(4, activation, { metrics: ['accuracy', { type: 'top_k_accuracy', k }] }, given)) expect(row).toMatchObject({ samples: 4, correct: 1, top_k_correct: hits });
      }
    }
    for (const row of rowsOf(4, 'softmax', {}, given)) expect(row).toMatchObject({ correct: 1, top_k_correct: 0 });
  });

  test('a single output says the second class above one half', () => {
    const given = () => batch([[2], [-1], [0.4], [-3]], [[1], [0], [1], [0.75]]);
    for (const row of rowsOf(1, 'sigmoid', { loss: 'binary_crossentropy' }, given)) expect(row.correct).toBe(3);
    // of values, not logits, 0.4 is below
    for (const row of rowsOf(1, null, { loss: 'mean_squared_error' }, given)) expect(row.correct).toBe(2);
    for (const row of rowsOf(1, null, { loss: { type: 'binary_crossentropy', from_logits: true } }, given)) expect(row.correct).toBe(3);
  });

  test('binary cross-entropy has its gradient at a logit of zero, and none overflows', () => {
    const { program, weights } = identity(1, 'sigmoid', { loss: 'binary_crossentropy', batch_size: 1 });
    const gradient = (x: number, y: number): number =>
      withProgram(program, (compiled) => {
        compiled.loadWeights(new Map([['dense_1/kernel', { ...weights.get('dense_1/kernel')!, data: Float32Array.of(x) }]]));
        const { finite, rows } = compiled.runBlock([batch([[1]], [[y]])], null);
        expect(finite).toBe(true);
        expect(rows[0]!.loss).toBeCloseTo(x === 0 ? Math.LN2 : Math.max(0, x) - x * y, 5);
        return dataOf(stateOf(compiled, true), accumulatorName('dense_1/kernel'))[0]!;
      }, compile);
    expect(gradient(0, 1)).toBe(-0.5);
    expect(gradient(0, 0)).toBe(0.5);
    expect(gradient(200, 0)).toBe(1);
    expect(gradient(-200, 1)).toBe(-1);
  });
});

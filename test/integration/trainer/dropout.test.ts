// Dropout: a sample's mask is the sample's own, whatever it shares a micro-batch with.
import { afterEach, expect, test } from 'vitest';
import { accumulatorName } from '../../../lib/model/slots.js';
import type { Batch } from '../../../worker/trainer/engines/index.js';
import { batchOf, dataOf, expectNoTensors, programOf, SEED, stateOf, withMasks, withProgram } from './support/engine.js';

afterEach(expectNoTensors);

const program = programOf([{ type: 'flatten' }, { type: 'dropout', rate: 0.5 }, { type: 'dense', units: 2, activation: 'softmax' }], [4, 4, 1], 2, { batch_size: 1, accum_iters: 2, seed: 3 }, [2]);
const GRADIENT = accumulatorName('dense_1/kernel');

/** Features whose weights got a gradient: those that were kept. */
function kept(batch: Batch): boolean[] {
  return withProgram(program, (compiled) => {
    compiled.runBlock([batch], null);
    const gradient = dataOf(stateOf(compiled, true), GRADIENT);
    return Array.from({ length: 16 }, (_, feature) => gradient[2 * feature] !== 0);
  });
}
const sample = (id: number, epoch = 0, seed = SEED): Batch => withMasks(program.plan, batchOf(program.plan, 1), Int32Array.of(id), epoch, seed);

test('another sample, epoch or seed has another mask, and the same ones the same', () => {
  const mask = kept(sample(4));
  expect(mask).toContain(true);
  expect(mask).toContain(false);
  expect(kept(sample(4))).toEqual(mask);
  expect(kept(sample(5))).not.toEqual(mask);
  expect(kept(sample(4, 1))).not.toEqual(mask);
  expect(kept(sample(4, 0, SEED + 1))).not.toEqual(mask);
});

test('a micro-batch and its parts have the same masks', () => {
  const ids = Int32Array.of(7, 3);
  const two = withMasks(program.plan, batchOf(program.plan, 2), ids);
  const part = (index: number): Batch => withMasks(program.plan, { samples: 1, x: two.x.slice(16 * index, 16 * index + 16), y: two.y.slice(2 * index, 2 * index + 2) }, ids.slice(index, index + 1));
  const [first, second] = [part(0), part(1)];
  const together = withProgram(program, (compiled) => compiled.runBlock([two], null).rows[0]!.loss);
  const apart = withProgram(program, (compiled) => compiled.runBlock([first, second], null).rows.reduce((sum, { loss }) => sum + loss, 0));
  expect(apart).toBeCloseTo(together, 5);
});

test('kept values are scaled so that the mean stays, and inference drops nothing', () => {
  const wide = programOf([{ type: 'flatten' }, { type: 'dropout', rate: 0.25 }, { type: 'dense', units: 1, use_bias: false, kernel_initializer: 'ones' }, { type: 'dense', units: 2 }], [64, 64, 1], 2, { loss: { type: 'categorical_crossentropy', from_logits: true }, batch_size: 1 });
  const batch = withMasks(wide.plan, { x: new Float32Array(4096).fill(1 / 4096), y: Float32Array.of(1, 0), samples: 1 }, Int32Array.of(0));
  withProgram(wide, (compiled) => {
    compiled.runBlock([batch], null);
    // d loss / d kernel = (p − y) · x: the first dense layer's output is the sum of the masked ones
    const gradient = dataOf(stateOf(compiled, true), accumulatorName('dense_2/kernel'));
    const bias = dataOf(stateOf(compiled, true), accumulatorName('dense_2/bias'));
    const sum = gradient[0]! / bias[0]!;
    expect(sum).toBeGreaterThan(0.96);
    expect(sum).toBeLessThan(1.04);
    // and something was dropped: by chance it would be exactly 1
    expect(Math.abs(sum - 1)).toBeGreaterThan(1e-4);
    const inference = compiled.evaluate({ ...batch, x: new Float32Array(4096).fill(1 / 4096), y: batch.y.slice() });
    const kernel = stateOf(compiled, true).get('dense_2/kernel')!.data;
    expect(inference.loss).toBeCloseTo(Math.log(1 + Math.exp(kernel[1]! - kernel[0]!)), 5);
  });
});

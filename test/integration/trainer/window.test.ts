// What happens between two updates, and at one: the fold, the division, the order of both, the batch statistics, and
// what a micro-batch that is not finite may touch. Compared in bits wherever float32 arithmetic can be done on the host.
import tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { accumulatorName, statisticName } from '../../../lib/model/slots.js';
import type { Batch, CompiledProgram, Program } from '../../../worker/trainer/engines/index.js';
import { isFiniteWithSum } from '../../../worker/trainer/engines/finite.js';
import { inScope } from '../../../worker/trainer/engines/scope.js';
import { channelStatistics, values } from '../../unit/trainer/support/naive.js';
import { batchOf, bytesOf, dataOf, engine, expectNoTensors, programOf, stateOf, withProgram } from './support/engine.js';

afterEach(expectNoTensors);

type Training = NonNullable<JobSpecInput['training']>;
const SGD: Training = { optimizer: { type: 'sgd', lr: 1 }, batch_size: 4, seed: 5 };
const LAYERS: JobSpecInput['model']['layers'] = [
  { type: 'conv2d', filters: 3, kernel_size: 3, activation: 'relu' },
  { type: 'flatten' },
  { type: 'dense', units: 4, activation: 'softmax' },
];
const KERNEL = 'conv2d_1/kernel';
const dense = (training: Training): Program => programOf(LAYERS, [6, 6, 1], 4, training);

/** A micro-batch's own gradient, from a window that holds nothing else. */
function alone(compiled: CompiledProgram, batch: Batch, name = KERNEL): number[] {
  compiled.runBlock([batch]);
  const gradient = dataOf(stateOf(compiled, true), accumulatorName(name));
  compiled.dropWindow();
  return gradient;
}
const STEP = { update: 0, learningRate: 1 };

describe('accumulation', () => {
  test('is a float32 left fold in the order of the micro-batches', () => {
    const program = dense({ ...SGD, accum_iters: 5 });
    withProgram(program, (compiled) => {
      const batches = [0, 1, 2, 3, 4].map((salt) => batchOf(program.plan, 4, salt));
      const gradients = batches.map((batch) => alone(compiled, batch));
      const fold = (order: number[]): number[] => order.map((index) => gradients[index]!).reduce((sum, gradient) => sum.map((value, at) => Math.fround(value + gradient[at]!)));
      compiled.runBlock(batches);
      const accumulated = dataOf(stateOf(compiled, true), accumulatorName(KERNEL));
      expect(accumulated).toEqual(fold([0, 1, 2, 3, 4]));
      // the order matters in bits, or this test would prove nothing
      expect(accumulated).not.toEqual(fold([4, 3, 2, 1, 0]));
    });
  });

  test('is divided once, by a true division', () => {
    const program = dense({ ...SGD, accum_iters: 5 });
    withProgram(program, (compiled) => {
      compiled.runBlock([0, 1, 2, 3, 4].map((salt) => batchOf(program.plan, 4, salt)));
      const before = stateOf(compiled, true);
      const sum = dataOf(before, accumulatorName(KERNEL));
      compiled.update({ ...STEP, divisor: 5 });
      const after = dataOf(stateOf(compiled, false), KERNEL);
      const minus = (divided: (value: number) => number): number[] => dataOf(before, KERNEL).map((weight, at) => Math.fround(weight - Math.fround(divided(sum[at]!))));
      expect(after).toEqual(minus((value) => value / 5));
      expect(after).not.toEqual(minus((value) => value * Math.fround(1 / 5)));
    });
  });

  test('of one micro-batch is no accumulation', () => {
    const program = dense({ ...SGD, accum_iters: 1 });
    withProgram(program, (compiled) => {
      const before = dataOf(stateOf(compiled, false), KERNEL);
      const gradient = alone(compiled, batchOf(program.plan, 4));
      compiled.runBlock([batchOf(program.plan, 4)]);
      compiled.update({ ...STEP, divisor: 1 });
      expect(dataOf(stateOf(compiled, false), KERNEL)).toEqual(before.map((weight, at) => Math.fround(weight - gradient[at]!)));
    });
  });

  test.each(['sample', 'batch'] as const)('is the same in bits in blocks of any length (reduction %s)', (reduction) => {
    const program = dense({ ...SGD, accum_iters: 4, reduction });
    const batches = [4, 4, 4, 2].map((samples, salt) => batchOf(program.plan, samples, salt));
    const end = (blocks: Batch[][]) => withProgram(program, (compiled) => {
      const rows = blocks.flatMap((block) => compiled.runBlock(block));
      return { rows, state: bytesOf(stateOf(compiled, true)) };
    });
    expect(end([batches])).toEqual(end(batches.map((batch) => [batch])));
    expect(end([batches])).toEqual(end([batches.slice(0, 3), batches.slice(3)]));
  });

  test('weighs samples, or micro-batches, as the reduction says', () => {
    // 6 samples as 4 + 2, against the same six at once
    const whole = dense({ ...SGD, batch_size: 6, accum_iters: 1 });
    const samples = batchOf(whole.plan, 6);
    const part = (from: number, to: number): Batch => ({ ...samples, x: samples.x.slice(from * 36, to * 36), y: samples.y.slice(from * 4, to * 4), samples: to - from, sampleIds: samples.sampleIds.slice(from, to) });
    const end = (training: Training, batches: Batch[], divisor: number) => withProgram(dense({ ...SGD, ...training }), (compiled) => {
      const before = dataOf(stateOf(compiled, false), KERNEL);
      compiled.runBlock(batches);
      compiled.update({ ...STEP, divisor });
      return dataOf(stateOf(compiled, false), KERNEL).map((value, at) => value - before[at]!);
    });
    const distance = (a: number[], b: number[]) => Math.max(...a.map((value, at) => Math.abs(value - b[at]!)));
    const atOnce = end({ batch_size: 6 }, [samples], 1);
    const bySample = end({ batch_size: 4, accum_iters: 2, reduction: 'sample' }, [part(0, 4), part(4, 6)], 1.5);
    const byBatch = end({ batch_size: 4, accum_iters: 2, reduction: 'batch' }, [part(0, 4), part(4, 6)], 2);
    expect(distance(bySample, atOnce)).toBeLessThan(1e-6);
    expect(distance(byBatch, atOnce)).toBeGreaterThan(1e-3);
  });

  test('reports the global norm of the divided gradient', () => {
    const program = dense({ ...SGD, accum_iters: 2 });
    withProgram(program, (compiled) => {
      compiled.runBlock([batchOf(program.plan, 4, 0), batchOf(program.plan, 4, 1)]);
      const state = stateOf(compiled, true);
      const squares = program.plan.weights.flatMap(({ name }) => dataOf(state, accumulatorName(name)).map((value) => (value / 2) ** 2));
      const { gradNorm, finite } = compiled.update({ ...STEP, divisor: 2 });
      expect(finite).toBe(true);
      expect(gradNorm).toBeCloseTo(Math.sqrt(squares.reduce((sum, square) => sum + square, 0)), 5);
    });
  });
});

describe('what is not finite', () => {
  test.each([NaN, Infinity])('an input of %d touches neither accumulator nor weights', (poison) => {
    const program = dense({ ...SGD, accum_iters: 3 });
    withProgram(program, (compiled) => {
      compiled.runBlock([batchOf(program.plan, 4)]);
      const before = bytesOf(stateOf(compiled, true));
      const poisoned = batchOf(program.plan, 4, 1);
      poisoned.x[40] = poison;
      const rows = compiled.runBlock([poisoned, batchOf(program.plan, 4, 2)]);
      // what follows is not run
      expect(rows.map(({ finite }) => finite)).toEqual([false]);
      expect(bytesOf(stateOf(compiled, true))).toEqual(before);
    });
  });

  test('a gradient that overflows although the loss does not is seen', () => {
    const program = programOf([{ type: 'flatten' }, { type: 'dense', units: 2, activation: 'softmax' }], [1, 1, 2], 2, { ...SGD, batch_size: 1 });
    withProgram(program, (compiled) => {
      const state = stateOf(compiled, false);
      compiled.loadWeights(new Map([...state].map(([name, tensor]) => [name, { ...tensor, data: new Float32Array(tensor.data.length) }])));
      // logits 0: a loss of log 2, and a gradient of x/2 each, twice in the fold
      const batch: Batch = { x: new Float32Array([3e38, 3e38]), y: new Float32Array([1, 0]), samples: 1, epoch: 0, sampleIds: new Int32Array(1) };
      expect(compiled.runBlock([batch, { ...batch, x: batch.x.slice(), y: batch.y.slice() }, { ...batch, x: batch.x.slice(), y: batch.y.slice() }]).map(({ finite }) => finite)).toEqual([true, true, true]);
      const before = bytesOf(stateOf(compiled, true));
      // each micro-batch was finite, their sum is not
      expect(compiled.update({ ...STEP, divisor: 1 })).toMatchObject({ finite: false });
      expect(bytesOf(stateOf(compiled, true))).toEqual(before);
    });
  });

  test('batch statistics that overflow although nothing else does are seen', () => {
    const program = programOf([{ type: 'flatten' }, { type: 'batch_normalization' }, { type: 'dense', units: 2, activation: 'softmax' }], [1, 1, 2], 2, { ...SGD, batch_size: 2 });
    withProgram(program, (compiled) => {
      const batch: Batch = { x: new Float32Array([3e20, 1, -3e20, 2]), y: new Float32Array([1, 0, 0, 1]), samples: 2, epoch: 0, sampleIds: new Int32Array(2) };
      expect(compiled.runBlock([batch])[0]).toMatchObject({ finite: false });
      expect([...stateOf(compiled, false).keys()].some((name) => name.startsWith('statistics/'))).toBe(false);
    });
  });
});

describe('a sum that is not finite', () => {
  test.each([
    ['overflows although every element is finite', [3e38, 3e38], true],
    ['has an infinite element', [1, -Infinity], false],
    ['has a NaN', [NaN, 1], false],
  ])('says nothing before the elements were asked: it %s', (_, values, finite) => {
    inScope(() => {
      const x = tf.tensor1d(values);
      expect(isFiniteWithSum(x, tf.sum(x).dataSync()[0]!)).toBe(finite);
    });
  });
});

describe('batch statistics', () => {
  const program = programOf([{ type: 'batch_normalization', momentum: 0.75 }, { type: 'flatten' }, { type: 'dense', units: 2, activation: 'softmax' }], [3, 2, 2], 2, { ...SGD, batch_size: 4, accum_iters: 3 });
  const LAYER = 'batch_normalization_1';
  const batches = [4, 4, 2].map((samples, salt) => batchOf(program.plan, samples, salt));
  const all = channelStatistics(values([10 * 6, 2], batches.flatMap(({ x }) => [...x])));

  test('of a window are those of all its values together', () => {
    withProgram(program, (compiled) => {
      compiled.runBlock(batches);
      const state = stateOf(compiled, true);
      expect(dataOf(state, statisticName(LAYER, 'count'))).toEqual([60]);
      dataOf(state, statisticName(LAYER, 'mean')).forEach((mean, channel) => expect(mean).toBeCloseTo(all.mean[channel]!, 6));
      dataOf(state, statisticName(LAYER, 'm2')).forEach((m2, channel) => expect(m2).toBeCloseTo(all.m2[channel]!, 4));
    });
  });

  test('move the moving statistics once an update, as a population', () => {
    withProgram(program, (compiled) => {
      compiled.runBlock(batches);
      expect(dataOf(stateOf(compiled, true), `${LAYER}/moving_mean`)).toEqual([0, 0]);
      compiled.update({ ...STEP, divisor: 2.5 });
      const state = stateOf(compiled, false);
      dataOf(state, `${LAYER}/moving_mean`).forEach((mean, channel) => expect(mean).toBeCloseTo(0.25 * all.mean[channel]!, 6));
      dataOf(state, `${LAYER}/moving_variance`).forEach((variance, channel) => expect(variance).toBeCloseTo(0.75 + (0.25 * all.m2[channel]!) / 60, 6));
      expect([...state.keys()].some((name) => name.startsWith('statistics/'))).toBe(false);
    });
  });

  test('of a single micro-batch are copied, and a single value has no variance', () => {
    const single = programOf([{ type: 'flatten' }, { type: 'batch_normalization', momentum: 0 }, { type: 'dense', units: 2, activation: 'softmax' }], [1, 1, 2], 2, { ...SGD, batch_size: 1 });
    withProgram(single, (compiled) => {
      compiled.runBlock([batchOf(single.plan, 1)]);
      compiled.update({ ...STEP, divisor: 1 });
      const state = stateOf(compiled, false);
      expect(dataOf(state, `${LAYER}/moving_mean`)).toEqual([...batchOf(single.plan, 1).x]);
      expect(dataOf(state, `${LAYER}/moving_variance`)).toEqual([0, 0]);
    });
  });

  test('and accumulators leave nothing behind, whether they were applied or dropped', () => {
    withProgram(program, (compiled) => {
      const before = engine.liveTensors();
      compiled.runBlock(batches);
      expect(engine.liveTensors()).toBeGreaterThan(before);
      compiled.update({ ...STEP, divisor: 2.5 });
      expect(engine.liveTensors()).toBe(before);
      compiled.runBlock(batches);
      compiled.dropWindow();
      expect(engine.liveTensors()).toBe(before);
    });
  });

  test('are dropped with their window', () => {
    withProgram(program, (compiled) => {
      compiled.runBlock(batches.slice(0, 2));
      compiled.dropWindow();
      compiled.runBlock(batches.slice(2));
      expect(dataOf(stateOf(compiled, true), statisticName(LAYER, 'count'))).toEqual([12]);
    });
  });

  test('are neither gathered nor moved by a frozen layer', () => {
    const frozen = programOf([{ type: 'batch_normalization', trainable: false }, { type: 'flatten' }, { type: 'dense', units: 2, activation: 'softmax' }], [3, 2, 2], 2, { ...SGD, batch_size: 4 });
    withProgram(frozen, (compiled) => {
      const before = stateOf(compiled, false);
      compiled.runBlock(batches);
      expect([...stateOf(compiled, true).keys()].filter((name) => name.startsWith('statistics/'))).toEqual([]);
      compiled.update({ ...STEP, divisor: 2.5 });
      for (const name of ['moving_mean', 'moving_variance', 'gamma', 'beta']) expect(dataOf(stateOf(compiled, false), `${LAYER}/${name}`)).toEqual(dataOf(before, `${LAYER}/${name}`));
    });
  });

  test('and everything else stay as they are in an evaluation', () => {
    withProgram(program, (compiled) => {
      compiled.runBlock(batches);
      const before = bytesOf(stateOf(compiled, true));
      compiled.evaluate(batches[0]!);
      expect(bytesOf(stateOf(compiled, true))).toEqual(before);
    });
  });
});

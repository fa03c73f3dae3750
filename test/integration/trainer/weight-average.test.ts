// The moving average of the weights (ema): what it is after every update, to the bit, and that evaluations go by it.
import { afterEach, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { emaName } from '../../../lib/model/slots.js';
import type { CompiledProgram, Program } from '../../../worker/trainer/engines/index.js';
import { batchOf, COMPILERS, dataOf, expectNoTensors, programOf, stateOf, withProgram } from './support/engine.js';

afterEach(expectNoTensors);

type Training = NonNullable<JobSpecInput['training']>;
const LAYERS: JobSpecInput['model']['layers'] = [
  { type: 'conv2d', filters: 2, kernel_size: 2, trainable: false },
  { type: 'batch_normalization' },
  { type: 'flatten' },
  { type: 'dense', units: 3, activation: 'softmax', kernel_constraint: { type: 'max_norm', max_value: 0.9 } },
];
const MOMENTUM = 0.6;
const trainable = ['batch_normalization_1/gamma', 'batch_normalization_1/beta', 'dense_1/kernel', 'dense_1/bias'];

function update(compiled: CompiledProgram, { plan }: Program, number: number, poisoned = false): boolean {
  const batches = [batchOf(plan, 4, 2 * number), batchOf(plan, 4, 2 * number + 1)];
  if (poisoned) batches[1]!.x[3] = NaN;
  return compiled.runBlock(batches, { update: number, divisor: 2, learningRate: 0.1 }).finite;
}

describe.each(COMPILERS)('%s', (_, compile) => {
  test.each<[string, Training]>([
    ['adam', { optimizer: { type: 'adam' } }],
    ['adam with decay, clipped', { optimizer: { type: 'adamw', weight_decay: 0.1 }, clip_norm: 0.5 }],
    ['sgd', { optimizer: { type: 'sgd', momentum: 0.9 } }],
  ])('with %s is a copy at first, then follows', (_, training) => {
    const program = programOf(LAYERS, [4, 4, 1], 3, { batch_size: 4, accum_iters: 2, ema: { momentum: MOMENTUM }, ...training });
    withProgram(program, (compiled) => {
      const start = stateOf(compiled, false);
      expect([...start.keys()].filter((name) => name.startsWith('ema/'))).toEqual(trainable.map(emaName));
      for (const name of trainable) expect(dataOf(start, emaName(name)), name).toEqual(dataOf(start, name));
      let averages = new Map(trainable.map((name) => [name, dataOf(start, name)]));
      const [m, rest] = [Math.fround(MOMENTUM), Math.fround(1 - Math.fround(MOMENTUM))];
      for (let number = 0; number < 4; number++) {
        expect(update(compiled, program, number)).toBe(true);
        const state = stateOf(compiled, false);
        const follow = (name: string): number[] => dataOf(state, name).map((weight, at) => (number === 0 ? weight : Math.fround(Math.fround(averages.get(name)![at]! * m) + Math.fround(weight * rest))));
        averages = new Map(trainable.map((name) => [name, follow(name)]));
        for (const name of trainable) expect(dataOf(state, emaName(name)), `${name} after update ${number + 1}`).toEqual(averages.get(name));
        if (number > 0) expect(dataOf(state, emaName('dense_1/kernel'))).not.toEqual(dataOf(state, 'dense_1/kernel'));
      }
      // a window that is not finite leaves it alone
      expect(update(compiled, program, 4, true)).toBe(false);
      compiled.dropWindow();
      for (const name of trainable) expect(dataOf(stateOf(compiled, false), emaName(name)), name).toEqual(averages.get(name));
    }, compile);
  });

  test('is what an evaluation goes by, beside moving statistics and frozen weights', () => {
    const training: Training = { batch_size: 4, accum_iters: 2, optimizer: { type: 'sgd', lr: 1 } };
    const program = programOf(LAYERS, [4, 4, 1], 3, { ...training, ema: { momentum: MOMENTUM } });
    const plain = programOf(LAYERS, [4, 4, 1], 3, training);
    const { loss, weights, raw } = withProgram(program, (compiled) => {
      for (let number = 0; number < 3; number++) update(compiled, program, number);
      const state = stateOf(compiled, false);
      const names = program.plan.weights.map(({ name }) => name);
      return {
        loss: compiled.evaluate(batchOf(program.plan, 4, 9)).loss,
        weights: new Map(names.map((name) => [name, state.get(emaName(name)) ?? state.get(name)!])),
        raw: new Map(names.map((name) => [name, state.get(name)!])),
      };
    }, compile);
    withProgram(plain, (compiled) => {
      compiled.loadWeights(raw);
      expect(compiled.evaluate(batchOf(plain.plan, 4, 9)).loss).not.toBe(loss);
      compiled.loadWeights(weights);
      expect(compiled.evaluate(batchOf(plain.plan, 4, 9)).loss).toBe(loss);
    }, compile);
  });

  test('starts from weights that are given', () => {
    const program = programOf(LAYERS, [4, 4, 1], 3, { batch_size: 4, ema: {} });
    withProgram(program, (compiled) => {
      const given = stateOf(compiled, false).get('dense_1/kernel')!;
      const weights = new Map(program.plan.weights.map(({ name }) => [name, stateOf(compiled, false).get(name)!]));
      weights.set('dense_1/kernel', { ...given, data: given.data.map((value) => value + 1) });
      compiled.loadWeights(weights);
      expect(dataOf(stateOf(compiled, false), emaName('dense_1/kernel'))).toEqual([...weights.get('dense_1/kernel')!.data]);
    }, compile);
  });
});

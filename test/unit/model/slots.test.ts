import { describe, expect, it } from 'vitest';
import type { OptimizerSpec } from '../../../lib/contract/training.js';
import { checkpointBytes, estimateMemory } from '../../../lib/model/memory.js';
import type { ModelPlan } from '../../../lib/model/plan.js';
import { planModel } from '../../../lib/model/plan-model.js';
import { checkState, expectedState, expectedWeights, slotNames } from '../../../lib/model/slots.js';
import { layersOf } from './layers-of.js';

const common = { lr: 0.1, decay: 0, weight_decay: 0 };
const adam = (amsgrad = false): OptimizerSpec => ({ type: 'adam', ...common, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad });
const sgd = (momentum = 0): OptimizerSpec => ({ type: 'sgd', ...common, momentum, nesterov: false });

const planned = planModel(
  layersOf({ type: 'conv2d', filters: 2, kernel_size: 3, use_bias: false }, { type: 'batch_normalization' }, { type: 'batch_normalization', trainable: false }, { type: 'flatten' }, { type: 'dense', units: 3 }),
  [4, 4, 1],
);
if ('problems' in planned) throw new Error('a valid model');
const plan: ModelPlan = planned.plan;

describe('expectedState', () => {
  it('has slots of trainable weights only, by name', () => {
    const state = expectedState(plan, { optimizer: adam(true), ema: null }, false);
    expect([...state.keys()].filter((name) => name.startsWith('optimizer/'))).toEqual(
      ['m', 'v', 'vhat'].flatMap((slot) => ['conv2d_1/kernel', 'batch_normalization_1/gamma', 'batch_normalization_1/beta', 'dense_1/kernel', 'dense_1/bias'].map((name) => `optimizer/${name}/${slot}`)),
    );
    expect(state.get('optimizer/conv2d_1/kernel/m')).toEqual({ dtype: 'F32', shape: [3, 3, 1, 2], role: 'slots' });
  });

  it.each<[OptimizerSpec, string[]]>([
    [adam(), ['m', 'v']],
    [adam(true), ['m', 'v', 'vhat']],
    [sgd(), []],
    [sgd(0.9), ['momentum']],
    [{ ...adam(true), type: 'adamw' } as OptimizerSpec, ['m', 'v', 'vhat']],
    [{ type: 'lamb', ...common, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }, ['m', 'v']],
    [{ type: 'rmsprop', ...common, rho: 0.9, momentum: 0, epsilon: 1e-7 }, ['velocity']],
    [{ type: 'rmsprop', ...common, rho: 0.9, momentum: 0.5, epsilon: 1e-7 }, ['velocity', 'momentum']],
    [{ type: 'adagrad', ...common, initial_accumulator_value: 0.1, epsilon: 1e-7 }, ['accumulator']],
  ])('knows the slots of %j', (optimizer, slots) => {
    expect(slotNames(optimizer)).toEqual(slots);
  });

  it('holds accumulators and statistics exactly when a window is open', () => {
    const closed = expectedState(plan, { optimizer: adam(), ema: null }, false);
    const open = expectedState(plan, { optimizer: adam(), ema: null }, true);
    expect([...closed.values()].some(({ role }) => role === 'window')).toBe(false);
    const window = [...open].filter(([name]) => !closed.has(name));
    expect(Object.fromEntries(window.map(([name, { dtype, shape }]) => [name, [dtype, ...shape]]))).toEqual({
      'accumulator/conv2d_1/kernel': ['F32', 3, 3, 1, 2],
      'accumulator/batch_normalization_1/gamma': ['F32', 2],
      'accumulator/batch_normalization_1/beta': ['F32', 2],
      'accumulator/dense_1/kernel': ['F32', 8, 3],
      'accumulator/dense_1/bias': ['F32', 3],
      // the frozen one gathers none
      'statistics/batch_normalization_1/count': ['I32'],
      'statistics/batch_normalization_1/mean': ['F32', 2],
      'statistics/batch_normalization_1/m2': ['F32', 2],
    });
    expect(window.every(([, { role }]) => role === 'window')).toBe(true);
  });

  it('begins with every weight, trainable or not', () => {
    expect([...expectedWeights(plan).keys()]).toEqual(plan.weights.map(({ name }) => name));
    expect([...expectedState(plan, { optimizer: sgd(), ema: null }, false).keys()]).toEqual(plan.weights.map(({ name }) => name));
  });
});

describe('checkState', () => {
  const expected = expectedState(plan, { optimizer: adam(), ema: null }, true);
  const actual = () => new Map([...expected].map(([name, { dtype, shape }]) => [name, { dtype: dtype, shape: [...shape] }]));

  it('finds nothing wrong with a whole state', () => {
    expect(checkState(expected, actual())).toEqual([]);
  });

  it('names what is missing, extra, mis-shaped or wrongly typed, all at once', () => {
    const state = actual();
    state.delete('optimizer/dense_1/bias/v');
    state.set('dense_2/kernel', { dtype: 'F32', shape: [1] });
    state.set('dense_1/kernel', { dtype: 'F32', shape: [3, 8] });
    state.set('dense_1/bias', { dtype: 'F32', shape: [3, 1] });
    state.set('statistics/batch_normalization_1/count', { dtype: 'F32', shape: [] });
    expect(checkState(expected, state).map(({ param, message }) => `${param}: ${message.replace(/^the tensor "[^"]*" /, '')}`)).toEqual([
      'dense_1/kernel: has shape [3, 8], but has to have [8, 3]',
      'dense_1/bias: has shape [3, 1], but has to have [3]',
      'optimizer/dense_1/bias/v: (F32 [3]) is missing',
      'statistics/batch_normalization_1/count: is F32, but has to be I32',
      'dense_2/kernel: does not belong to this state',
    ]);
  });

  it('refuses a window where none is open, and its absence where one is', () => {
    const closed = expectedState(plan, { optimizer: adam(), ema: null }, false);
    expect(checkState(closed, actual())).toHaveLength(8);
    expect(checkState(expected, new Map([...actual()].filter(([name]) => closed.has(name))))).toHaveLength(8);
  });
});

describe('sizes', () => {
  const trainable = 18 + 2 + 2 + 24 + 3;
  const parameters = trainable + 4 + 8;

  it('of a checkpoint are those of its tensors with an open window', () => {
    expect(checkpointBytes(plan, { optimizer: adam(), ema: null })).toBe(4 * (parameters + 2 * trainable + trainable + 1 + 2 + 2));
    expect(checkpointBytes(plan, { optimizer: sgd(), ema: null })).toBe(4 * (parameters + trainable + 5));
  });

  it('of memory follow the formula: a large batch by its activations, a small one by the update', () => {
    const fixed = parameters + 2 * trainable + 2 * trainable;
    expect(estimateMemory(plan, 1000, { optimizer: adam(), ema: null })).toBe(4 * (fixed + Math.ceil(1.3 * 1000 * plan.activationFloatsPerSample)));
    const large = { ...plan, activationFloatsPerSample: 1 };
    expect(estimateMemory(large, 1, { optimizer: adam(), ema: null })).toBe(4 * (fixed + parameters + 2 * trainable));
  });
});

// Optimizers: the accumulating Adam against reference trajectories in float64, through the engine's own fold and update;
// sgd and weight decay against float32 arithmetic on the host, in bits.
import { readFileSync } from 'node:fs';
import tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, test } from 'vitest';
import type { OptimizerSpec } from '../../../lib/contract/training.js';
import { accumulatorName, initialSlotValue, slotName, slotNames } from '../../../lib/model/slots.js';
import { makeLearningRate } from '../../../lib/training/learning-rate.js';
import type { ModelPlan } from '../../../lib/model/plan.js';
import type { Program } from '../../../worker/trainer/engines/index.js';
import { inScope } from '../../../worker/trainer/engines/scope.js';
import { makeTensorStore, type TensorStore } from '../../../worker/trainer/engines/tensor-store.js';
import { updateWeights } from '../../../worker/trainer/engines/update.js';
import { stepNumbers } from '../../../worker/trainer/optimizers/index.js';
import { expectNoTensors, noise } from './support/engine.js';

afterEach(expectNoTensors);

type Tensors = Record<string, number[]>;
interface Fixture {
  accum_iters: number;
  optimizer: { lr: number; decay?: number; amsgrad?: boolean; beta_1?: number; beta_2?: number; epsilon?: number };
  shapes: Record<string, number[]>;
  initial: Tensors;
  gradients: Tensors[];
  weights_after: Tensors[];
  slots: Record<string, Tensors>;
}
const ADAM = { type: 'adam', decay: 0, weight_decay: 0, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: false } as const;

/** A state of bare weights, folded and updated by the engines' own pieces. */
function bareState(shapes: Record<string, number[]>, initial: Tensors, optimizer: OptimizerSpec, accumIters: number) {
  const names = Object.keys(shapes);
  const store = makeTensorStore();
  const plan = { layers: [], weights: names.map((name) => ({ name, shape: shapes[name]!, trainable: true })) } as unknown as ModelPlan;
  const program: Program = { plan, optimizer, loss: { type: 'categorical_crossentropy', label_smoothing: 0, from_logits: false }, reduction: 'batch', batchSize: 1, lossDenominator: 1, accumIters, topK: null, ema: null, clip: { value: null, norm: null }, lanes: { most: 1, measured: false }, sizes: { training: [1], evaluation: [] }, key: '' };
  for (const name of names) {
    store.put(name, tf.tensor(initial[name]!, shapes[name]));
    for (const slot of slotNames(optimizer)) store.put(slotName(name, slot), tf.fill(shapes[name]!, initialSlotValue(optimizer)));
  }
  let position = 0;
  let update = 0;
  return {
    store,
    microBatch(gradients: Tensors): void {
      inScope(() => {
        for (const name of names) {
          const gradient = tf.tensor(gradients[name]!, shapes[name]);
          store.put(accumulatorName(name), position > 0 ? tf.add(store.get(accumulatorName(name)), gradient) : gradient);
        }
        position += 1;
        if (position < accumIters) return;
        const learningRate = makeLearningRate({ optimizer: optimizer as never, lr_schedule: { type: 'constant', warmup_updates: 0 } }, 1000)(update);
        const numbers = Object.fromEntries(Object.entries(stepNumbers(optimizer, { update, learningRate })).map(([name, value]) => [name, tf.scalar(value)]));
        const next = updateWeights({ program, state: store.get, gradient: (name) => tf.div(store.get(accumulatorName(name)), position), numbers });
        for (const [name, tensor] of next) store.put(name, tensor);
        for (const name of names) store.delete(accumulatorName(name));
        position = 0;
        update += 1;
      });
    },
  };
}
const read = (store: TensorStore, name: string): number[] => [...store.get(name).dataSync()];
/** Largest deviation, relative to numbers larger than one. */
const deviation = (actual: number[], expected: number[]): number => Math.max(...expected.map((value, at) => Math.abs(actual[at]! - value) / Math.max(1, Math.abs(value))));

describe.each(['no-accumulation', 'seed-example', 'amsgrad-decay'])('adam on the reference trajectory %s', (name) => {
  const fixture = JSON.parse(readFileSync(new URL(`../../fixtures/adam/${name}.json`, import.meta.url), 'utf8')) as Fixture;
  test('follows it within 1e-6 after every micro-batch, and in its slots', () => {
    const { store, microBatch } = bareState(fixture.shapes, fixture.initial, { ...ADAM, ...fixture.optimizer }, fixture.accum_iters);
    try {
      fixture.gradients.forEach((gradients, index) => {
        microBatch(gradients);
        for (const [weight, expected] of Object.entries(fixture.weights_after[index]!)) expect(deviation(read(store, weight), expected), `${weight} after micro-batch ${index + 1}`).toBeLessThan(1e-6);
      });
      for (const slot of ['m', 'v']) {
        for (const [weight, expected] of Object.entries(fixture.slots[slot]!)) expect(deviation(read(store, slotName(weight, slot)), expected.flat()), `${slot} of ${weight}`).toBeLessThan(1e-6);
      }
      for (const [weight, expected] of Object.entries(fixture.slots['accumulator']!)) {
        const accumulated = store.has(accumulatorName(weight)) ? read(store, accumulatorName(weight)) : expected.map(() => 0);
        expect(deviation(accumulated, expected.flat()), `accumulator of ${weight}`).toBeLessThan(1e-6);
      }
    } finally {
      store.close();
    }
  });
});

describe('amsgrad', () => {
  test('never lets the second moment shrink', () => {
    const { store, microBatch } = bareState({ w: [2] }, { w: [1, 1] }, { ...ADAM, lr: 0.1, amsgrad: true }, 1);
    microBatch({ w: [4, 0.5] });
    const peak = read(store, slotName('w', 'vhat'));
    for (let index = 0; index < 5; index++) microBatch({ w: [0.1, 0.5] });
    expect(read(store, slotName('w', 'vhat'))[0]).toBe(peak[0]);
    expect(read(store, slotName('w', 'v'))[0]).toBeLessThan(peak[0]!);
    expect(read(store, slotName('w', 'vhat'))[1]).toBeGreaterThan(peak[1]!);
    store.close();
  });
});

describe('sgd', () => {
  const f = Math.fround;
  // many, because two ways of rounding agree more often than not
  const W = [...noise(64, 0)];
  const G = [1, 2, 3].map((salt) => [...noise(64, salt)]);
  const run = (optimizer: Extract<OptimizerSpec, { type: 'sgd' }>): number[] => {
    const { store, microBatch } = bareState({ w: [64] }, { w: W }, optimizer, 1);
    for (const w of G) microBatch({ w });
    const end = read(store, 'w');
    store.close();
    return end;
  };
  const SGD = { type: 'sgd', lr: 0.1, decay: 0, weight_decay: 0, momentum: 0, nesterov: false } as const;
  /** Keras: v = µ·v − lr·g; w + v, or w + (µ·v − lr·g) with nesterov; every operation rounded. */
  const byHand = ({ lr, decay, momentum, nesterov, weight_decay }: typeof SGD | { lr: number; decay: number; momentum: number; nesterov: boolean; weight_decay: number }): number[] =>
    W.map((start, at) => {
      let w = f(start);
      let v = 0;
      G.forEach((gradients, update) => {
        const rate = lr / (1 + decay * update);
        const move = f(f(gradients[at]!) * f(rate));
        w = weight_decay === 0 ? w : f(w - f(w * f(rate * weight_decay)));
        if (momentum === 0) {
          w = f(w - move);
          return;
        }
        v = f(f(v * f(momentum)) - move);
        w = f(w + (nesterov ? f(f(v * f(momentum)) - move) : v));
      });
      return w;
    });

  test.each([
    ['plain', SGD],
    ['with decay', { ...SGD, decay: 0.5 }],
    ['with momentum', { ...SGD, momentum: 0.9 }],
    ['with nesterov momentum', { ...SGD, momentum: 0.9, nesterov: true }],
    ['with weight decay', { ...SGD, weight_decay: 0.05 }],
    ['with weight decay and momentum', { ...SGD, momentum: 0.9, weight_decay: 0.05, decay: 0.5 }],
  ])('%s is Keras\'s, in bits', (_, optimizer) => expect(run(optimizer)).toEqual(byHand(optimizer)));
});

/** By the formulas, in float64. */
describe('the other optimizers', () => {
  const W = [...noise(24, 0)];
  const G = [1, 2, 3, 4].map((salt) => [...noise(24, salt)]);
  const common = { lr: 0.05, decay: 0.1, weight_decay: 0 };
  const rateAt = (update: number): number => common.lr / (1 + common.decay * update);
  const run = (optimizer: OptimizerSpec, weights = W, gradients = G): number[] => {
    const { store, microBatch } = bareState({ w: [weights.length] }, { w: weights }, optimizer, 1);
    for (const w of gradients) microBatch({ w });
    const end = read(store, 'w');
    store.close();
    return end;
  };
  const expectClose = (actual: number[], expected: number[]): void => expect(deviation(actual, expected)).toBeLessThan(2e-6);

  test.each([0, 0.8])('rmsprop with momentum %d', (momentum) => {
    const expected = W.map((start, at) => {
      let [w, v, m] = [start, 0, 0];
      G.forEach((gradients, update) => {
        const g = gradients[at]!;
        v = 0.9 * v + 0.1 * g * g;
        m = momentum * m + (rateAt(update) * g) / Math.sqrt(v + 1e-3);
        w -= m;
      });
      return w;
    });
    expectClose(run({ type: 'rmsprop', ...common, rho: 0.9, momentum, epsilon: 1e-3 }), expected);
  });

  test('adagrad, from its first value on', () => {
    const expected = W.map((start, at) => {
      let [w, a] = [start, 0.3];
      G.forEach((gradients, update) => {
        a += gradients[at]! ** 2;
        w -= (rateAt(update) * gradients[at]!) / Math.sqrt(a + 1e-7);
      });
      return w;
    });
    expectClose(run({ type: 'adagrad', ...common, initial_accumulator_value: 0.3, epsilon: 1e-7 }), expected);
  });

  test('adamw is adam after the decay of the weight', () => {
    const optimizer = { ...ADAM, ...common, weight_decay: 0.02 };
    expect(run({ ...optimizer, type: 'adamw' })).toEqual(run(optimizer));
  });

  const norm = (values: number[]): number => Math.hypot(...values);
  const lambByHand = (start: number[], gradients: number[][], weightDecay: number): number[] => {
    let w = start;
    let [m, v] = [start.map(() => 0), start.map(() => 0)];
    gradients.forEach((g, update) => {
      const t = update + 1;
      m = m.map((value, at) => 0.9 * value + 0.1 * g[at]!);
      v = v.map((value, at) => 0.999 * value + 0.001 * g[at]! ** 2);
      const step = w.map((value, at) => m[at]! / (1 - 0.9 ** t) / (Math.sqrt(v[at]! / (1 - 0.999 ** t)) + 1e-6) + weightDecay * value);
      const ratio = norm(w) > 0 && norm(step) > 0 ? norm(w) / norm(step) : 1;
      w = w.map((value, at) => value - rateAt(update) * ratio * step[at]!);
    });
    return w;
  };

  test.each([0, 0.05])('lamb with weight decay %d', (weight_decay) => {
    expectClose(run({ type: 'lamb', ...common, weight_decay, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-6 }), lambByHand(W, G, weight_decay));
  });

  test('lamb takes the plain step where the weight, or the step, is zero', () => {
    const optimizer = { type: 'lamb', ...common, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-6 } as const;
    const zeros = W.map(() => 0);
    expectClose(run(optimizer, zeros), lambByHand(zeros, G, 0));
    expect(run(optimizer, W, [zeros, zeros])).toEqual(W.map(Math.fround));
  });
});

// Forward and gradient of every layer, activation and loss, through the whole engine, against a naive float64
// implementation and its central differences.
import { afterEach, describe, expect, test } from 'vitest';
import { ACTIVATIONS } from '../../../lib/contract/layers.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { accumulatorName } from '../../../lib/model/slots.js';
import type { Batch } from '../../../worker/trainer/engines/index.js';
import { numericGradients, values, type Values } from '../../unit/trainer/support/naive.js';
import { batchOf, COMPILERS, dataOf, expectNoTensors, noise, programOf, stateOf, withProgram } from './support/engine.js';
import { naiveLosses } from './support/naive-network.js';

afterEach(expectNoTensors);

type Layers = JobSpecInput['model']['layers'];
type Training = NonNullable<JobSpecInput['training']>;

interface Case {
  layers: Layers;
  input?: [number, number, number];
  classes?: number;
  training?: Training;
  labels?: 'one_hot' | 'soft';
}

const CLASSES = 3;
const head: Layers = [{ type: 'flatten' }, { type: 'dense', units: CLASSES, activation: 'softmax' }];
/** A layer between a convolution and a dense layer: its gradient has to pass through it. */
const within = (...layers: Layers): Layers => [{ type: 'conv2d', filters: 2, kernel_size: 2, padding: 'same' }, ...layers, ...head];

const binaryHead = (units: number, activation: 'sigmoid' | null): Layers => [{ type: 'flatten' }, { type: 'dense', units: 4, activation: 'tanh' }, { type: 'dense', units, activation }];

const CASES: Record<string, Case> = {
  'conv2d valid': { layers: [{ type: 'conv2d', filters: 2, kernel_size: [3, 2] }, ...head] },
  'conv2d same, strides': { layers: [{ type: 'conv2d', filters: 2, kernel_size: 3, strides: [2, 1], padding: 'same' }, ...head] },
  'conv2d after conv2d': { layers: within({ type: 'conv2d', filters: 3, kernel_size: 3, strides: 2, padding: 'same', use_bias: false }) },
  'conv2d dilated valid': { layers: within({ type: 'conv2d', filters: 2, kernel_size: 2, dilation_rate: [2, 3] }) },
  'conv2d dilated same': { layers: within({ type: 'conv2d', filters: 2, kernel_size: 3, dilation_rate: 2, padding: 'same' }) },
  'conv2d dilated same, even kernel': { layers: within({ type: 'conv2d', filters: 2, kernel_size: [2, 4], dilation_rate: [3, 1], padding: 'same' }) },
  'depthwise_conv2d valid, stride 2': { layers: within({ type: 'depthwise_conv2d', kernel_size: [3, 2], strides: 2, activation: 'tanh' }) },
  'depthwise_conv2d same, strides, multiplier': { layers: within({ type: 'depthwise_conv2d', kernel_size: 3, strides: 2, padding: 'same', depth_multiplier: 3 }) },
  'depthwise_conv2d on the data': { layers: [{ type: 'depthwise_conv2d', kernel_size: 3, padding: 'same', depth_multiplier: 2, use_bias: false }, ...head] },
  'depthwise_conv2d of one channel': { layers: [{ type: 'conv2d', filters: 1, kernel_size: 2 }, { type: 'depthwise_conv2d', kernel_size: 2, depth_multiplier: 2 }, ...head] },
  'depthwise_conv2d dilated valid': { layers: within({ type: 'depthwise_conv2d', kernel_size: 2, dilation_rate: [2, 3], depth_multiplier: 2 }) },
  'depthwise_conv2d dilated same, even kernel': { layers: within({ type: 'depthwise_conv2d', kernel_size: [2, 4], dilation_rate: [3, 1], padding: 'same' }) },
  'separable_conv2d valid': { layers: within({ type: 'separable_conv2d', filters: 3, kernel_size: [3, 2], activation: 'sigmoid' }) },
  'separable_conv2d same, strides, multiplier': { layers: within({ type: 'separable_conv2d', filters: 3, kernel_size: 3, strides: 2, padding: 'same', depth_multiplier: 2, use_bias: false }) },
  'separable_conv2d dilated same': { layers: within({ type: 'separable_conv2d', filters: 2, kernel_size: 3, dilation_rate: 2, padding: 'same' }) },
  'max_pooling2d': { layers: within({ type: 'max_pooling2d' }) },
  'max_pooling2d same, overlapping': { layers: within({ type: 'max_pooling2d', pool_size: 3, strides: 2, padding: 'same' }) },
  'average_pooling2d': { layers: within({ type: 'average_pooling2d' }) },
  'average_pooling2d same, overlapping': { layers: within({ type: 'average_pooling2d', pool_size: 3, strides: 2, padding: 'same' }) },
  'global_average_pooling2d': { layers: [{ type: 'conv2d', filters: 4, kernel_size: 2 }, { type: 'global_average_pooling2d' }, { type: 'dense', units: CLASSES, activation: 'softmax' }] },
  'global_max_pooling2d': { layers: [{ type: 'conv2d', filters: 4, kernel_size: 2 }, { type: 'global_max_pooling2d' }, { type: 'dense', units: CLASSES, activation: 'softmax' }] },
  'dense on dense': { layers: [{ type: 'flatten' }, { type: 'dense', units: 5, use_bias: false }, { type: 'dense', units: CLASSES, activation: 'softmax' }] },
  'batch_normalization on images': { layers: within({ type: 'batch_normalization' }) },
  'batch_normalization on features': { layers: [{ type: 'flatten' }, { type: 'dense', units: 4 }, { type: 'batch_normalization', epsilon: 0.1 }, { type: 'dense', units: CLASSES, activation: 'softmax' }] },
  'batch_normalization without scale': { layers: within({ type: 'batch_normalization', scale: false }) },
  'batch_normalization without center': { layers: within({ type: 'batch_normalization', center: false }) },
  'batch_normalization frozen': { layers: within({ type: 'batch_normalization', trainable: false }) },
  'layer_normalization on images': { layers: [{ type: 'conv2d', filters: 3, kernel_size: 2 }, { type: 'layer_normalization' }, ...head] },
  'layer_normalization on features, without scale': { layers: [{ type: 'flatten' }, { type: 'dense', units: 4 }, { type: 'layer_normalization', scale: false, epsilon: 0.1 }, { type: 'dense', units: CLASSES, activation: 'softmax' }] },
  'group_normalization': { layers: [{ type: 'conv2d', filters: 4, kernel_size: 2 }, { type: 'group_normalization', groups: 2 }, ...head] },
  'group_normalization, one group, without center': { layers: [{ type: 'conv2d', filters: 3, kernel_size: 2 }, { type: 'group_normalization', groups: 1, center: false }, ...head] },
  'group_normalization on features': { layers: [{ type: 'flatten' }, { type: 'dense', units: 6 }, { type: 'group_normalization', groups: 3 }, { type: 'dense', units: CLASSES, activation: 'softmax' }] },
  'spatial_dropout2d': { layers: within({ type: 'spatial_dropout2d', rate: 0.4 }) },
  'dropout': { layers: within({ type: 'dropout', rate: 0.4 }) },
  'a frozen layer below trainable ones': { layers: [{ type: 'conv2d', filters: 2, kernel_size: 2, trainable: false }, ...head] },
  'a frozen layer above trainable ones': { layers: within({ type: 'conv2d', filters: 2, kernel_size: 2, trainable: false }) },
  'softmax as a layer of its own': { layers: [{ type: 'flatten' }, { type: 'dense', units: CLASSES }, { type: 'activation', activation: 'softmax' }] },
  'logits': { layers: [{ type: 'flatten' }, { type: 'dense', units: CLASSES }], training: { loss: { type: 'categorical_crossentropy', from_logits: true } } },
  'probabilities that are no softmax': { layers: [{ type: 'flatten' }, { type: 'dense', units: CLASSES, activation: 'sigmoid' }] },
  'sparse loss with label smoothing': { layers: head, training: { loss: { type: 'sparse_categorical_crossentropy', label_smoothing: 0.2 } } },
  'soft labels': { layers: head, labels: 'soft' },
  'binary crossentropy of a sigmoid': { layers: binaryHead(1, 'sigmoid'), classes: 2, training: { loss: 'binary_crossentropy' } },
  'binary crossentropy of a single logit, smoothed': { layers: binaryHead(1, null), classes: 2, training: { loss: { type: 'binary_crossentropy', from_logits: true, label_smoothing: 0.2 } } },
  'binary crossentropy of three sigmoids': { layers: binaryHead(3, 'sigmoid'), training: { loss: 'binary_crossentropy' } },
  'binary crossentropy of a softmax': { layers: head, training: { loss: 'binary_crossentropy' }, labels: 'soft' },
  'binary crossentropy, reduction batch, ragged': { layers: binaryHead(1, 'sigmoid'), classes: 2, training: { loss: 'binary_crossentropy', reduction: 'batch', batch_size: 7 }, labels: 'soft' },
  'mean squared error of a softmax': { layers: head, training: { loss: 'mean_squared_error' } },
  'mean squared error of a single value': { layers: binaryHead(1, null), classes: 2, training: { loss: 'mean_squared_error' }, labels: 'soft' },
  'mean squared error of a sigmoid': { layers: binaryHead(3, 'sigmoid'), training: { loss: 'mean_squared_error' } },
  'residual': { layers: within({ type: 'residual', layers: [{ type: 'conv2d', filters: 2, kernel_size: 3, padding: 'same', activation: 'relu' }] }) },
  'residual with a shortcut': { layers: within({ type: 'residual', layers: [{ type: 'conv2d', filters: 3, kernel_size: 2, strides: 2, padding: 'same' }, { type: 'batch_normalization' }], shortcut: { layers: [{ type: 'conv2d', filters: 3, kernel_size: 1, strides: 2 }] } }) },
  'residuals in residuals': { layers: within({ type: 'residual', layers: [{ type: 'residual', layers: [{ type: 'activation', activation: 'tanh' }, { type: 'dropout', rate: 0.3 }] }, { type: 'conv2d', filters: 2, kernel_size: 1 }], shortcut: { layers: [{ type: 'residual', layers: [{ type: 'batch_normalization' }] }] } }) },
  'residual, frozen': { layers: within({ type: 'residual', trainable: false, layers: [{ type: 'conv2d', filters: 2, kernel_size: 1 }, { type: 'batch_normalization' }] }) },
  'residual on features': { layers: [{ type: 'flatten' }, { type: 'dense', units: 4 }, { type: 'residual', layers: [{ type: 'dense', units: 4, activation: 'gelu' }] }, { type: 'dense', units: CLASSES, activation: 'softmax' }] },
  'reduction batch': { layers: head, training: { reduction: 'batch' } },
  'a ragged micro-batch, reduction sample': { layers: head, training: { batch_size: 7 } },
  'a ragged micro-batch, reduction batch': { layers: head, training: { batch_size: 7, reduction: 'batch' } },
};
for (const activation of ACTIVATIONS) {
  CASES[`activation ${activation}`] = { layers: within({ type: 'activation', activation }) };
  if (activation !== 'softmax') CASES[`dense with ${activation}`] = { layers: [{ type: 'flatten' }, { type: 'dense', units: 4, activation }, { type: 'dense', units: CLASSES, activation: 'softmax' }] };
}

const SAMPLES = 4;

describe.each(Object.entries(CASES))('%s', (_, { layers, input = [5, 4, 2], classes = CLASSES, training = {}, labels }) => {
  const program = programOf(layers, input, classes, { batch_size: SAMPLES, seed: 11, ...training }, (training.batch_size ?? SAMPLES) === SAMPLES ? [] : [SAMPLES]);
  const batch = (): Batch => batchOf(program.plan, SAMPLES, 1, labels);
  // biases, gammas and moving statistics too: nothing may hide behind a start value of 0 or 1
  const weights = new Map(program.plan.weights.map(({ name, shape }, index) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const positive = name.endsWith('moving_variance') || name.endsWith('gamma');
    return [name, { dtype: 'F32' as const, shape, data: noise(size, index + 2).map((value) => (positive ? 1 + value / 2 : value)) }];
  }));
  const naive = (): Map<string, Values> => new Map([...weights].map(([name, { shape, data }]) => [name, values(shape, data)]));
  const trainable = program.plan.weights.filter((weight) => weight.trainable).map(({ name }) => name);
  const naiveGradients = (): Float64Array[] => {
    const inputs = naive();
    const denominator = program.reduction === 'sample' ? program.batchSize : SAMPLES;
    const objective = (): number => naiveLosses({ ...program, training: true }, inputs, batch()).reduce((sum, loss) => sum + loss, 0) / denominator;
    return numericGradients(objective, trainable.map((name) => inputs.get(name)!));
  };

  test.each(COMPILERS)('%s: its loss is the naive one, in training and in inference, and its gradient the numeric one', (_, compile) => {
    const { state, rows } = withProgram(program, (compiled) => {
      compiled.loadWeights(weights);
      const inference = compiled.evaluate(batch());
      const { rows, finite } = compiled.runBlock([batch()], null);
      expect(finite).toBe(true);
      return { state: stateOf(compiled, true), rows: { inference, training: rows[0]! } };
    }, compile);
    for (const mode of ['training', 'inference'] as const) {
      const sum = naiveLosses({ ...program, training: mode === 'training' }, naive(), batch()).reduce((total, loss) => total + loss, 0);
      expect(rows[mode].loss, mode).toBeCloseTo(mode === 'inference' || program.reduction === 'sample' ? sum : sum / SAMPLES, 4);
      expect(rows[mode].samples).toBe(SAMPLES);
    }
    const gradients = naiveGradients();
    for (const [index, name] of trainable.entries()) {
      const actual = dataOf(state, accumulatorName(name));
      const worst = actual.reduce((most, value, at) => Math.max(most, Math.abs(value - gradients[index]![at]!)), 0);
      expect(worst, name).toBeLessThan(2e-5);
      // a bias right before a batch normalization has none
      if (!name.endsWith('bias')) expect(actual.some((value) => Math.abs(value) > 1e-4), `${name} has a gradient at all`).toBe(true);
    }
    expect([...state.keys()].filter((name) => name.startsWith('accumulator/'))).toEqual(trainable.map(accumulatorName));
  });
});

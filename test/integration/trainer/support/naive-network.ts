// A whole network's loss by the naive float64 layers: what the engine's gradients are compared with.
import type { Activation } from '../../../../lib/contract/layers.js';
import type { LossSpec } from '../../../../lib/contract/training.js';
import type { LayerPlan, ModelPlan } from '../../../../lib/model/plan.js';
import type { Batch } from '../../../../worker/trainer/engines/index.js';
import { addBias, averagePool, batchNorm, conv2d, crossEntropy, depthwiseConv2d, globalPool, map, matMul, maxPool, normalise, normaliseGroups, scale, softmax, values, type Values } from '../../../unit/trainer/support/naive.js';

/** erf by its Taylor series: exact to 1e-15 for the small arguments of a test. */
function erf(x: number): number {
  let sum = 0;
  let term = x;
  for (let n = 0; Math.abs(term) > 1e-18; n++, term *= -(x * x) / n) sum += term / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const SELU = { alpha: 1.6732632423543772, scale: 1.0507009873554805 };
const ELEMENTWISE: Record<Exclude<Activation, 'softmax'>, (x: number) => number> = {
  relu: (x) => Math.max(0, x),
  leaky_relu: (x) => (x > 0 ? x : 0.2 * x),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  selu: (x) => SELU.scale * (x > 0 ? x : SELU.alpha * Math.expm1(x)),
  gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  silu: (x) => x / (1 + Math.exp(-x)),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  hard_sigmoid: (x) => Math.min(Math.max(x + 3, 0), 6) / 6,
  tanh: (x) => Math.tanh(x),
  softplus: (x) => Math.log1p(Math.exp(x)),
  linear: (x) => x,
};
export const activate = (x: Values, activation: Activation | null): Values => (activation === 'softmax' ? softmax(x) : map(x, ELEMENTWISE[activation ?? 'linear']));

export interface NaiveOptions {
  plan: ModelPlan;
  loss: LossSpec;
  training: boolean;
}

interface NaivePass {
  training: boolean;
  weights: ReadonlyMap<string, Values>;
  batch: Batch;
}
function forward(layers: readonly LayerPlan[], input: Values, pass: NaivePass): Values {
  const { training, weights, batch } = pass;
  let x = input;
  for (const layer of layers) {
    const { spec, name } = layer;
    const weight = (key: string): Values => weights.get(`${name}/${key}`)!;
    const biased = (y: Values, use: boolean): Values => (use ? addBias(y, weight('bias')) : y);
    switch (spec.type) {
      case 'conv2d':
        x = activate(biased(conv2d(x, weight('kernel'), { strides: spec.strides, padding: spec.padding, dilation: spec.dilation_rate }), spec.use_bias), spec.activation);
        break;
      case 'depthwise_conv2d':
        x = activate(biased(depthwiseConv2d(x, weight('kernel'), { strides: spec.strides, padding: spec.padding, dilation: spec.dilation_rate }), spec.use_bias), spec.activation);
        break;
      case 'separable_conv2d':
        x = depthwiseConv2d(x, weight('depthwise_kernel'), { strides: spec.strides, padding: spec.padding, dilation: spec.dilation_rate });
        x = activate(biased(conv2d(x, weight('pointwise_kernel'), { strides: [1, 1], padding: 'valid' }), spec.use_bias), spec.activation);
        break;
      case 'residual': {
        const { body, shortcut } = layer.branches!;
        const added = forward(shortcut, x, pass);
        x = map(forward(body, x, pass), (value, index) => value + added.data[index]!);
        break;
      }
      case 'max_pooling2d':
        x = maxPool(x, spec.pool_size, { strides: spec.strides ?? spec.pool_size, padding: spec.padding });
        break;
      case 'average_pooling2d':
        x = averagePool(x, spec.pool_size, { strides: spec.strides ?? spec.pool_size, padding: spec.padding });
        break;
      case 'global_average_pooling2d':
        x = globalPool(x, (pixels) => pixels.reduce((sum, value) => sum + value, 0) / pixels.length);
        break;
      case 'global_max_pooling2d':
        x = globalPool(x, (pixels) => Math.max(...pixels));
        break;
      case 'flatten':
        x = { shape: [batch.samples, ...layer.outputShape], data: x.data };
        break;
      case 'dense':
        x = activate(biased(matMul(x, weight('kernel')), spec.use_bias), spec.activation);
        break;
      case 'activation':
        x = activate(x, spec.activation);
        break;
      case 'dropout': {
        if (!training) break;
        const mask = batch.masks.get(name)!;
        x = map(x, (value, index) => value * mask[index]!);
        break;
      }
      case 'spatial_dropout2d': {
        if (!training) break;
        const mask = batch.masks.get(name)!;
        const channels = x.shape.at(-1)!;
        const perSample = x.data.length / batch.samples;
        x = map(x, (value, index) => value * mask[Math.floor(index / perSample) * channels + (index % channels)]!);
        break;
      }
      case 'layer_normalization':
      case 'group_normalization': {
        const channels = layer.inputShape.at(-1)!;
        const perSample = x.data.length / batch.samples;
        const groups = spec.type === 'group_normalization' ? spec.groups : perSample / channels;
        const groupOf = (element: number): number => (spec.type === 'group_normalization' ? Math.floor(((element % channels) * groups) / channels) : Math.floor(element / channels));
        const y = normaliseGroups(x, groups, groupOf, spec.epsilon);
        const scaled = spec.scale ? scale(y, weight('gamma')) : y;
        x = spec.center ? addBias(scaled, weight('beta')) : scaled;
        break;
      }
      case 'batch_normalization': {
        const channels = layer.inputShape.at(-1)!;
        const gamma = spec.scale ? weight('gamma') : values([channels], new Float64Array(channels).fill(1));
        const beta = spec.center ? weight('beta') : values([channels], new Float64Array(channels));
        x = training && spec.trainable ? batchNorm(x, gamma, beta, spec.epsilon) : normalise(x, weight('moving_mean').data, weight('moving_variance').data, gamma, beta, spec.epsilon);
        break;
      }
    }
  }
  return x;
}

/** ℓ of every sample. The last tensor goes through softmax or sigmoid if the loss is of logits. */
export function naiveLosses({ plan, loss, training }: NaiveOptions, weights: ReadonlyMap<string, Values>, batch: Batch): Float64Array {
  const x = forward(plan.layers, values([batch.samples, ...plan.inputShape], batch.x), { training, weights, batch });
  const width = plan.outputShape[0]!;
  const targets = (classes: number): Values => values([batch.samples, width], Float64Array.from(batch.y, (label) => label * (1 - loss.label_smoothing) + loss.label_smoothing / classes));
  const last = plan.layers.at(-1)!;
  const endsIn = (activation: Activation): boolean => 'activation' in last.spec && last.spec.activation === activation;
  switch (loss.type) {
    case 'categorical_crossentropy':
    case 'sparse_categorical_crossentropy':
      return crossEntropy(endsIn('softmax') ? x : loss.from_logits ? softmax(x) : clipped(x), targets(width)).data;
    case 'binary_crossentropy': {
      const p = endsIn('sigmoid') ? x : loss.from_logits ? activate(x, 'sigmoid') : map(x, (value) => Math.min(Math.max(value, 1e-7), 1 - 1e-7));
      return meanOfRows(map(targets(2), (target, index) => -target * Math.log(p.data[index]!) - (1 - target) * Math.log(1 - p.data[index]!)));
    }
    case 'mean_squared_error':
      return meanOfRows(map(x, (value, index) => (value - batch.y[index]!) ** 2));
  }
}

function meanOfRows({ shape: [rows, width], data }: Values): Float64Array {
  return Float64Array.from({ length: rows! }, (_, row) => data.subarray(row * width!, (row + 1) * width!).reduce((sum, value) => sum + value, 0) / width!);
}

/** Keras on probabilities: rows sum to one, and none is closer to 0 or 1 than 1e-7. */
function clipped(x: Values): Values {
  const K = x.shape.at(-1)!;
  return map(x, (value, index) => {
    const start = index - (index % K);
    const sum = x.data.subarray(start, start + K).reduce((total, other) => total + other, 0);
    return Math.min(Math.max(value / sum, 1e-7), 1 - 1e-7);
  });
}

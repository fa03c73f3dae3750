// Five small trainings that between them hold everything whose resumption could go wrong. About seven micro-batches an
// epoch, the last one ragged; windows of three, so that a window crosses the epochs' end (A) or is flushed there (B).
import type { JobSpecInput } from '../../../lib/contract/spec.js';

/** amsgrad, dropout, batch normalization, shuffle, validation, a window carried across epochs. */
export const SPEC_A: JobSpecInput = {
  name: 'resume-a',
  data: { type: 'builtin', name: 'synthetic', samples: 60, shape: [8, 8, 1], classes: 4, seed: 3, validation: { split: 0.3 } },
  model: {
    layers: [
      { type: 'conv2d', filters: 4, kernel_size: 3, padding: 'same', use_bias: false },
      { type: 'batch_normalization', momentum: 0.9 },
      { type: 'activation', activation: 'relu' },
      { type: 'dropout', rate: 0.25 },
      { type: 'max_pooling2d' },
      { type: 'flatten' },
      { type: 'dense', units: 8, activation: 'tanh' },
      { type: 'batch_normalization' },
      { type: 'dropout', rate: 0.5 },
      { type: 'dense', units: 4, activation: 'softmax' },
    ],
  },
  training: { batch_size: 6, accum_iters: 3, epochs: 2, tail: 'carry', seed: 7, optimizer: { type: 'adam', lr: 0.01, decay: 1e-2, amsgrad: true } },
  // every fourth micro-batch of windows of three: windows are cut into blocks of every length
  checkpoint: { every_micro_batches: 4 },
};

/**
 * Nesterov momentum with weight decay under a schedule with warm-up, a regularizer, a constraint, a clipped gradient; convolutions
 * with strides and dilation, depthwise and separable ones, the other pools, norms and dropout; file order, windows flushed at an
 * epoch's end.
 */
export const SPEC_B: JobSpecInput = {
  name: 'resume-b',
  data: { type: 'builtin', name: 'synthetic', samples: 45, shape: [10, 10, 2], classes: 3, seed: 5 },
  model: {
    layers: [
      { type: 'conv2d', filters: 3, kernel_size: 3, strides: 2, activation: 'elu', kernel_initializer: 'he_normal', kernel_regularizer: { l1: 1e-3, l2: 1e-2 } },
      { type: 'group_normalization', groups: 3 },
      { type: 'spatial_dropout2d', rate: 0.2 },
      { type: 'conv2d', filters: 3, kernel_size: 3, padding: 'same', dilation_rate: 2 },
      { type: 'depthwise_conv2d', kernel_size: 2, padding: 'same', depth_multiplier: 2, use_bias: false },
      { type: 'batch_normalization', scale: false },
      { type: 'separable_conv2d', filters: 3, kernel_size: 3, padding: 'same', depthwise_constraint: { type: 'unit_norm', axis: [0, 1] } },
      { type: 'average_pooling2d', pool_size: 2, strides: 1 },
      { type: 'layer_normalization' },
      { type: 'max_pooling2d', padding: 'same' },
      { type: 'flatten' },
      { type: 'dropout', rate: 0.3 },
      { type: 'dense', units: 3, kernel_constraint: { type: 'max_norm', max_value: 1, axis: 0 } },
    ],
  },
  training: {
    batch_size: 7, accum_iters: 3, epochs: 2, tail: 'flush', shuffle: false, seed: 0,
    optimizer: { type: 'sgd', lr: 0.05, momentum: 0.9, nesterov: true, weight_decay: 0.01 },
    lr_schedule: { type: 'cosine', warmup_updates: 1 },
    clip_norm: 1,
    metrics: ['accuracy', { type: 'top_k_accuracy', k: 2 }],
    loss: { type: 'sparse_categorical_crossentropy', label_smoothing: 0.1, from_logits: true },
  },
  checkpoint: { every_micro_batches: 2 },
};

/**
 * Two classes by a single output, residuals with normalization and dropout inside, a moving average of the weights, validation by
 * it, the best epoch's weights at the end, windows that are dropped at an epoch's end.
 */
export const SPEC_C: JobSpecInput = {
  name: 'resume-c',
  data: { type: 'builtin', name: 'synthetic', samples: 58, shape: [6, 6, 2], classes: 2, seed: 9, validation: { split: 0.2 } },
  model: {
    layers: [
      { type: 'conv2d', filters: 4, kernel_size: 3, padding: 'same' },
      {
        type: 'residual',
        layers: [{ type: 'batch_normalization' }, { type: 'activation', activation: 'silu' }, { type: 'residual', layers: [{ type: 'conv2d', filters: 4, kernel_size: 3, padding: 'same' }, { type: 'dropout', rate: 0.2 }] }, { type: 'conv2d', filters: 6, kernel_size: 1 }],
        shortcut: { layers: [{ type: 'conv2d', filters: 6, kernel_size: 1, use_bias: false }, { type: 'batch_normalization', momentum: 0.8 }] },
      },
      { type: 'global_average_pooling2d' },
      { type: 'dense', units: 1, activation: 'sigmoid' },
    ],
  },
  training: {
    batch_size: 7, accum_iters: 3, epochs: 2, tail: 'drop', seed: 11,
    optimizer: { type: 'adagrad', lr: 0.02, weight_decay: 0.05 },
    loss: { type: 'binary_crossentropy', label_smoothing: 0.05 },
    ema: { momentum: 0.8 },
    early_stopping: { patience: 5, restore_best: true },
    clip_value: 0.5,
  },
  checkpoint: { every_micro_batches: 3 },
};

/** A sample that makes its window infinite (matrix.ts writes the file): skipped, in each of two epochs. */
export const SPEC_D: JobSpecInput = {
  name: 'resume-d',
  data: { type: 'npz', path: 'poisoned.npz' },
  model: {
    layers: [
      { type: 'conv2d', filters: 3, kernel_size: 2, activation: 'relu' },
      { type: 'batch_normalization' },
      { type: 'flatten' },
      { type: 'dense', units: 3, activation: 'softmax' },
    ],
  },
  training: { batch_size: 6, accum_iters: 3, epochs: 2, tail: 'carry', seed: 2, nonfinite: 'skip_window', optimizer: { type: 'rmsprop', lr: 0.01, momentum: 0.5 } },
  checkpoint: { every_micro_batches: 2 },
};

/** There is one optimizer more than there are models: the same training by adamw, its windows cut short at an epoch's end. */
export const SPEC_D_ADAMW: JobSpecInput = {
  ...SPEC_D,
  name: 'resume-d-adamw',
  training: { ...SPEC_D.training, tail: 'flush', optimizer: { type: 'adamw', lr: 0.01, weight_decay: 0.02 } },
};

/**
 * Layer-wise steps under one cycle, layers that stay as they are (statistics too), a global maximum, squared errors, windows whose
 * loss is the mean of their micro-batches'.
 */
export const SPEC_E: JobSpecInput = {
  name: 'resume-e',
  data: { type: 'builtin', name: 'synthetic', samples: 40, shape: [7, 7, 1], classes: 3, seed: 13 },
  model: {
    layers: [
      { type: 'conv2d', filters: 4, kernel_size: 3, trainable: false, kernel_initializer: 'he_uniform' },
      { type: 'batch_normalization', trainable: false },
      { type: 'activation', activation: 'leaky_relu' },
      { type: 'conv2d', filters: 5, kernel_size: 2, kernel_constraint: { type: 'min_max_norm', min_value: 0.5, max_value: 1.5, axis: [0, 1, 2] }, bias_regularizer: { l1: 0, l2: 0.01 } },
      { type: 'batch_normalization', center: false },
      { type: 'activation', activation: 'gelu' },
      { type: 'global_max_pooling2d' },
      { type: 'dense', units: 3, activation: 'softmax' },
    ],
  },
  training: {
    batch_size: 6, accum_iters: 3, epochs: 2, tail: 'carry', reduction: 'batch', seed: 17,
    optimizer: { type: 'lamb', lr: 0.02, weight_decay: 0.01 },
    lr_schedule: { type: 'one_cycle', pct_start: 0.5 },
    loss: 'mean_squared_error',
  },
  checkpoint: { every_micro_batches: 2 },
};

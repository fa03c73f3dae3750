// The jobs that chaos is made on: small, of all kinds, and long enough to be struck.
import type { JobSpecInput } from '../../../lib/contract/spec.js';

export interface Recipe {
  name: string;
  spec: JobSpecInput;
}

const digits = { type: 'builtin', name: 'digits', normalize: 'unit' } as const;
const softmax = { type: 'dense', units: 10, activation: 'softmax' } as const;

/** The first one on each engine is what most of the rest is a variation of. */
export const RECIPES: readonly Recipe[] = [
  {
    name: 'amsgrad, batch normalization, dropout, tail carry, every 3 micro-batches',
    spec: {
      data: { ...digits, validation: { split: 0.2 } },
      model: { layers: [{ type: 'conv2d', filters: 32, kernel_size: 3, padding: 'same' }, { type: 'batch_normalization' }, { type: 'activation', activation: 'relu' }, { type: 'conv2d', filters: 32, kernel_size: 3, padding: 'same', activation: 'relu' }, { type: 'max_pooling2d' }, { type: 'flatten' }, { type: 'dropout', rate: 0.25 }, softmax] },
      training: { batch_size: 10, accum_iters: 5, epochs: 36, optimizer: { type: 'adam', lr: 0.001, decay: 1e-5, amsgrad: true }, seed: 42 },
      checkpoint: { every_micro_batches: 3 },
    },
  },
  {
    name: 'wasm, lamb, batch normalization, dropout, tail carry, every 5 micro-batches',
    spec: {
      data: { ...digits, validation: { split: 0.2 } },
      model: { layers: [{ type: 'conv2d', filters: 12, kernel_size: 3 }, { type: 'batch_normalization' }, { type: 'activation', activation: 'relu' }, { type: 'max_pooling2d' }, { type: 'flatten' }, { type: 'dropout', rate: 0.2 }, softmax] },
      training: { batch_size: 16, accum_iters: 4, epochs: 40, optimizer: { type: 'lamb', lr: 0.01 }, seed: 5 },
      checkpoint: { every_micro_batches: 5 },
      resources: { engine: 'wasm' },
    },
  },
  {
    name: 'sgd with momentum, tail flush, every second',
    spec: {
      data: digits,
      model: { layers: [{ type: 'conv2d', filters: 32, kernel_size: 3, activation: 'relu' }, { type: 'conv2d', filters: 32, kernel_size: 3, activation: 'relu' }, { type: 'flatten' }, softmax] },
      training: { batch_size: 16, accum_iters: 7, epochs: 70, tail: 'flush', optimizer: { type: 'sgd', lr: 0.05, momentum: 0.9, nesterov: true }, seed: 7 },
      checkpoint: { every_seconds: 1 },
    },
  },
  {
    name: 'wasm, rmsprop, tail flush, every half second',
    spec: {
      data: { ...digits, validation: { split: 0.1 } },
      model: { layers: [{ type: 'conv2d', filters: 16, kernel_size: 3, activation: 'relu' }, { type: 'flatten' }, { type: 'dense', units: 32, activation: 'relu' }, softmax] },
      training: { batch_size: 32, accum_iters: 3, epochs: 70, tail: 'flush', optimizer: { type: 'rmsprop', momentum: 0.5 }, seed: 11 },
      checkpoint: { every_seconds: 0.5 },
      resources: { engine: 'wasm' },
    },
  },
  {
    name: 'adamw, moving average, layer normalization, tail drop, every 7 micro-batches',
    spec: {
      data: { ...digits, validation: { split: 0.25 } },
      model: { layers: [{ type: 'conv2d', filters: 32, kernel_size: 3, activation: 'relu' }, { type: 'conv2d', filters: 24, kernel_size: 3, activation: 'relu' }, { type: 'flatten' }, { type: 'layer_normalization' }, { type: 'dropout', rate: 0.1 }, softmax] },
      training: { batch_size: 12, accum_iters: 6, epochs: 36, tail: 'drop', ema: { momentum: 0.95 }, optimizer: { type: 'adamw' }, lr_schedule: { type: 'cosine', warmup_updates: 10 }, clip_norm: 1, seed: 3 },
      checkpoint: { every_micro_batches: 7 },
    },
  },
  {
    name: 'adagrad, the best epochs kept, restored by early stopping, every 2 updates',
    spec: {
      data: { ...digits, validation: { split: 0.2 } },
      model: { layers: [{ type: 'conv2d', filters: 32, kernel_size: 3, activation: 'relu' }, { type: 'conv2d', filters: 32, kernel_size: 3, padding: 'same', activation: 'relu' }, { type: 'flatten' }, softmax] },
      training: { batch_size: 16, accum_iters: 2, epochs: 36, optimizer: { type: 'adagrad', lr: 0.01 }, early_stopping: { metric: 'val_loss', patience: 30, restore_best: true }, seed: 9 },
      checkpoint: { every_updates: 2, keep_best: { metric: 'val_accuracy', n: 2 } },
    },
  },
  {
    name: 'adam without accumulation, mean over batches, no shuffling, every two seconds',
    spec: {
      data: digits,
      model: { layers: [{ type: 'conv2d', filters: 24, kernel_size: 3, activation: 'relu' }, { type: 'max_pooling2d' }, { type: 'flatten' }, { type: 'dense', units: 48, activation: 'relu' }, softmax] },
      training: { batch_size: 24, accum_iters: 1, epochs: 60, shuffle: false, reduction: 'batch', seed: 13 },
      checkpoint: { every_seconds: 2 },
    },
  },
  {
    name: 'adam by max_updates, long windows, three kept, every 11 micro-batches',
    spec: {
      data: { ...digits, validation: { split: 0.2 } },
      model: { layers: [{ type: 'conv2d', filters: 32, kernel_size: 3, padding: 'same', activation: 'relu' }, { type: 'max_pooling2d' }, { type: 'flatten' }, { type: 'dropout', rate: 0.3 }, { type: 'dense', units: 64, activation: 'relu' }, softmax] },
      training: { batch_size: 8, accum_iters: 24, max_updates: 180, optimizer: { type: 'adam' }, seed: 17 },
      checkpoint: { every_micro_batches: 11, keep_last: 3 },
    },
  },
];

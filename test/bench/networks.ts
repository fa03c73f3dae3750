// The networks that are measured, each written once: a job's spec and the comparators' models are both made of it.
import { join } from 'node:path';
import { packageRoot } from '../../api/cli/package-root.js';
import { BATCH_SIZE, recipe } from '../../infra/demo/recipe.js';
import type { MakeSpec, Spec } from './jobs.js';

export interface Network {
  name: string;
  /** As in a spec; the last one is a dense layer with softmax. */
  layers: Record<string, unknown>[];
  data: { kind: 'synthetic'; samples: number; shape: [number, number, number]; classes: number } | { kind: 'digits'; path: string };
  batchSize: number;
  accumIters: number;
}

const conv = (filters: number, rest: Record<string, unknown> = {}): Record<string, unknown> => ({ type: 'conv2d', filters, kernel_size: 3, ...rest });
const pool = { type: 'max_pooling2d', pool_size: 2 };
const softmax = { type: 'dense', units: 10, activation: 'softmax' };

/** 28×28×1, three convolutions, 234,282 parameters. Its epoch is a whole number of windows of up to 128 micro-batches. */
export function smallNetwork(accumIters: number): Network {
  const relu = { activation: 'relu' };
  const layers = [conv(32, relu), conv(32, relu), pool, conv(64, relu), pool, { type: 'flatten' }, { type: 'dense', units: 128, ...relu }, softmax];
  return { name: 'small', layers, data: { kind: 'synthetic', samples: 4096, shape: [28, 28, 1], classes: 10 }, batchSize: 32, accumIters };
}

/** 32×32×3, five convolutions, each with batch normalization. */
export function normalizedNetwork(): Network {
  const block = (filters: number): Record<string, unknown>[] => [conv(filters, { padding: 'same' }), { type: 'batch_normalization' }, { type: 'activation', activation: 'relu' }];
  const layers = [...block(32), ...block(32), pool, ...block(64), ...block(64), pool, ...block(128), { type: 'global_average_pooling2d' }, softmax];
  return { name: 'bn', layers, data: { kind: 'synthetic', samples: 2048, shape: [32, 32, 3], classes: 10 }, batchSize: 32, accumIters: 1 };
}

/**
 * The demo's: micro-batches of 10, Adam with decay, dropout, the real digits. Without its validation after every epoch and
 * its checkpoint every third micro-batch, which are there to be seen and of which the comparators have no like.
 */
export function digitsNetwork(accumIters: number): Network {
  const { model } = recipe('digits', 1);
  return { name: 'digits', layers: model.layers, data: { kind: 'digits', path: join(packageRoot(), 'lib/data/builtin/digits.csv.gz') }, batchSize: BATCH_SIZE, accumIters };
}

/** The network's job, with the defaults of everything that is not said here; `training` and `checkpoint` add to it. */
export function specOf(network: Network, more: { training?: Spec; checkpoint?: Spec } = {}): MakeSpec {
  const { name, layers, data, batchSize, accumIters } = network;
  const source = data.kind === 'digits' ? { name: 'digits', normalize: 'unit' } : { name: 'synthetic', samples: data.samples, shape: data.shape, classes: data.classes };
  const optimizer = data.kind === 'digits' ? recipe('digits', 1).training?.optimizer : { type: 'adam', lr: 0.001 };
  return (updates) => ({
    name: `bench-${name}-${accumIters}`,
    data: { type: 'builtin', ...source },
    model: { layers },
    training: { batch_size: batchSize, accum_iters: accumIters, max_updates: updates, optimizer, ...more.training },
    ...(more.checkpoint === undefined ? {} : { checkpoint: more.checkpoint }),
  });
}

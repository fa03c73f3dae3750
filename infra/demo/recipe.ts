// The demo's job: the recipe that Pawl began with (micro-batches of 10, windows of 5, Adam with decay) on the real digits.
import type { JobSpecInput } from '../../lib/contract/spec.js';

export const BATCH_SIZE = 10;
export const ACCUM_ITERS = 5;

export function recipe(name: string, epochs: number): JobSpecInput {
  return {
    name,
    data: { type: 'builtin', name: 'digits', normalize: 'unit', validation: { split: 0.2 } },
    model: {
      layers: [
        { type: 'conv2d', filters: 16, kernel_size: 3, padding: 'same', activation: 'relu' },
        { type: 'max_pooling2d' },
        { type: 'flatten' },
        { type: 'dropout', rate: 0.25 },
        { type: 'dense', units: 10, activation: 'softmax' },
      ],
    },
    training: { batch_size: BATCH_SIZE, accum_iters: ACCUM_ITERS, epochs, optimizer: { type: 'adam', lr: 0.001, decay: 1e-5 }, loss: 'categorical_crossentropy', metrics: ['accuracy'], seed: 42 },
    checkpoint: { every_micro_batches: 3 },
  };
}

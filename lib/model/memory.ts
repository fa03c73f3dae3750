// How much memory a training needs, and how large its checkpoints are: estimates for people and for placement.
import type { OptimizerSpec } from '../contract/training.js';
import { sizeOf } from './layers/layer.js';
import type { ModelPlan } from './plan.js';
import { expectedState, slotNames } from './slots.js';

const FLOAT_BYTES = 4;
const KEPT_GRADIENTS = 1.3;

/**
 * Bytes of tensors at the peak of a micro-batch or an update, without the data set and the engine's own memory:
 *   4 · (P + T·(slots + 1 + lanes) + max(1.3 · lanes · batchSize · A, P + T·slots))
 * P parameters, T trainable ones, each with its slots, its accumulator and a gradient a lane; A activation floats a sample
 * (forward's kept values and backward's gradients). An update needs the new weights and slots beside the old ones,
 * but no activations. 1.3: gradients are kept until the backward pass ends (measured: 243 MiB where the sum is 190, 945 where
 * it is 735). Kernels' scratch memory is not in it.
 */
export function estimateMemory(plan: ModelPlan, batchSize: number, optimizer: OptimizerSpec, lanes = 1): number {
  const { trainable, nonTrainable } = plan.parameters;
  const parameters = trainable + nonTrainable;
  const slots = trainable * slotNames(optimizer).length;
  return FLOAT_BYTES * (parameters + slots + (1 + lanes) * trainable + Math.max(Math.ceil(KEPT_GRADIENTS * lanes * batchSize * plan.activationFloatsPerSample), parameters + slots));
}

/** Bytes of tensors in the largest checkpoint: one with an open window. Headers and the manifest come on top. */
export function checkpointBytes(plan: ModelPlan, optimizer: OptimizerSpec): number {
  let elements = 0;
  for (const { shape } of expectedState(plan, optimizer, true).values()) elements += sizeOf(shape);
  return elements * FLOAT_BYTES;
}

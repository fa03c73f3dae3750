// How much memory a training needs, and how large its checkpoints are: estimates for people and for placement.
import { sizeOf } from './layers/layer.js';
import type { ModelPlan } from './plan.js';
import { expectedState, slotNames, type StateForm } from './slots.js';

const FLOAT_BYTES = 4;
const KEPT_GRADIENTS = 1.3;

/**
 * Bytes of tensors at the peak of a micro-batch or an update, without the data set and the engine's own memory:
 *   4 · (P + T·(slots + 1 + lanes) + max(1.3 · lanes · batchSize · A, P + T·slots))
 * P parameters, T trainable ones, each with its slots (a moving average is one), its accumulator and a gradient a lane; A activation floats a sample
 * (forward's kept values and backward's gradients). An update needs the new weights and slots beside the old ones,
 * but no activations. 1.3: gradients are kept until the backward pass ends (measured: 243 MiB where the sum is 190, 945 where
 * it is 735). Kernels' scratch memory is not in it.
 */
export function estimateMemory(plan: ModelPlan, batchSize: number, form: StateForm, lanes = 1): number {
  const { trainable, nonTrainable } = plan.parameters;
  const parameters = trainable + nonTrainable;
  const slots = trainable * (slotNames(form.optimizer).length + (form.ema === null ? 0 : 1));
  return FLOAT_BYTES * (parameters + slots + (1 + lanes) * trainable + Math.max(Math.ceil(KEPT_GRADIENTS * lanes * batchSize * plan.activationFloatsPerSample), parameters + slots));
}

/** Bytes of tensors in the largest checkpoint: one with an open window. Headers and the manifest come on top. */
export function checkpointBytes(plan: ModelPlan, form: StateForm): number {
  let elements = 0;
  for (const { shape } of expectedState(plan, form, true).values()) elements += sizeOf(shape);
  // weights without an average lie in its file too
  if (form.ema !== null) elements += plan.parameters.nonTrainable;
  return elements * FLOAT_BYTES;
}

// Masks of dropout, made on the host: which layers have one, and its values for the samples of a batch. They are the same
// numbers on every engine, for every way to cut a micro-batch, whatever was drawn before.
import type { LayerSpecOf } from '../../lib/contract/spec.js';
import type { LayerPlan, ModelPlan } from '../../lib/model/plan.js';
import { dropoutKey, fillDropoutMask } from '../../lib/training/random.js';

type DropoutPlan = LayerPlan<LayerSpecOf<'dropout'>>;

/** By layer, [samples, …inputShape]: 0, or what a kept value is multiplied by. */
export type Masks = ReadonlyMap<string, Float32Array>;

export const maskedLayers = (plan: ModelPlan): DropoutPlan[] => plan.layers.filter((layer): layer is DropoutPlan => layer.spec.type === 'dropout' && layer.spec.rate > 0);

export function masksOf(plan: ModelPlan, seed: number, { epoch, sampleIds }: { epoch: number; sampleIds: Int32Array }): Masks {
  return new Map(
    maskedLayers(plan).map(({ name, inputShape, spec }) => {
      const elements = inputShape.reduce((product, size) => product * size, sampleIds.length);
      return [name, fillDropoutMask(dropoutKey(seed, name, epoch), sampleIds, spec.rate, new Float32Array(elements))];
    }),
  );
}

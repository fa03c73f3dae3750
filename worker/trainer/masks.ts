// Masks of dropout, made on the host: which layers have one, and its values for the samples of a batch. They are the same
// numbers on every engine, for every way to cut a micro-batch, whatever was drawn before.
import type { LayerSpecOf } from '../../lib/contract/spec.js';
import type { LayerPlan, ModelPlan } from '../../lib/model/plan.js';
import { dropoutKey, fillDropoutMask } from '../../lib/training/random.js';

type DropoutPlan = LayerPlan<LayerSpecOf<'dropout'>>;

export const maskedLayers = (plan: ModelPlan): DropoutPlan[] => plan.layers.filter((layer): layer is DropoutPlan => layer.spec.type === 'dropout' && layer.spec.rate > 0);

/** [samples, …inputShape] of a layer with a mask: 0 or 1/(1 − rate). */
export function maskOf(layer: DropoutPlan, seed: number, { epoch, sampleIds }: { epoch: number; sampleIds: Int32Array }): Float32Array {
  const elements = layer.inputShape.reduce((product, size) => product * size, 1);
  return fillDropoutMask(dropoutKey(seed, layer.name, epoch), sampleIds, layer.spec.rate, new Float32Array(sampleIds.length * elements));
}

// Masks of dropout, made on the host: which layers have one, and its values for the samples of a batch. They are the same
// numbers on every engine, for every way to cut a micro-batch, whatever was drawn before.
import type { LayerSpecOf } from '../../lib/contract/spec.js';
import type { LayerPlan, ModelPlan } from '../../lib/model/plan.js';
import { fillDropoutMask } from '../../lib/training/dropout-masks.js';
import { dropoutKey, type Key } from '../../lib/training/random.js';

type DropoutPlan = LayerPlan<LayerSpecOf<'dropout'>>;

/** By layer, [samples, …inputShape]: 0, or what a kept value is multiplied by. */
export type Masks = ReadonlyMap<string, Float32Array>;

export const maskedLayers = (plan: ModelPlan): DropoutPlan[] => plan.layers.filter((layer): layer is DropoutPlan => layer.spec.type === 'dropout' && layer.spec.rate > 0);

export interface MaskedBatch {
  epoch: number;
  sampleIds: Int32Array;
}

/** The masks of one training's batches; a layer's key is made once an epoch. */
export function makeMasker(plan: ModelPlan, seed: number): (batch: MaskedBatch) => Masks {
  const layers = maskedLayers(plan).map(({ name, inputShape, spec: { rate } }) => ({ name, rate, elements: inputShape.reduce((product, size) => product * size, 1) }));
  let keys: { epoch: number; of: Key[] } | null = null;
  return ({ epoch, sampleIds }) => {
    if (keys?.epoch !== epoch) keys = { epoch, of: layers.map(({ name }) => dropoutKey(seed, name, epoch)) };
    const { of } = keys;
    return new Map(layers.map(({ name, rate, elements }, index) => [name, fillDropoutMask(of[index]!, sampleIds, rate, new Float32Array(elements * sampleIds.length))]));
  };
}

export const masksOf = (plan: ModelPlan, seed: number, batch: MaskedBatch): Masks => makeMasker(plan, seed)(batch);

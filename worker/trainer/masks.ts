// Masks of dropout, made on the host: which layers have one, and its values for the samples of a batch. They are the same
// numbers on every engine, for every way to cut a micro-batch, whatever was drawn before.
import type { ModelPlan, Shape } from '../../lib/model/plan.js';
import { fillDropoutMask } from '../../lib/training/dropout-masks.js';
import { dropoutKey, type Key } from '../../lib/training/random.js';

/** By layer, [samples, …shape of its mask]: 0, or what a kept value is multiplied by. */
export type Masks = ReadonlyMap<string, Float32Array>;

export interface MaskedLayer {
  name: string;
  rate: number;
  /** Of one sample's mask: the input's, or one value a channel. */
  shape: Shape;
}

export function maskedLayers(plan: ModelPlan): MaskedLayer[] {
  return plan.every.flatMap(({ name, spec, inputShape }) => {
    if ((spec.type !== 'dropout' && spec.type !== 'spatial_dropout2d') || spec.rate === 0) return [];
    return [{ name, rate: spec.rate, shape: spec.type === 'dropout' ? inputShape : [1, 1, inputShape.at(-1)!] }];
  });
}

export interface MaskedBatch {
  epoch: number;
  sampleIds: Int32Array;
}

/** The masks of one training's batches; a layer's key is made once an epoch. */
export function makeMasker(plan: ModelPlan, seed: number): (batch: MaskedBatch) => Masks {
  const layers = maskedLayers(plan).map(({ name, rate, shape }) => ({ name, rate, elements: shape.reduce((product, size) => product * size, 1) }));
  let keys: { epoch: number; of: Key[] } | null = null;
  return ({ epoch, sampleIds }) => {
    if (keys?.epoch !== epoch) keys = { epoch, of: layers.map(({ name }) => dropoutKey(seed, name, epoch)) };
    const { of } = keys;
    return new Map(layers.map(({ name, rate, elements }, index) => [name, fillDropoutMask(of[index]!, sampleIds, rate, new Float32Array(elements * sampleIds.length))]));
  };
}

export const masksOf = (plan: ModelPlan, seed: number, batch: MaskedBatch): Masks => makeMasker(plan, seed)(batch);

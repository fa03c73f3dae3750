// dropout and spatial_dropout2d, inverted: kept values are scaled by 1/(1 − rate). The mask comes with the batch, made from
// one key a sample (../masks.ts), so it depends neither on what was drawn before nor on which samples share a micro-batch.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayerSpecOf } from '../../../lib/contract/layers.js';
import type { LayerPlan } from '../../../lib/model/plan.js';
import type { ForwardPass } from './pass.js';

export function dropout(x: Tensor, { name, spec }: LayerPlan<LayerSpecOf<'dropout'>> | LayerPlan<LayerSpecOf<'spatial_dropout2d'>>, pass: ForwardPass): Tensor {
  return pass.training && spec.rate > 0 ? tf.mul(x, pass.mask(name)) : x;
}

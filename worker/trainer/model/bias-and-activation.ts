// What layers with a kernel end with: their bias, if they have one, and their activation.
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayerSpecOf } from '../../../lib/contract/layers.js';
import type { LayerPlan } from '../../../lib/model/plan.js';
import { biasAdd } from '../engines/kernels.js';
import { activate } from './activation.js';
import type { ForwardPass } from './pass.js';

type WithBias = LayerSpecOf<'conv2d' | 'depthwise_conv2d' | 'separable_conv2d' | 'dense'>;

export function biasAndActivation(y: Tensor, { name, spec }: LayerPlan<WithBias>, pass: ForwardPass): Tensor {
  return activate(spec.use_bias ? biasAdd(y, pass.weight(`${name}/bias`)) : y, spec.activation);
}

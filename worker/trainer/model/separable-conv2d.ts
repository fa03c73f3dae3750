// separable_conv2d: a depthwise convolution [kh, kw, in, multiplier], then one of single pixels [1, 1, in · multiplier, out].
import tf from '@tensorflow/tfjs-core';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import { biasAndActivation } from './bias-and-activation.js';
import type { LayerForward } from './pass.js';
import { slide } from './sliding-window.js';

export const separableConv2d: LayerForward<'separable_conv2d'> = (x, layer, pass) => {
  const kernel = (name: string): Tensor4D => pass.weight(`${layer.name}/${name}`) as Tensor4D;
  const depthwise_NHWC = slide(x as Tensor4D, kernel('depthwise_kernel'), layer.spec, tf.depthwiseConv2d);
  return biasAndActivation(tf.conv2d(depthwise_NHWC, kernel('pointwise_kernel'), 1, 'valid'), layer, pass);
};

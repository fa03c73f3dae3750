// depthwise_conv2d: kernel [kh, kw, in, multiplier] over NHWC, each channel by itself.
import tf from '@tensorflow/tfjs-core';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import { biasAndActivation } from './bias-and-activation.js';
import type { LayerForward } from './pass.js';
import { slide } from './sliding-window.js';

export const depthwiseConv2d: LayerForward<'depthwise_conv2d'> = (x, layer, pass) => {
  const kernel = pass.weight(`${layer.name}/kernel`) as Tensor4D;
  return biasAndActivation(slide(x as Tensor4D, kernel, layer.spec, tf.depthwiseConv2d), layer, pass);
};

// conv2d: kernel [kh, kw, in, out] over NHWC.
import tf from '@tensorflow/tfjs-core';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import { biasAndActivation } from './bias-and-activation.js';
import type { LayerForward } from './pass.js';
import { slide } from './sliding-window.js';

export const conv2d: LayerForward<'conv2d'> = (x, layer, pass) => {
  const kernel = pass.weight(`${layer.name}/kernel`) as Tensor4D;
  return biasAndActivation(slide(x as Tensor4D, kernel, layer.spec, tf.conv2d), layer, pass);
};

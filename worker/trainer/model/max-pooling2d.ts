// max_pooling2d over NHWC. With padding `same` the padding never wins, also where every value is negative.
import tf from '@tensorflow/tfjs-core';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { LayerForward } from './pass.js';

export const maxPooling2d: LayerForward<'max_pooling2d'> = (x, layer) =>
  tf.maxPool(x as Tensor4D, layer.spec.pool_size, layer.spec.strides ?? layer.spec.pool_size, layer.spec.padding);

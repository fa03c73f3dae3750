// max_pooling2d and average_pooling2d over NHWC. With padding `same` the padding never wins, also where every value is
// negative, and is in no average.
import tf from '@tensorflow/tfjs-core';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { LayerForward } from './pass.js';

export const maxPooling2d: LayerForward<'max_pooling2d'> = (x, { spec }) => tf.maxPool(x as Tensor4D, spec.pool_size, spec.strides ?? spec.pool_size, spec.padding);

export const averagePooling2d: LayerForward<'average_pooling2d'> = (x, { spec }) => tf.avgPool(x as Tensor4D, spec.pool_size, spec.strides ?? spec.pool_size, spec.padding);

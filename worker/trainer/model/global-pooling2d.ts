// global_average_pooling2d and global_max_pooling2d: [batch, height, width, channels] → [batch, channels].
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayerForward } from './pass.js';

const SPACE = [1, 2];

export const globalAveragePooling2d: LayerForward<'global_average_pooling2d'> = (x) => tf.mean(x, SPACE);

export const globalMaxPooling2d: LayerForward<'global_max_pooling2d'> = (x) => largestOfSpace(x);

/** Equal largest values share the gradient, as Keras has it; tfjs gives each of them all of it. */
export const largestOfSpace = tf.customGrad((x, save) => {
  const input = x as Tensor;
  const most_N11C = tf.max(input, SPACE, true);
  const isMost = tf.cast(tf.equal(input, most_N11C), 'float32');
  const shares = tf.div(isMost, tf.sum(isMost, SPACE, true));
  (save as (tensors: Tensor[]) => void)([shares]);
  const value = tf.reshape(most_N11C, [input.shape[0], input.shape[3]!]);
  return { value, gradFunc: (dy: Tensor, saved: Tensor[]) => tf.mul(saved[0]!, tf.reshape(dy, [input.shape[0], 1, 1, input.shape[3]!])) };
});

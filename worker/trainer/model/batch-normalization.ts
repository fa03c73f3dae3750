// batch_normalization over the last axis. In training each micro-batch is normalised by its own statistics (population
// variance), which are left with the pass; frozen, or in inference mode, by the moving statistics.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { batchNormTraining } from '../engines/kernels.js';
import type { LayerForward } from './pass.js';

export const batchNormalization: LayerForward<'batch_normalization'> = (x, layer, pass) => {
  const { center, scale, epsilon, trainable } = layer.spec;
  const channels = layer.inputShape.at(-1)!;
  const weight = (name: string): Tensor => pass.weight(`${layer.name}/${name}`);
  const gamma_C = scale ? weight('gamma') : tf.ones([channels]);
  const beta_C = center ? weight('beta') : tf.zeros([channels]);

  if (!pass.training || !trainable) {
    const inverse_C = tf.mul(tf.rsqrt(tf.add(weight('moving_variance'), epsilon)), gamma_C);
    return tf.add(tf.mul(x, inverse_C), tf.sub(beta_C, tf.mul(weight('moving_mean'), inverse_C)));
  }
  const x_NHWC = x.rank === 4 ? x : tf.reshape(x, [-1, 1, 1, channels]);
  const { y, mean_C, variance_C } = batchNormTraining(x_NHWC, gamma_C, beta_C, epsilon);
  const count = x.size / channels;
  // the kernel's variance is Σ(x − mean)² / (n − 1); the sum itself is what merges exactly
  pass.observe(layer.name, { mean_C, m2_C: tf.mul(variance_C, count - 1) });
  return x.rank === 4 ? y : tf.reshape(y, x.shape);
};

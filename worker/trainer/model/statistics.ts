// Statistics of batch normalization over a window: (n, mean, M2) of its micro-batches merged in their order by Chan's
// formula, and the one move of the moving statistics that an update makes. https://doi.org/10.2307/2683386
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { BatchStatistics } from './pass.js';

/** The statistics of both together; the order matters in bits. Host factors are made in float64. */
export function mergeStatistics(window: BatchStatistics, batch: BatchStatistics): BatchStatistics {
  const count = window.count + batch.count;
  const delta_C = tf.sub(batch.mean_C, window.mean_C);
  return {
    count,
    mean_C: tf.add(window.mean_C, tf.mul(delta_C, batch.count / count)),
    m2_C: tf.add(tf.add(window.m2_C, batch.m2_C), tf.mul(tf.square(delta_C), (window.count / count) * batch.count)),
  };
}

/** Population variance. */
export const varianceOf = (statistics: BatchStatistics): Tensor => tf.div(statistics.m2_C, statistics.count);

/** moving·momentum + value·(1 − momentum), as Keras. */
export const moveAverage = (moving_C: Tensor, value_C: Tensor, momentum: number): Tensor => tf.add(tf.mul(moving_C, momentum), tf.mul(value_C, 1 - momentum));

// Statistics of batch normalization over a window: (n, mean, M2) of its micro-batches merged in their order by Chan's
// formula, and the one move of the moving statistics that an update makes. Counts are the host's: what depends on them is
// computed there in float64 and comes as scalars. https://doi.org/10.2307/2683386
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Statistics } from './pass.js';

/** Host numbers of one merge, with n values so far and b more: rounded to float32 once. */
export interface MergeFactors<T> {
  /** b / (n + b) */
  share: T;
  /** n / (n + b) · b */
  weight: T;
}

/** @param window values of a channel so far @param batch values of a channel in the next micro-batch */
export const mergeFactors = (window: number, batch: number): MergeFactors<number> => ({ share: Math.fround(batch / (window + batch)), weight: Math.fround((window / (window + batch)) * batch) });

/** The statistics of both together; the order matters in bits. */
export function mergeStatistics(window: Statistics, batch: Statistics, { share, weight }: MergeFactors<Tensor>): Statistics {
  const delta_C = tf.sub(batch.mean_C, window.mean_C);
  return {
    mean_C: tf.add(window.mean_C, tf.mul(delta_C, share)),
    m2_C: tf.add(tf.add(window.m2_C, batch.m2_C), tf.mul(tf.square(delta_C), weight)),
  };
}

/** moving·momentum + value·(1 − momentum), as Keras. */
export const moveAverage = (moving_C: Tensor, value_C: Tensor, momentum: number): Tensor => tf.add(tf.mul(moving_C, momentum), tf.mul(value_C, 1 - momentum));

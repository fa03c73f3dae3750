// The loss of each sample, and its predicted class, from the network's last tensor and label rows. Labels are rows of class
// weights whatever they were in the data, so the sparse and the categorical cross-entropy are one function here.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LossSpec } from '../../../lib/contract/training.js';
import { softmaxCrossEntropy } from '../engines/kernels.js';

/** Keras's fuzz factor: how close a probability may come to 0 and 1. */
const PROBABILITY_EPSILON = 1e-7;

/** ℓ[n] of every sample, [batch]. `output` says what the network's last tensor is. */
export function sampleLosses(output_NK: Tensor, labels_NK: Tensor, loss: LossSpec, output: 'logits' | 'probabilities'): Tensor {
  const classes = labels_NK.shape[1]!;
  const smoothing = loss.label_smoothing;
  const targets_NK = smoothing === 0 ? labels_NK : tf.add(tf.mul(labels_NK, 1 - smoothing), smoothing / classes);
  if (output === 'logits') return softmaxCrossEntropy(output_NK, targets_NK);
  const probabilities_NK = tf.clipByValue(tf.div(output_NK, tf.sum(output_NK, -1, true)), PROBABILITY_EPSILON, 1 - PROBABILITY_EPSILON);
  return tf.neg(tf.sum(tf.mul(targets_NK, tf.log(probabilities_NK)), -1));
}

/** The class of the largest output, the first of equals, as a float; [batch]. */
export const predictedClasses = (output_NK: Tensor): Tensor => tf.cast(tf.argMax(output_NK, -1), 'float32');

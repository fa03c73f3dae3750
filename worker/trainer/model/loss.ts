// The loss of each sample, and what it is judged by, from the network's last tensor and label rows. Labels are rows of class
// weights whatever they were in the data, so the sparse and the categorical cross-entropy are one function here.
import tf from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import type { LossSpec } from '../../../lib/contract/training.js';
import { sigmoidCrossEntropy, softmaxCrossEntropy } from '../engines/kernels.js';

/** Keras's fuzz factor: how close a probability may come to 0 and 1. */
const PROBABILITY_EPSILON = 1e-7;

/** What a network's last tensor is: what a softmax or sigmoid would be taken of, or the values themselves. */
export type OutputKind = 'logits' | 'values';

/** The activation that a loss undoes: after it, its logits are used. */
export const undoneBy: Record<LossSpec['type'], 'softmax' | 'sigmoid' | null> = {
  categorical_crossentropy: 'softmax',
  sparse_categorical_crossentropy: 'softmax',
  binary_crossentropy: 'sigmoid',
  mean_squared_error: null,
};

/** ℓ[n] of every sample, [batch]. Binary cross-entropy and squared error are means over a sample's outputs, as Keras has them. */
export function sampleLosses(output_NK: Tensor, labels_NK: Tensor, loss: LossSpec, output: OutputKind): Tensor {
  const { label_smoothing: smoothing } = loss;
  const smoothed = (classes: number): Tensor => (smoothing === 0 ? labels_NK : tf.add(tf.mul(labels_NK, 1 - smoothing), smoothing / classes));
  switch (loss.type) {
    case 'categorical_crossentropy':
    case 'sparse_categorical_crossentropy':
      return categorical(output_NK, smoothed(labels_NK.shape[1]!), output);
    case 'binary_crossentropy':
      return tf.mean(binary(output_NK, smoothed(2), output), -1);
    case 'mean_squared_error':
      return tf.mean(tf.squaredDifference(output_NK, labels_NK), -1);
  }
}

function categorical(output_NK: Tensor, targets_NK: Tensor, output: OutputKind): Tensor {
  if (output === 'logits') return softmaxCrossEntropy(output_NK, targets_NK);
  return tf.neg(tf.sum(tf.mul(targets_NK, tf.log(clipped(tf.div(output_NK, tf.sum(output_NK, -1, true))))), -1));
}

function binary(output_NK: Tensor, targets_NK: Tensor, output: OutputKind): Tensor {
  if (output === 'logits') return sigmoidCrossEntropy(output_NK, targets_NK);
  const probabilities_NK = clipped(output_NK);
  return tf.neg(tf.add(tf.mul(targets_NK, tf.log(probabilities_NK)), tf.mul(tf.sub(1, targets_NK), tf.log(tf.sub(1, probabilities_NK)))));
}

const clipped = (probabilities: Tensor): Tensor => tf.clipByValue(probabilities, PROBABILITY_EPSILON, 1 - PROBABILITY_EPSILON);

/** The class of the largest output, the first of equals, as a float; of a single output, whether it says the second class. [batch] */
export function predictedClasses(output_NK: Tensor, output: OutputKind): Tensor {
  if (output_NK.shape[1] !== 1) return tf.cast(tf.argMax(output_NK, -1), 'float32');
  return tf.cast(tf.greater(tf.reshape(output_NK, [-1]), output === 'logits' ? 0 : 0.5), 'float32');
}

/** How many outputs are above that of the label's class (of equal labels the first), as a float; [batch]. The label is among the k largest if it is less than k. */
export function ranksOfLabels(output_NK: Tensor, labels_NK: Tensor): Tensor {
  // cast, because a oneHot that is asked for floats gives the bits of integers in tfjs-backend-wasm
  const isLabel_NK = tf.cast(tf.oneHot(tf.argMax<Tensor1D>(labels_NK, -1), labels_NK.shape[1]!), 'float32');
  const ofLabel_N1 = tf.sum(tf.mul(output_NK, isLabel_NK), -1, true);
  return tf.sum(tf.cast(tf.greater(output_NK, ofLabel_N1), 'float32'), -1);
}

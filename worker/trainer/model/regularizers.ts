// Regularizers {l1, l2}: Σ l1·|w| + l2·w², not halved, as Keras has it.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { RegularizerSpec } from '../../../lib/contract/layers.js';

/** A scalar. */
export function penalty(weight: Tensor, { l1, l2 }: RegularizerSpec): Tensor {
  const parts = [...(l1 === 0 ? [] : [tf.mul(tf.sum(tf.abs(weight)), l1)]), ...(l2 === 0 ? [] : [tf.mul(tf.sum(tf.square(weight)), l2)])];
  return tf.addN(parts);
}

/** gradient + l1·sign(w) + 2·l2·w */
export function addPenaltyGradient(gradient: Tensor, weight: Tensor, { l1, l2 }: RegularizerSpec): Tensor {
  const withL1 = l1 === 0 ? gradient : tf.add(gradient, tf.mul(tf.sign(weight), l1));
  return l2 === 0 ? withL1 : tf.add(withL1, tf.mul(weight, 2 * l2));
}

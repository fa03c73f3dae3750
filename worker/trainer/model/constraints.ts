// What a weight is made to satisfy after every update, as Keras 3 has it: norms over the given axes, each with 1e-7 added where
// it divides.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { ConstraintSpec } from '../../../lib/contract/layers.js';

const EPSILON = 1e-7;

export function constrain(weight: Tensor, constraint: ConstraintSpec): Tensor {
  switch (constraint.type) {
    case 'non_neg':
      return tf.maximum(weight, 0);
    case 'unit_norm':
      return tf.div(weight, tf.add(normOf(weight, constraint.axis), EPSILON));
    case 'max_norm':
      return withNorm(weight, constraint.axis, 0, constraint.max_value);
    case 'min_max_norm':
      return withNorm(weight, constraint.axis, constraint.min_value, constraint.max_value);
  }
}

function withNorm(weight: Tensor, axis: number | number[], least: number, most: number): Tensor {
  const norm = normOf(weight, axis);
  return tf.mul(weight, tf.div(tf.clipByValue(norm, least, most), tf.add(norm, EPSILON)));
}

const normOf = (weight: Tensor, axis: number | number[]): Tensor => tf.sqrt(tf.sum(tf.square(weight), axis, true));

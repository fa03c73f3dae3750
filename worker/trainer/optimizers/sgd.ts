// sgd as Keras: v = µ·v − lr·g, then w + v; nesterov looks one step ahead, w + µ·v − lr·g. Without momentum there is no slot.
import tf from '@tensorflow/tfjs-core';
import type { OptimizerSpec } from '../../../lib/contract/training.js';
import type { OptimizerRule, StepScalars } from './optimizer.js';

export function sgd(spec: Extract<OptimizerSpec, { type: 'sgd' }>, { learningRate }: StepScalars): OptimizerRule {
  const momentum = Math.fround(spec.momentum);
  return (weight, gradient, slots) => {
    const move = tf.mul(gradient, learningRate!);
    if (spec.momentum === 0) return { weight: tf.sub(weight, move), slots: {} };
    const velocity = tf.sub(tf.mul(slots.momentum!, momentum), move);
    const step = spec.nesterov ? tf.sub(tf.mul(velocity, momentum), move) : velocity;
    return { weight: tf.add(weight, step), slots: { momentum: velocity } };
  };
}

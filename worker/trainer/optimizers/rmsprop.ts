// rmsprop as Keras: the average of squares under the root together with epsilon, momentum over the moves:
//   v = ρ·v + (1 − ρ)·g²    move = lr·g / √(v + ε)    m = µ·m + move    w = w − m (or − move without momentum)
import tf from '@tensorflow/tfjs-core';
import type { OptimizerSpec } from '../../../lib/contract/training.js';
import { DEFAULT_EPSILON } from '../../../lib/training/learning-rate.js';
import type { OptimizerRule, StepScalars } from './optimizer.js';

export function rmsprop(spec: Extract<OptimizerSpec, { type: 'rmsprop' }>, { learningRate }: StepScalars): OptimizerRule {
  const [rho, rest] = [Math.fround(spec.rho), Math.fround(1 - spec.rho)];
  const momentum = Math.fround(spec.momentum);
  const epsilon = Math.fround(spec.epsilon ?? DEFAULT_EPSILON);
  return (weight, gradient, slots) => {
    const velocity = tf.add(tf.mul(slots.velocity!, rho), tf.mul(tf.square(gradient), rest));
    const move = tf.div(tf.mul(gradient, learningRate!), tf.sqrt(tf.add(velocity, epsilon)));
    if (spec.momentum === 0) return { weight: tf.sub(weight, move), slots: { velocity } };
    const moving = tf.add(tf.mul(slots.momentum!, momentum), move);
    return { weight: tf.sub(weight, moving), slots: { velocity, momentum: moving } };
  };
}

// adagrad as Keras: squares add up from initial_accumulator_value on:  a = a + g²    w = w − lr·g / √(a + ε)
import tf from '@tensorflow/tfjs-core';
import type { OptimizerSpec } from '../../../lib/contract/training.js';
import { DEFAULT_EPSILON } from '../../../lib/training/learning-rate.js';
import type { OptimizerRule, StepScalars } from './optimizer.js';

export function adagrad(spec: Extract<OptimizerSpec, { type: 'adagrad' }>, { learningRate }: StepScalars): OptimizerRule {
  const epsilon = Math.fround(spec.epsilon ?? DEFAULT_EPSILON);
  return (weight, gradient, slots) => {
    const accumulator = tf.add(slots.accumulator!, tf.square(gradient));
    return { weight: tf.sub(weight, tf.div(tf.mul(gradient, learningRate!), tf.sqrt(tf.add(accumulator, epsilon)))), slots: { accumulator } };
  };
}

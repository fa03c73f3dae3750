// lamb (https://arxiv.org/abs/1904.00962, algorithm 2, as Keras has it): adam's bias-corrected step, with the decay of the
// weight in it, as long as the weight itself:
//   m, v as adam    s = (m / (1 − β₁^t)) / (√(v / (1 − β₂^t)) + ε) + wd·w    w = w − lr · (‖w‖/‖s‖) · s, the ratio 1 if a norm is 0
import tf from '@tensorflow/tfjs-core';
import type { OptimizerSpec } from '../../../lib/contract/training.js';
import { adamConstants } from '../../../lib/training/learning-rate.js';
import { nextMoments } from './adam.js';
import type { OptimizerRule, StepScalars } from './optimizer.js';

export function lamb(spec: Extract<OptimizerSpec, { type: 'lamb' }>, { learningRate, correction1, correction2 }: StepScalars): OptimizerRule {
  const constants = adamConstants(spec);
  const decay = Math.fround(spec.weight_decay);
  return (weight, gradient, slots) => {
    const { m, v } = nextMoments(constants, gradient, slots);
    const corrected = tf.div(tf.div(m, correction1!), tf.add(tf.sqrt(tf.div(v, correction2!)), constants.epsilon));
    const step = spec.weight_decay === 0 ? corrected : tf.add(corrected, tf.mul(weight, decay));
    const [ofWeight, ofStep] = [tf.norm(weight), tf.norm(step)];
    const one = tf.onesLike(ofWeight);
    // a quotient by 0 is not chosen, and may be anything
    const isUsable = tf.logicalAnd(tf.greater(ofWeight, 0), tf.greater(ofStep, 0));
    const ratio = tf.where(isUsable, tf.div(ofWeight, tf.where(isUsable, ofStep, one)), one);
    return { weight: tf.sub(weight, tf.mul(step, tf.mul(ratio, learningRate!))), slots: { m, v } };
  };
}

// adam in the accumulating form that Pawl is built around: bias correction folded into the step size on the host,
// epsilon outside the root and not corrected, amsgrad's maximum before the root:
//   m = β₁·m + (1 − β₁)·g    v = β₂·v + (1 − β₂)·g²    w = w − (lr_t · m) / (√(v or vhat) + ε)
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { OptimizerSpec } from '../../../lib/contract/training.js';
import { adamConstants, type AdamConstants } from '../../../lib/training/learning-rate.js';
import type { OptimizerRule, Slots, StepScalars } from './optimizer.js';

/** m = β₁·m + (1 − β₁)·g and v = β₂·v + (1 − β₂)·g². */
export const nextMoments = ({ beta1, oneMinusBeta1, beta2, oneMinusBeta2 }: AdamConstants, gradient: Tensor, slots: Slots): { m: Tensor; v: Tensor } => ({
  m: tf.add(tf.mul(slots.m!, beta1), tf.mul(gradient, oneMinusBeta1)),
  v: tf.add(tf.mul(slots.v!, beta2), tf.mul(tf.square(gradient), oneMinusBeta2)),
});

export function adam(spec: Extract<OptimizerSpec, { type: 'adam' | 'adamw' }>, { stepSize }: StepScalars): OptimizerRule {
  const constants = adamConstants(spec);
  return (weight, gradient, slots) => {
    const { m, v } = nextMoments(constants, gradient, slots);
    const vhat = spec.amsgrad ? tf.maximum(slots.vhat!, v) : v;
    const move = tf.div(tf.mul(m, stepSize!), tf.add(tf.sqrt(vhat), constants.epsilon));
    return { weight: tf.sub(weight, move), slots: spec.amsgrad ? { m, v, vhat } : { m, v } };
  };
}

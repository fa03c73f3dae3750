// Which optimizer is computed by which file, and the decoupled weight decay that comes before any of them.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { OptimizerSpec } from '../../../lib/contract/spec.js';
import { weightDecayFactor } from '../../../lib/training/learning-rate.js';
import { adam } from './adam.js';
import type { OptimizerRule, OptimizerStep } from './optimizer.js';
import { sgd } from './sgd.js';

export function optimizerRule(spec: OptimizerSpec, step: OptimizerStep): OptimizerRule {
  const rule = spec.type === 'adam' ? adam(spec, step) : sgd(spec, step);
  const factor = weightDecayFactor(spec, step.learningRate);
  if (factor === 0) return rule;
  // w −= lr_u · wd · w, by a difference: (1 − lr_u·wd) would lose the small factor's low bits
  return (weight, gradient, slots) => rule(decayed(weight, factor), gradient, slots);
}

const decayed = (weight: Tensor, factor: number): Tensor => tf.sub(weight, tf.mul(weight, factor));

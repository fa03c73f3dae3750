// Which optimizer is computed by which file, and the decoupled weight decay that comes before any of them.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { OptimizerSpec } from '../../../lib/contract/spec.js';
import { adamStepSize, weightDecayFactor } from '../../../lib/training/learning-rate.js';
import { adam } from './adam.js';
import type { OptimizerRule, StepNumbers, StepScalars } from './optimizer.js';
import { sgd } from './sgd.js';

/**
 * The numbers of an update, by the names that the rule asks for.
 * @param update u, the updates completed before this one
 * @param learningRate lr_u in float64, schedule and decay applied
 */
export function stepNumbers(spec: OptimizerSpec, { update, learningRate }: { update: number; learningRate: number }): StepNumbers {
  const numbers = spec.type === 'adam' ? { stepSize: adamStepSize(spec, learningRate, update) } : { learningRate: Math.fround(learningRate) };
  return spec.weight_decay === 0 ? numbers : { ...numbers, weightDecay: weightDecayFactor(spec, learningRate) };
}

/** @param scalars stepNumbers as tensors */
export function optimizerRule(spec: OptimizerSpec, scalars: StepScalars): OptimizerRule {
  const rule = spec.type === 'adam' ? adam(spec, scalars) : sgd(spec, scalars);
  const { weightDecay } = scalars;
  if (weightDecay === undefined) return rule;
  // w −= lr_u · wd · w, by a difference: (1 − lr_u·wd) would lose the small factor's low bits
  const decayed = (weight: Tensor): Tensor => tf.sub(weight, tf.mul(weight, weightDecay));
  return (weight, gradient, slots) => rule(decayed(weight), gradient, slots);
}

// Which optimizer is computed by which file, and the decoupled weight decay that comes before any of them.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { OptimizerSpec } from '../../../lib/contract/training.js';
import { adamStepSize, biasCorrections, weightDecayFactor } from '../../../lib/training/learning-rate.js';
import { adagrad } from './adagrad.js';
import { adam } from './adam.js';
import { lamb } from './lamb.js';
import type { OptimizerRule, StepNumbers, StepScalars } from './optimizer.js';
import { rmsprop } from './rmsprop.js';
import { sgd } from './sgd.js';

/**
 * The numbers of an update, by the names that the rule asks for.
 * @param update u, the updates completed before this one
 * @param learningRate lr_u in float64, schedule and decay applied
 */
export function stepNumbers(spec: OptimizerSpec, step: { update: number; learningRate: number }): StepNumbers {
  const numbers = numbersOf(spec, step);
  return decaysFirst(spec) ? { ...numbers, weightDecay: weightDecayFactor(spec, step.learningRate) } : numbers;
}

function numbersOf(spec: OptimizerSpec, { update, learningRate }: { update: number; learningRate: number }): StepNumbers {
  switch (spec.type) {
    case 'adam':
    case 'adamw':
      return { stepSize: adamStepSize(spec, learningRate, update) };
    case 'lamb': {
      const [correction1, correction2] = biasCorrections(spec, update);
      return { learningRate: Math.fround(learningRate), correction1, correction2 };
    }
    case 'sgd':
    case 'rmsprop':
    case 'adagrad':
      return { learningRate: Math.fround(learningRate) };
  }
}

/** lamb's decay is in its step. */
const decaysFirst = (spec: OptimizerSpec): boolean => spec.weight_decay > 0 && spec.type !== 'lamb';

/** @param scalars stepNumbers as tensors */
export function optimizerRule(spec: OptimizerSpec, scalars: StepScalars): OptimizerRule {
  const rule = ruleOf(spec, scalars);
  const { weightDecay } = scalars;
  if (weightDecay === undefined) return rule;
  // w −= lr_u · wd · w, by a difference: (1 − lr_u·wd) would lose the small factor's low bits
  const decayed = (weight: Tensor): Tensor => tf.sub(weight, tf.mul(weight, weightDecay));
  return (weight, gradient, slots) => rule(decayed(weight), gradient, slots);
}

function ruleOf(spec: OptimizerSpec, scalars: StepScalars): OptimizerRule {
  switch (spec.type) {
    case 'adam':
    case 'adamw':
      return adam(spec, scalars);
    case 'lamb':
      return lamb(spec, scalars);
    case 'rmsprop':
      return rmsprop(spec, scalars);
    case 'adagrad':
      return adagrad(spec, scalars);
    case 'sgd':
      return sgd(spec, scalars);
  }
}

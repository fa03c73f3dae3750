// Optimizers that TensorFlow has as one operation on a weight and its slots: one pass over memory where the composed form
// (../../optimizers) makes a dozen, which is a tenth of a small model's step.
//
// ResourceApplyAdam takes β as a float32 and 1 − β from it, so its v is that of β rounded to float32: smaller than the
// composed form's by a constant factor (1.3e-5 for 0.999). The bias correction is made from the same rounded β, so the weights follow the
// formula of optimizers/adam.ts as closely as the composed form does. With the powers of β fed as 0 the operation's own
// correction is 1, and its learning rate is the step size.
// https://github.com/tensorflow/tensorflow/blob/v2.20.0/tensorflow/core/kernels/training_ops.cc (ApplyAdamNonCuda)
import type { OptimizerSpec } from '../../../../lib/contract/training.js';
import { adamConstants, adamStepSize } from '../../../../lib/training/learning-rate.js';
import { stepNumbers } from '../../optimizers/index.js';
import type { StepNumbers } from '../../optimizers/optimizer.js';
import { DT } from '../node-backend.js';
import type { Graph, Output } from './graph.js';

export interface NativeOperands {
  weight: Output;
  /** Handles of the slots' variables, by name. */
  slots: Readonly<Record<string, Output>>;
  /** Dead if the update may not happen. */
  gradient: Output;
  /** stepNumbers by name. */
  numbers: Readonly<Record<string, Output>>;
}

export interface NativeUpdate {
  /** Adds the operation, and answers with it. Runs after `after`. */
  apply(graph: Graph, name: string, operands: NativeOperands, after: readonly Output[]): Output;
}

/** The decay of the weight comes before, for both. */
const isAdam = (spec: OptimizerSpec): spec is Extract<OptimizerSpec, { type: 'adam' | 'adamw' }> => spec.type === 'adam' || spec.type === 'adamw';

/** Null for an optimizer that has none. */
export function nativeUpdate(spec: OptimizerSpec): NativeUpdate | null {
  if (!isAdam(spec)) return null;
  const { beta1, beta2, epsilon } = adamConstants(spec);
  return {
    apply(graph, name, { weight, slots, gradient, numbers }, after) {
      const scalar = (part: string, value: number): Output => graph.constant(`${name}/${part}`, { dtype: DT.FLOAT, shape: [], values: [value] });
      const zero = scalar('power', 0);
      const variables = [weight, slots['m']!, slots['v']!, ...(spec.amsgrad ? [slots['vhat']!] : [])];
      return graph.add(name, spec.amsgrad ? 'ResourceApplyAdamWithAmsgrad' : 'ResourceApplyAdam', [...variables, zero, zero, numbers['stepSize']!, scalar('beta1', beta1), scalar('beta2', beta2), scalar('epsilon', epsilon), gradient], { T: { type: DT.FLOAT } }, after);
    },
  };
}

/** The numbers of an update for a graph: those of the composed form, but for what depends on how a native operation rounds. */
export function graphStepNumbers(spec: OptimizerSpec, step: { update: number; learningRate: number }): StepNumbers {
  const numbers = stepNumbers(spec, step);
  if (!isAdam(spec)) return numbers;
  const { beta1, beta2 } = adamConstants(spec);
  return { ...numbers, stepSize: adamStepSize({ ...spec, beta_1: beta1, beta_2: beta2 }, step.learningRate, step.update) };
}

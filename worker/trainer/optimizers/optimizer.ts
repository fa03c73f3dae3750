// What an optimizer is: a pure function of one weight, its gradient, its named slots and the integer step. It holds
// nothing between calls, so there is nothing of it to save but the slots. Types only.
import type { Tensor } from '@tensorflow/tfjs-core';

/** Slots by name: `momentum`, `m`, `v`, `vhat`. */
export type Slots = Readonly<Record<string, Tensor>>;

export interface OptimizerStep {
  /** u, the updates completed before this one. */
  update: number;
  /** lr_u in float64, schedule and decay applied. */
  learningRate: number;
}

/** The weight's and the slots' next values, for all weights of one update. */
export type OptimizerRule = (weight: Tensor, gradient: Tensor, slots: Slots) => { weight: Tensor; slots: Slots };

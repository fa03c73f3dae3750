// What an optimizer is: a pure function of one weight, its gradient, its named slots and the numbers of the step. It holds
// nothing between calls, so there is nothing of it to save but the slots. Types only.
import type { Tensor } from '@tensorflow/tfjs-core';

/** By the names of slotNames. */
export type Slots = Readonly<Record<string, Tensor>>;

/** What changes from update to update, by name: computed on the host in float64 and rounded to float32 once. */
export type StepNumbers = Readonly<Record<string, number>>;
export type StepScalars = Readonly<Record<string, Tensor>>;

/** The weight's and the slots' next values, for all weights of one update. */
export type OptimizerRule = (weight: Tensor, gradient: Tensor, slots: Slots) => { weight: Tensor; slots: Slots };

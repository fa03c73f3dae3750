// The host's part of an update: learning rate and bias correction from the integer count of updates, in float64,
// rounded to float32 once at the end. Never a running product, so a resumed training computes the same bits.
import type { OptimizerSpec, TrainingSpec } from '../contract/spec.js';

/**
 * lr_u in float64: the schedule at u completed updates, ÷ (1 + decay·u).
 * @param update u, the updates completed before this one
 */
export function learningRateAt(training: Pick<TrainingSpec, 'optimizer' | 'lr_schedule'>, update: number): number {
  const { lr, decay } = training.optimizer;
  return scheduled(training.lr_schedule, lr) / (1 + decay * update);
}

function scheduled(schedule: TrainingSpec['lr_schedule'], lr: number): number {
  switch (schedule.type) {
    case 'constant':
      return lr;
  }
}

/** base^exponent by repeated squaring: only multiplications, so the bits do not depend on a library's pow. `exponent` is a non-negative safe integer. */
export function powi(base: number, exponent: number): number {
  let result = 1;
  let square = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}

/** Every number is a float32. */
export interface AdamConstants {
  beta1: number;
  /** 1 − β₁, subtracted in float64 */
  oneMinusBeta1: number;
  beta2: number;
  oneMinusBeta2: number;
  epsilon: number;
}

/** Adam's epsilon where the spec says null. */
export const DEFAULT_EPSILON = 1e-7;

type AdamSpec = Extract<OptimizerSpec, { type: 'adam' }>;

export function adamConstants({ beta_1, beta_2, epsilon }: AdamSpec): AdamConstants {
  return {
    beta1: Math.fround(beta_1),
    oneMinusBeta1: Math.fround(1 - beta_1),
    beta2: Math.fround(beta_2),
    oneMinusBeta2: Math.fround(1 - beta_2),
    epsilon: Math.fround(epsilon ?? DEFAULT_EPSILON),
  };
}

/**
 * lr_t = lr_u · √(1 − β₂^t) / (1 − β₁^t), t = u + 1, as a float32.
 * @param learningRate lr_u, from learningRateAt
 * @param update u, the updates completed before this one
 */
export function adamStepSize({ beta_1, beta_2 }: AdamSpec, learningRate: number, update: number): number {
  const t = update + 1;
  return Math.fround((learningRate * Math.sqrt(1 - powi(beta_2, t))) / (1 - powi(beta_1, t)));
}

/** lr_u · weight_decay as a float32: w −= this · w, before the optimizer's step. */
export function weightDecayFactor(optimizer: OptimizerSpec, learningRate: number): number {
  return Math.fround(learningRate * optimizer.weight_decay);
}

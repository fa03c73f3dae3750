// The host's part of an update: learning rate and bias correction from the integer count of updates, in float64,
// rounded to float32 once at the end. Never a running product, so a resumed training computes the same bits.
import type { LrScheduleSpec, OptimizerSpec, TrainingSpec } from '../contract/training.js';
import type { Problem } from '../errors.js';
import { cosPi, power } from './portable-math.js';

/** lr_u in float64, from u, the updates completed before. */
export type LearningRate = (update: number) => number;

/**
 * lr_u = the schedule at u, after its warm-up, ÷ (1 + decay·u). A function of u alone.
 * @param total updates of the whole training as planned (totalUpdates): some schedules go by it
 */
export function makeLearningRate({ optimizer: { lr, decay }, lr_schedule: schedule }: Pick<TrainingSpec, 'optimizer' | 'lr_schedule'>, total: number): LearningRate {
  const { warmup_updates: warmup } = schedule;
  const after = afterWarmup(schedule, lr, total - warmup);
  return (update) => (update < warmup ? (lr * (update + 1)) / warmup : after(update - warmup)) / (1 + decay * update);
}

/** Where a schedule that goes by the length of the training has no update left for itself. */
export function checkSchedule({ lr_schedule: schedule }: Pick<TrainingSpec, 'lr_schedule'>, total: number): Problem[] {
  const goesByTotal = schedule.type === 'one_cycle' || (schedule.type === 'cosine' && schedule.decay_updates === null);
  if (!goesByTotal || schedule.warmup_updates < total) return [];
  return [{ param: 'training.lr_schedule.warmup_updates', message: `leaves nothing for the schedule "${schedule.type}": warm-up takes ${schedule.warmup_updates} updates, the training makes ${total}` }];
}

/** @param total updates of the training without the warm-up */
function afterWarmup(schedule: LrScheduleSpec, lr: number, total: number): LearningRate {
  switch (schedule.type) {
    case 'constant':
      return () => lr;
    case 'step':
      return (update) => lr * powi(schedule.gamma, Math.floor(update / schedule.every_updates));
    case 'exponential': {
      const { decay_rate: rate, decay_steps: steps, staircase } = schedule;
      return staircase ? (update) => lr * powi(rate, Math.floor(update / steps)) : (update) => lr * power(rate, update / steps);
    }
    case 'cosine': {
      // Keras's CosineDecay
      const updates = schedule.decay_updates ?? total;
      return (update) => lr * ((1 - schedule.alpha) * (0.5 * (1 + cosPi(Math.min(update, updates) / updates))) + schedule.alpha);
    }
    case 'piecewise': {
      const { boundaries, values } = schedule;
      return (update) => values[boundaries.filter((boundary) => update > boundary).length]!;
    }
    case 'one_cycle':
      return oneCycle(schedule, lr, total);
  }
}

/** PyTorch's OneCycleLR with cosine annealing, the momentum left alone: up from lr/div_factor to lr, then down to lr/(div_factor·final_div_factor). */
function oneCycle({ pct_start: share, div_factor: divisor, final_div_factor: finalDivisor }: Extract<LrScheduleSpec, { type: 'one_cycle' }>, lr: number, total: number): LearningRate {
  const low = lr / divisor;
  const last = total - 1;
  const peak = share * total - 1;
  const between = (from: number, to: number, t: number): number => to + ((from - to) / 2) * (1 + cosPi(t));
  return (update) => {
    const at = Math.min(update, last);
    if (at > peak) return between(lr, low / finalDivisor, (at - peak) / (last - peak));
    return peak === 0 ? lr : between(low, lr, at / peak);
  };
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

/** Of adam and its relatives. */
type AdamSpec = Pick<Extract<OptimizerSpec, { type: 'adam' }>, 'beta_1' | 'beta_2' | 'epsilon'>;

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
export function adamStepSize({ beta_1, beta_2 }: Pick<AdamSpec, 'beta_1' | 'beta_2'>, learningRate: number, update: number): number {
  const t = update + 1;
  return Math.fround((learningRate * Math.sqrt(1 - powi(beta_2, t))) / (1 - powi(beta_1, t)));
}

/** 1 − β₁^t and 1 − β₂^t, t = u + 1, as float32: what lamb's moments are divided by. @param update u, the updates completed before this one */
export function biasCorrections({ beta_1, beta_2 }: Pick<AdamSpec, 'beta_1' | 'beta_2'>, update: number): [number, number] {
  return [Math.fround(1 - powi(beta_1, update + 1)), Math.fround(1 - powi(beta_2, update + 1))];
}

/** lr_u · weight_decay as a float32: w −= this · w, before the optimizer's step. */
export function weightDecayFactor(optimizer: OptimizerSpec, learningRate: number): number {
  return Math.fround(learningRate * optimizer.weight_decay);
}

// What a training state is, by name: the cursor, the sums that rows are made of, and the tensors. Types only.
// Tensor names (a layer's name holds no `/`, so these never collide):
//   <layer>/<weight>                        weights, trainable or not            role `weights`
//   optimizer/<layer>/<weight>/<slot>       optimizer slots                      role `slots`
//   ema/<layer>/<weight>                    moving averages of trainable weights  role `ema`
//   best/<any of the above but slots>       the best epoch's, for restore_best     role `best`
//   accumulator/<layer>/<weight>            the open window's gradient           role `window`
//   statistics/<layer>/{count,mean,m2}      the open window's batch statistics   role `window`
import type { EpochRow } from '../contract/rows.js';

/** Where training stands. Counts samples, never batches. */
export interface Cursor {
  /** Completed epochs. */
  epoch: number;
  /** Samples of the current epoch that were consumed. */
  position: number;
  /** Micro-batches in the open window: 0 ≤ p < accum_iters. */
  window_position: number;
  /** Micro-batches consumed since the job began. */
  micro_batches: number;
  updates: number;
  /** An epoch (or the training) ended and its validation has not finished. */
  validation_pending: boolean;
  /** Something in the open window was not finite (nonfinite: skip_window): the rest of it is executed and not applied. */
  skipping: boolean;
  /** Windows that were skipped so far, their micro-batches, and how many windows there were since the last update. */
  skipped: { windows: number; micro_batches: number; in_a_row: number };
  /** Early stopping has ended the training. */
  stopped: boolean;
  /** The training is over, and the best epoch's weights are in place (restore_best). */
  restored: boolean;
}

/** Of the epochs that have ended, for early stopping and keep_best. */
export interface Monitor {
  /** The best value of early stopping's metric, and its epoch, from 1; null before there was one. */
  best: number | null;
  best_epoch: number | null;
  /** Epochs since then. */
  wait: number;
  /** The n best values of keep_best's metric, the best first. */
  kept: number[];
}

/** Sums over the micro-batches of a window or an epoch, in canonical order, as float64. */
export interface PartialSums {
  samples: number;
  micro_batches: number;
  /** Σ over micro-batches of the micro-batch's summed loss (reduction `sample`) or mean loss (reduction `batch`). */
  loss: number;
  /** Σ of correctly classified samples. */
  correct: number;
  /** Σ of samples whose class is among the k likeliest; 0 where that is no metric. */
  top_k_correct: number;
}

/** The part of a state that is numbers. JSON carries it exactly. */
export interface StateCounters {
  cursor: Cursor;
  window: PartialSums;
  epoch: PartialSums;
  /** The row of the last epoch that has ended, or of the part of one that max_updates left; null before. What the result says. */
  last_epoch: EpochRow | null;
  monitor: Monitor;
}

export const STATE_ROLES = ['weights', 'slots', 'ema', 'best', 'window'] as const;
/** A state's tensors lie in one file a role (model/state-files.ts); `window` is there exactly when a window is open that is not to be skipped, `ema` where the job has one, `best` once an epoch was the best. `slots` may be empty. */
export type StateRole = (typeof STATE_ROLES)[number];

export interface HostTensor {
  dtype: 'F32' | 'I32';
  shape: readonly number[];
  /** Row-major, little-endian. */
  data: Float32Array | Int32Array;
}
/** Tensors by name. */
export type TensorMap = ReadonlyMap<string, HostTensor>;

// Sums over the micro-batches of a window or an epoch: what rows and the update's divisor are made of.
// Always added in canonical order as float64, so that a resumed sum continues the same sequence of roundings.
import type { TrainingSpec } from '../contract/training.js';
import type { PartialSums } from './state.js';

type Reduction = TrainingSpec['reduction'];

/** k of the metric top_k_accuracy; null if it is not asked for. */
export const topKOf = (metrics: TrainingSpec['metrics']): number | null => metrics.find((metric) => typeof metric === 'object')?.k ?? null;

export function emptySums(): PartialSums {
  return { samples: 0, micro_batches: 0, loss: 0, correct: 0, top_k_correct: 0 };
}

/** The sums with one more micro-batch. `loss` is Σℓ over its samples (reduction `sample`) or their mean (`batch`). */
export function addMicroBatch(sums: PartialSums, row: Omit<PartialSums, 'micro_batches'>): PartialSums {
  return { samples: sums.samples + row.samples, micro_batches: sums.micro_batches + 1, loss: sums.loss + row.loss, correct: sums.correct + row.correct, top_k_correct: sums.top_k_correct + row.top_k_correct };
}

/**
 * What the accumulated gradient is divided by, a float32. `sample`: Σn_i / batch_size, for gradients of Σℓ / batch_size;
 * `batch`: the number of micro-batches, for gradients of means. Without ragged micro-batches the same number in both.
 */
export function windowDivisor(sums: Pick<PartialSums, 'samples' | 'micro_batches'>, reduction: Reduction, batchSize: number): number {
  return Math.fround(reduction === 'sample' ? sums.samples / batchSize : sums.micro_batches);
}

/** The mean data loss, weighted as `reduction` says; null if there was no micro-batch. NaN and ±Infinity pass through. */
export function meanLoss(sums: PartialSums, reduction: Reduction): number | null {
  const weight = reduction === 'sample' ? sums.samples : sums.micro_batches;
  return weight === 0 ? null : sums.loss / weight;
}

/** The share of samples that one of the counts is; null if there was none. */
export function shareOf(sums: PartialSums, count: 'correct' | 'top_k_correct'): number | null {
  return sums.samples === 0 ? null : sums[count] / sums.samples;
}

/** JSON has no NaN and no Infinity: rows carry null. */
export function finiteOrNull(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}

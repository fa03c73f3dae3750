// Rows of the two metric series, made of the sums in the state: the same numbers whether or not there was a death in between.
import type { TrainingSpec } from '../../lib/contract/training.js';
import type { Rung } from '../../lib/contract/records.js';
import type { EpochRow, UpdateRow } from '../../lib/contract/rows.js';
import type { LearningRate } from '../../lib/training/learning-rate.js';
import type { Cursor, PartialSums } from '../../lib/training/state.js';
import { finiteOrNull, meanLoss, shareOf, topKOf } from '../../lib/training/window.js';
import type { UpdateResult } from './engines/index.js';

/** @param window the sums of the window that the update applied
 *  @param update the update's number, from 1 */
export function updateRow(training: TrainingSpec, learningRate: LearningRate, update: number, window: PartialSums, result: UpdateResult, wallTimeMs: number): UpdateRow {
  return {
    update,
    ...metricsOf(training, window),
    regularization: finiteOrNull(result.regularization),
    lr: finiteOrNull(learningRate(update - 1)),
    grad_norm: finiteOrNull(result.gradNorm),
    samples: window.samples,
    wall_time: wallTimeMs / 1000,
  };
}

/** The row of the epoch that just ended (or of the part of one that max_updates left); epochs are numbered from 1. */
export function epochRow(training: TrainingSpec, learningRate: LearningRate, cursor: Cursor, epoch: PartialSums, validation: PartialSums | null): EpochRow {
  const row = { epoch: cursor.epoch + 1, updates: cursor.updates, ...metricsOf(training, epoch) };
  // the rate of the last update that was made
  const lr = finiteOrNull(learningRate(Math.max(0, cursor.updates - 1)));
  if (validation === null) return { ...row, lr };
  const { loss, accuracy, top_k_accuracy } = metricsOf(evaluated(training), validation);
  return { ...row, val_loss: loss, ...(accuracy === undefined ? {} : { val_accuracy: accuracy }), ...(top_k_accuracy === undefined ? {} : { val_top_k_accuracy: top_k_accuracy }), lr };
}

/** The figures of a state at which a training pauses. */
export function rungOf(training: TrainingSpec, { updates }: Cursor, epoch: PartialSums, validation: PartialSums | null): Rung {
  const figures = (of: Measured, sums: PartialSums, prefix: string): Record<string, number | null> => Object.fromEntries(Object.entries(metricsOf(of, sums)).map(([name, value]) => [prefix + name, value ?? null]));
  return { update: updates, metrics: figures(training, epoch, ''), validation: validation && figures(evaluated(training), validation, 'val_') };
}

type Measured = Pick<TrainingSpec, 'metrics' | 'reduction'>;
/** Of a validation every sample weighs alike. */
const evaluated = ({ metrics }: TrainingSpec): Measured => ({ metrics, reduction: 'sample' });

function metricsOf({ metrics, reduction }: Measured, sums: PartialSums): Pick<UpdateRow, 'loss' | 'accuracy' | 'top_k_accuracy'> {
  return {
    loss: finiteOrNull(meanLoss(sums, reduction)),
    ...(metrics.includes('accuracy') ? { accuracy: shareOf(sums, 'correct') } : {}),
    ...(topKOf(metrics) !== null ? { top_k_accuracy: shareOf(sums, 'top_k_correct') } : {}),
  };
}

/** The figures that a row has by these names. */
export function figuresOf<T extends object>(row: T, names: readonly (keyof T & string)[]): Record<string, number | null> {
  return Object.fromEntries(names.flatMap((name): [string, number | null][] => (row[name] === undefined ? [] : [[name, row[name] as number | null]])));
}

// How long a training is: what its samples, batch size, window, epochs and limits add up to, before it starts.
// With M = ⌈samples / batchSize⌉ micro-batches an epoch and k = accumIters micro-batches a window:
//   carry   ⌊epochs·M/k⌋ updates     flush   epochs·⌈M/k⌉     drop   epochs·⌊M/k⌋     and never more than maxUpdates.
import type { TrainingSpec } from '../contract/training.js';
import type { Problem } from '../errors.js';

/** Everything that decides which step follows which. */
export interface Course {
  /** Training samples, without the validation split. */
  samples: number;
  batchSize: number;
  accumIters: number;
  /** At least one of epochs and maxUpdates is a number; whichever comes first ends the training. */
  epochs: number | null;
  maxUpdates: number | null;
  tail: TrainingSpec['tail'];
  /** Whether the best epoch's weights take the place of the last ones at the end. */
  restoreBest: boolean;
}

/** @param samples training samples, without the validation split */
export function courseOf(training: Pick<TrainingSpec, 'batch_size' | 'accum_iters' | 'epochs' | 'max_updates' | 'tail' | 'early_stopping'>, samples: number): Course {
  return { samples, batchSize: training.batch_size, accumIters: training.accum_iters, epochs: training.epochs, maxUpdates: training.max_updates, tail: training.tail, restoreBest: training.early_stopping?.restore_best ?? false };
}

export function microBatchesPerEpoch(course: Course): number {
  return Math.ceil(course.samples / course.batchSize);
}

/** Updates that an epoch makes by itself; carry has none, its windows cross the epochs' ends. */
function updatesPerEpoch(course: Course): number {
  const windows = microBatchesPerEpoch(course) / course.accumIters;
  return course.tail === 'flush' ? Math.ceil(windows) : Math.floor(windows);
}

/** Updates of the whole training. 0 means that it would never make one: see checkCourse. */
export function totalUpdates(course: Course): number {
  const limit = course.maxUpdates ?? Infinity;
  if (course.tail !== 'carry') {
    const perEpoch = updatesPerEpoch(course);
    return perEpoch === 0 ? 0 : Math.min(limit, (course.epochs ?? Infinity) * perEpoch);
  }
  if (course.epochs === null) return limit;
  // exact for any size: epochs · M may lie beyond 2⁵³
  return Math.min(limit, Number((BigInt(course.epochs) * BigInt(microBatchesPerEpoch(course))) / BigInt(course.accumIters)));
}

/** Micro-batches of the whole training, those of a window dropped at an end included. */
export function totalMicroBatches(course: Course): number {
  const perEpoch = microBatchesPerEpoch(course);
  const byEpochs = (course.epochs ?? Infinity) * perEpoch;
  if (course.maxUpdates === null) return byEpochs;
  if (course.tail === 'carry') return Math.min(byEpochs, course.maxUpdates * course.accumIters);
  const updates = updatesPerEpoch(course);
  if (updates === 0) return byEpochs;
  // the last update is number `last` (from 1) of its epoch; the training ends right after it
  const full = Math.ceil(course.maxUpdates / updates) - 1;
  const last = course.maxUpdates - full * updates;
  return Math.min(byEpochs, full * perEpoch + Math.min(last * course.accumIters, perEpoch));
}

/** What makes a course impossible: no update at all, or more micro-batches than can be counted. */
export function checkCourse(course: Course): Problem[] {
  if (course.samples < 1) return [{ param: 'data', message: 'there are no training samples' }];
  if (course.epochs === null && course.maxUpdates === null) return [{ param: 'training.epochs', message: 'neither epochs nor max_updates is given' }];
  if (totalUpdates(course) === 0) {
    const perEpoch = microBatchesPerEpoch(course);
    const have = `an epoch has ${perEpoch} micro-batches (${course.samples} samples, batch_size ${course.batchSize})`;
    const message =
      course.tail === 'carry'
        ? `no update would ever be made: ${have}, ${course.epochs} epochs do not fill one window of ${course.accumIters}`
        : `no update would ever be made: ${have}, a window ${course.accumIters}, and tail "drop" drops it at each epoch's end`;
    return [{ param: 'training.accum_iters', message }];
  }
  if (!Number.isSafeInteger(totalMicroBatches(course)) || !Number.isSafeInteger(totalMicroBatches(course) * course.batchSize)) {
    const param = course.epochs === null ? 'training.max_updates' : 'training.epochs';
    return [{ param, message: 'the training would have more samples than can be counted (2^53)' }];
  }
  return [];
}

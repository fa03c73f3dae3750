// The training's cursor as a pure state machine: which step is due, and where each step leads. The loop asks
// planStep, does it, and moves on with afterStep; it decides nothing about windows or epochs itself.
//
//   micro_batch ─┬─ window full, or the epoch ended and tail is flush ──► update or skip_window ────┐
//                ├─ epoch ended with an open window (drop; carry at the very end) ──► drop_window ─┤
//                └─ epoch ended, or the last update was made ◄─────────────────────────────────────┘
//                       │ validation_pending is true
//                       ▼
//                   end_epoch (validation, then the epoch's row; also for the part of an epoch that max_updates left)
//                       │ epoch + 1, position 0; validation_pending is false
//                       ▼
//                   micro_batch … or, after the last epoch or update or an early stop, restore_best … finished
//
// `epoch` and `position` roll over after the validation: a checkpoint taken while it is outstanding says
// {position: samples, validation_pending: true}, whether or not there is validation data, and `end_epoch` restarts
// from its beginning. Validation and row are one step, because a validation's figures are not part of the state.
// A state may be kept only where isBoundary says so: a due update or drop always comes first, so 0 ≤ window_position <
// accum_iters in every checkpoint. The window_position of a cursor just after a micro-batch may equal accum_iters.
import type { Problem } from '../errors.js';
import { type Course, microBatchesPerEpoch, totalMicroBatches, totalUpdates } from './course.js';
import type { Cursor } from './state.js';

export type Step = 'micro_batch' | 'update' | 'skip_window' | 'drop_window' | 'end_epoch' | 'restore_best' | 'finished';

export function startCursor(): Cursor {
  return { epoch: 0, position: 0, window_position: 0, micro_batches: 0, updates: 0, validation_pending: false, skipping: false, skipped: { windows: 0, micro_batches: 0, in_a_row: 0 }, stopped: false, restored: false };
}

/** What is due now. */
export function planStep(cursor: Cursor, course: Course): Step {
  const due = windowStep(cursor, course);
  if (due !== null) return due;
  if (cursor.validation_pending) return 'end_epoch';
  if (!cursor.stopped && !isLastUpdate(cursor, course) && cursor.epoch !== course.epochs) return 'micro_batch';
  return course.restoreBest && !cursor.restored ? 'restore_best' : 'finished';
}

/** What has to happen to the window before anything else may. */
function windowStep(cursor: Cursor, course: Course): 'update' | 'skip_window' | 'drop_window' | null {
  const apply = cursor.skipping ? 'skip_window' : 'update';
  if (cursor.window_position === course.accumIters) return apply;
  if (cursor.window_position === 0) return null;
  if (cursor.stopped) return 'drop_window';
  if (!isEpochOver(cursor, course)) return null;
  switch (course.tail) {
    case 'flush':
      return apply;
    case 'drop':
      return 'drop_window';
    case 'carry':
      return cursor.epoch + 1 === course.epochs ? 'drop_window' : null;
  }
}

/** Whether all samples of the epoch were consumed. */
export const isEpochOver = (cursor: Cursor, course: Course): boolean => cursor.position === course.samples;
const isLastUpdate = (cursor: Cursor, course: Course) => cursor.updates === course.maxUpdates;

/** The cursor after the step that was due. Error if another one is: a wrong order would be a wrong result. */
export function afterStep(cursor: Cursor, step: Exclude<Step, 'finished'>, course: Course): Cursor {
  const due = planStep(cursor, course);
  if (due !== step) throw new Error(`the step ${step} was taken where ${due} is due: ${JSON.stringify(cursor)}`);
  switch (step) {
    case 'micro_batch':
      return settle({ ...cursor, position: nextBatch(cursor, course).to, window_position: cursor.window_position + 1, micro_batches: cursor.micro_batches + 1 }, course);
    case 'update':
      return settle({ ...cursor, window_position: 0, updates: cursor.updates + 1, skipped: { ...cursor.skipped, in_a_row: 0 } }, course);
    case 'skip_window': {
      const { windows, micro_batches, in_a_row } = cursor.skipped;
      return settle({ ...cursor, window_position: 0, skipping: false, skipped: { windows: windows + 1, micro_batches: micro_batches + cursor.window_position, in_a_row: in_a_row + 1 } }, course);
    }
    case 'drop_window':
      return settle({ ...cursor, window_position: 0, skipping: false }, course);
    case 'restore_best':
      return { ...cursor, restored: true };
    case 'end_epoch':
      return isEpochOver(cursor, course)
        ? { ...cursor, epoch: cursor.epoch + 1, position: 0, validation_pending: false }
        : { ...cursor, validation_pending: false };
  }
}

/** How many epochs have a row by this state: those that are over, and the part of one that the last update left, once its end was validated. */
export function epochsTold(cursor: Cursor, course: Course): number {
  const leftPart = isLastUpdate(cursor, course) && cursor.position > 0 && !cursor.validation_pending;
  return cursor.epoch + (leftPart ? 1 : 0);
}

/** The cursor of a training that early stopping ends, after end_epoch. */
export const stopEarly = (cursor: Cursor): Cursor => ({ ...cursor, stopped: true });

/** The cursor of an open window in which something was not finite. */
export const skipWindow = (cursor: Cursor): Cursor => ({ ...cursor, skipping: true });

/** Whether the state holds a window's gradients. */
export const holdsWindow = ({ window_position, skipping }: Pick<Cursor, 'window_position' | 'skipping'>): boolean => window_position > 0 && !skipping;

/** Marks the end of an epoch, or of the training, once nothing of the window is due. */
function settle(cursor: Cursor, course: Course): Cursor {
  const ended = !cursor.stopped && (isEpochOver(cursor, course) || isLastUpdate(cursor, course));
  return ended && windowStep(cursor, course) === null ? { ...cursor, validation_pending: true } : cursor;
}

/** Whether a state may be kept here: nothing of the window is due. */
export function isBoundary(cursor: Cursor, course: Course): boolean {
  return windowStep(cursor, course) === null;
}

/** The next micro-batch as positions [from, to) of the epoch's order; the epoch's last one may be ragged. */
export function nextBatch(cursor: Cursor, course: Pick<Course, 'samples' | 'batchSize'>): { from: number; to: number } {
  return { from: cursor.position, to: Math.min(cursor.position + course.batchSize, course.samples) };
}

/** Micro-batches of one window that run one after another. */
export interface Block {
  /** Where the training stands before each of them; at least one. */
  cursors: readonly Cursor[];
  /** The update is due right after them. */
  fillsWindow: boolean;
}

/** The next micro-batches up to the end of their window or epoch, and at most `limit` (≥ 1). Only where a micro-batch is due. */
export function planBlock(cursor: Cursor, course: Course, limit: number): Block {
  const cursors: Cursor[] = [];
  let next = cursor;
  do {
    cursors.push(next);
    next = afterStep(next, 'micro_batch', course);
  } while (cursors.length < limit && next.window_position > 0 && planStep(next, course) === 'micro_batch');
  return { cursors, fillsWindow: planStep(next, course) === 'update' };
}

/**
 * The next block, and the whole windows right after it: each block but a single one is a window from its first micro-batch to
 * its update. Only where a micro-batch is due.
 * @param limits.room micro-batches in all of them; at least 1
 * @param limits.windows blocks; at least 1
 */
export function planBlocks(cursor: Cursor, course: Course, limits: { block: number; windows: number; room: number }): Block[] {
  let block = planBlock(cursor, course, Math.min(limits.block, limits.room));
  const blocks = [block];
  let left = limits.room - block.cursors.length;
  while (blocks.length < limits.windows && isWindow(block) && left > 0) {
    const next = afterStep(afterStep(block.cursors.at(-1)!, 'micro_batch', course), 'update', course);
    if (planStep(next, course) !== 'micro_batch') break;
    block = planBlock(next, course, Math.min(limits.block, left));
    if (!isWindow(block)) break;
    blocks.push(block);
    left -= block.cursors.length;
  }
  return blocks;
}

const isWindow = ({ cursors, fillsWindow }: Block): boolean => fillsWindow && cursors[0]!.window_position === 0;

/** Micro-batches that were executed and are in no update: those of dropped and skipped windows, and of the open one. */
export function unusedMicroBatches(cursor: Cursor, course: Course): number {
  return course.tail === 'flush' ? cursor.window_position + cursor.skipped.micro_batches : cursor.micro_batches - cursor.updates * course.accumIters;
}

/** What ended a finished training; `epochs` if several limits were reached together. */
export function stoppedBy(cursor: Cursor, course: Course): 'epochs' | 'max_updates' | 'early_stopping' {
  if (cursor.epoch === course.epochs) return 'epochs';
  return cursor.stopped ? 'early_stopping' : 'max_updates';
}

export interface CursorProgress {
  /** Completed epochs: validated, row written. */
  epoch: number;
  /** Samples into the epoch. */
  position: number;
  micro_batches: number;
  window_position: number;
  updates: number;
  total_updates: number;
  /** Samples consumed since the job began. */
  samples: number;
  /** 0 to 100 by micro-batches, rounded down to hundredths: 100 only when the last one was consumed. */
  percent: number;
}

export function progressOf(cursor: Cursor, course: Course): CursorProgress {
  const { epoch, position, micro_batches, window_position, updates } = cursor;
  const percent = cursor.stopped ? 100 : Math.min(100, Math.floor((micro_batches / totalMicroBatches(course)) * 10_000) / 100);
  return { epoch, position, micro_batches, window_position, updates, total_updates: totalUpdates(course), samples: epoch * course.samples + position, percent };
}

/**
 * What is wrong with a cursor that was read from a checkpoint: whether it is one that this course leads to, at a
 * boundary. A phase that does not fit the counts would silently shift every later window.
 */
export function checkCursor(cursor: Cursor, course: Course): Problem[] {
  const wrong = (key: keyof Cursor, message: string): Problem => ({ param: `cursor.${key}`, message, code: 'checkpoint_corrupt' });
  const problems: Problem[] = [];
  for (const key of ['epoch', 'position', 'window_position', 'micro_batches', 'updates'] as const) {
    if (!Number.isSafeInteger(cursor[key]) || cursor[key] < 0) problems.push(wrong(key, `is ${String(cursor[key])}, not a count`));
  }
  for (const key of ['validation_pending', 'skipping', 'stopped', 'restored'] as const) {
    if (typeof cursor[key] !== 'boolean') problems.push(wrong(key, 'is not true or false'));
  }
  for (const key of ['windows', 'micro_batches', 'in_a_row'] as const) {
    if (!Number.isSafeInteger(cursor.skipped[key]) || cursor.skipped[key] < 0) problems.push(wrong('skipped', `.${key} is ${String(cursor.skipped[key])}, not a count`));
  }
  if (problems.length > 0) return problems;

  const { epoch, position } = cursor;
  if (position > course.samples || (position % course.batchSize !== 0 && position !== course.samples)) {
    return [wrong('position', `${position} is no boundary of ${course.samples} samples in micro-batches of ${course.batchSize}`)];
  }
  if (course.epochs !== null && (epoch > course.epochs || (epoch === course.epochs && position > 0))) {
    return [wrong('epoch', `${epoch} at position ${position} is beyond the ${course.epochs} epochs of the training`)];
  }
  const { windows, ...expected } = countsAt(cursor, course);
  if (cursor.updates + cursor.skipped.windows !== windows) problems.push(wrong('updates', `are ${cursor.updates} and ${cursor.skipped.windows} windows skipped, but epoch ${epoch} at position ${position} makes it ${windows} windows`));
  for (const key of ['micro_batches', 'window_position'] as const) {
    if (cursor[key] !== expected[key]) problems.push(wrong(key, `is ${cursor[key]}, but epoch ${epoch} at position ${position} makes it ${expected[key]}`));
  }
  if (course.maxUpdates !== null && (cursor.updates > course.maxUpdates || (cursor.skipped.windows === 0 && cursor.micro_batches > totalMicroBatches(course)))) {
    problems.push(wrong('updates', `${cursor.updates} after ${cursor.micro_batches} micro-batches is beyond max_updates ${course.maxUpdates}`));
  }
  const over = isEpochOver(cursor, course);
  const pendingAllowed = over || (isLastUpdate(cursor, course) && position > 0);
  if (cursor.validation_pending ? !pendingAllowed : over) {
    problems.push(wrong('validation_pending', `is ${cursor.validation_pending} at epoch ${epoch}, position ${position}, update ${cursor.updates}`));
  }
  if (cursor.skipping && cursor.window_position === 0) problems.push(wrong('skipping', 'is true without an open window'));
  if (cursor.stopped && position > 0) problems.push(wrong('stopped', `is true at position ${position}: training stops early at an epoch's end only`));
  if (cursor.restored && planStep(cursor, course) !== 'finished') problems.push(wrong('restored', 'is true before the end of the training'));
  return problems;
}

/** The counts of a cursor at a boundary, in closed form; `windows` are those that were applied or skipped. */
function countsAt({ epoch, position, stopped }: Cursor, course: Course): Pick<Cursor, 'micro_batches' | 'window_position'> & { windows: number } {
  const perEpoch = microBatchesPerEpoch(course);
  const inEpoch = Math.ceil(position / course.batchSize);
  const micro_batches = epoch * perEpoch + inEpoch;
  const over = position === course.samples;
  const k = course.accumIters;
  switch (course.tail) {
    case 'carry': {
      const atTheEnd = stopped || epoch === course.epochs || (over && epoch + 1 === course.epochs);
      return { micro_batches, windows: Math.floor(micro_batches / k), window_position: atTheEnd ? 0 : micro_batches % k };
    }
    case 'flush':
      return { micro_batches, windows: epoch * Math.ceil(perEpoch / k) + (over ? Math.ceil(inEpoch / k) : Math.floor(inEpoch / k)), window_position: over ? 0 : inEpoch % k };
    case 'drop':
      return { micro_batches, windows: epoch * Math.floor(perEpoch / k) + Math.floor(inEpoch / k), window_position: over ? 0 : inEpoch % k };
  }
}

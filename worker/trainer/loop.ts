// The training loop. Read this first: one training from its first micro-batch to its last, top to bottom. What is due is
// decided by the cursor (lib/training/cursor.ts), what it means by the engine (engines/); here it is only carried out.
// Failures are exceptions, expected endings are values.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Rung } from '../../lib/contract/records.js';
import type { JobSpec } from '../../lib/contract/spec.js';
import type { EpochRow, UpdateRow } from '../../lib/contract/rows.js';
import { AppError } from '../../lib/errors.js';
import { totalUpdates, type Course } from '../../lib/training/course.js';
import { afterStep, holdsWindow, isBoundary, isEpochOver, planBlocks, planStep, skipWindow, stopEarly, type Block } from '../../lib/training/cursor.js';
import { makeLearningRate, type LearningRate } from '../../lib/training/learning-rate.js';
import { observe } from '../../lib/training/monitor.js';
import type { Cursor, PartialSums, StateCounters } from '../../lib/training/state.js';
import { addMicroBatch, emptySums, windowDivisor } from '../../lib/training/window.js';
import type { Batches, TrainingBatch } from './batches.js';
import type { BestWeights } from './best-weights.js';
import type { Batch, BlockResult, CompiledProgram, UpdateScalars } from './engines/index.js';
import { epochRow, rungOf, updateRow } from './rows.js';
import type { Room } from './snapshot-policy.js';

/** So many windows in a row that are not finite are no accident. */
const SKIPS_LIMIT = 10;

/** What is trained, and from where. */
export interface Training {
  spec: JobSpec;
  course: Course;
  batches: Batches;
  /** Holds the state that belongs to `start`. */
  program: CompiledProgram;
  best: BestWeights;
  start: StateCounters;
  /** Stop after that update; null: go on. */
  pauseAt: number | null;
}

/** What the loop tells, and what it is told. */
export interface Watch {
  /** Asked between any two blocks of micro-batches, and between the batches of a validation. */
  stopAsked(): boolean;
  /** Training stands at a place where its state may be kept; said again between the batches of a validation. */
  boundary(counters: StateCounters): void | Promise<void>;
  /** How much may be run before the next boundary is of interest; at least one micro-batch, and one update. */
  room(cursor: Cursor): Room;
  /** A micro-batch was executed and counted. */
  microBatch(batch: TrainingBatch, cursor: Cursor): void;
  updateRow(row: UpdateRow): void;
  epochRow(row: EpochRow): void;
  /** The epoch that has just ended is one of the best by keep_best's metric: the state at the next boundary is to be kept. */
  bestEpoch(value: number): void;
  nowMs(): number;
}

export type Ending = { kind: 'completed'; counters: StateCounters } | { kind: 'stopped'; counters: StateCounters; rung: Rung | null };

export async function train({ spec, course, batches, program, best, start, pauseAt }: Training, watch: Watch): Promise<Ending> {
  const { training, checkpoint } = spec;
  const learningRate = makeLearningRate(training, totalUpdates(course));
  let { cursor, window, epoch, last_epoch: lastEpoch, monitor } = start;
  /** Where blocks have to end; what comes after is planned by the whole course. */
  const haltAt = pauseAt !== null && pauseAt < totalUpdates(course) ? pauseAt : null;
  const stretch = haltAt === null ? course : { ...course, maxUpdates: haltAt };
  const counters = (): StateCounters => ({ cursor, window, epoch, last_epoch: lastEpoch, monitor });

  /** Where the state may be kept: messages arrive and files are written here. True if it is time to stop. */
  const pause = async (): Promise<boolean> => {
    await watch.boundary(counters());
    await nextTurn();
    return watch.stopAsked();
  };

  /** One block, of the window so far; or whole windows. */
  const run = (parts: readonly { block: Block; batches: readonly Batch[] }[], window: PartialSums): BlockResult[] => {
    const windows = parts.map(({ block, batches }, index) => ({ batches, update: updateScalars(training, learningRate, block.cursors[0]!, index === 0 ? window : emptySums(), batches) }));
    const [only] = windows;
    return windows.length === 1 ? [program.runBlock(only!.batches, parts[0]!.block.fillsWindow ? only!.update : null)] : program.runWindows(windows);
  };

  /** What early stopping and keep_best make of an epoch. */
  function judge(row: EpochRow): void {
    const seen = observe(monitor, row, { stopping: training.early_stopping, keeping: checkpoint.keep_best });
    monitor = seen.monitor;
    if (seen.improved && course.restoreBest) best.keep(holdsWindow(cursor));
    if (seen.keep !== null) watch.bestEpoch(seen.keep);
    if (seen.stop && planStep(cursor, course) === 'micro_batch') cursor = stopEarly(cursor);
  }

  for (;;) {
    const step = planStep(cursor, course);
    if (step === 'finished') return { kind: 'completed', counters: counters() };
    if (isBoundary(cursor, course) && (await pause())) return { kind: 'stopped', counters: counters(), rung: null };
    // Before the end of an epoch that ends here too: its sums are part of the figures, whatever the attempt began with.
    if (haltAt !== null && cursor.updates >= haltAt) {
      const validation = await validate(batches.validation, program, pause);
      return { kind: 'stopped', counters: counters(), rung: validation === 'stopped' ? null : rungOf(training, cursor, epoch, validation) };
    }

    switch (step) {
      case 'micro_batch': {
        const room = watch.room(cursor);
        const blocks = planBlocks(cursor, stretch, { block: program.blockLimit, windows: Math.min(program.windowLimit, room.updates), room: room.microBatches });
        const gathered = await batches.training(blocks.flatMap(({ cursors }) => cursors));
        const parts = blocks.map((block) => ({ block, batches: gathered.splice(0, block.cursors.length) }));
        for (const [index, result] of run(parts, window).entries()) {
          const { batches: executed } = parts[index]!;
          if (!result.finite) {
            if (training.nonfinite === 'fail') throw nonfinite(cursor, executed.length);
            cursor = skipWindow(cursor);
          }
          for (const [at, row] of result.rows.entries()) {
            if (!cursor.skipping) window = addMicroBatch(window, row);
            // of a skipped window, what is finite: the same sums however the window was cut
            if (Number.isFinite(row.loss)) epoch = addMicroBatch(epoch, row);
            cursor = afterStep(cursor, 'micro_batch', course); // only now is the micro-batch consumed
            watch.microBatch(executed[at]!, cursor);
          }
          if (cursor.skipping) {
            program.dropWindow();
            window = emptySums();
          }
          if (result.update === null) continue;
          cursor = afterStep(cursor, 'update', course);
          watch.updateRow(updateRow(training, learningRate, cursor.updates, window, result.update, watch.nowMs()));
          window = emptySums();
        }
        break;
      }
      case 'update':
        throw new Error('an update is due, but it belongs to the block that filled its window');
      case 'skip_window': {
        if (cursor.skipped.in_a_row + 1 === SKIPS_LIMIT) throw new AppError('nonfinite_loss', `${SKIPS_LIMIT} windows in a row were skipped, because their loss or gradient is not finite (epoch ${cursor.epoch + 1}, after ${cursor.updates} updates)`);
        cursor = afterStep(cursor, step, course);
        break;
      }
      case 'restore_best': {
        best.restore();
        cursor = afterStep(cursor, step, course);
        break;
      }
      case 'drop_window': {
        program.dropWindow();
        cursor = afterStep(cursor, step, course);
        window = emptySums();
        break;
      }
      case 'end_epoch': {
        const validation = await validate(batches.validation, program, pause);
        // abandoned: the cursor still says that it is pending, so it starts again from its beginning
        if (validation === 'stopped') return { kind: 'stopped', counters: counters(), rung: null };
        lastEpoch = epochRow(training, learningRate, cursor, epoch, validation);
        watch.epochRow(lastEpoch);
        const ended = isEpochOver(cursor, course);
        cursor = afterStep(cursor, step, course);
        // The part of an epoch that max_updates leaves is none: whoever goes on from here has the rest of it still to come.
        if (!ended) break;
        epoch = emptySums();
        judge(lastEpoch);
        break;
      }
    }
  }
}

/** The whole validation set in inference mode; changes nothing. Null without one. */
async function validate(validation: Batches['validation'], program: CompiledProgram, pause: () => Promise<boolean>): Promise<PartialSums | 'stopped' | null> {
  if (validation.count === 0) return null;
  let sums = emptySums();
  for (let index = 0; index < validation.count; index++) {
    sums = addMicroBatch(sums, program.evaluate(await validation.at(index)));
    if (await pause()) return 'stopped';
  }
  return sums;
}

/** What the window's update needs: its sums once these batches are in it. */
function updateScalars(training: JobSpec['training'], learningRate: LearningRate, { updates }: Cursor, window: PartialSums, gathered: readonly Batch[]): UpdateScalars {
  const samples = gathered.reduce((sum, batch) => sum + batch.samples, window.samples);
  const divisor = windowDivisor({ samples, micro_batches: window.micro_batches + gathered.length }, training.reduction, training.batch_size);
  return { update: updates, divisor, learningRate: learningRate(updates) };
}

function nonfinite(cursor: Cursor, count: number): AppError {
  const [first, last] = [cursor.micro_batches + 1, cursor.micro_batches + count];
  return new AppError('nonfinite_loss', `the loss or gradient is not finite in micro-batch ${first === last ? first : `${first} to ${last}`} (epoch ${cursor.epoch + 1}, after ${cursor.updates} updates)`);
}

// A naive training: loops over epochs and batches and keeps lists. The cursor has to tell the same story.
import fc from 'fast-check';
import { checkCourse, type Course } from '../../../lib/training/course.js';
import { afterStep, nextBatch, planStep } from '../../../lib/training/cursor.js';
import type { Cursor } from '../../../lib/training/state.js';

export type Happening =
  | { kind: 'update'; epoch: number; windows: string[] }
  | { kind: 'drop' | 'skip'; epoch: number; micro: string[] }
  | { kind: 'restore' }
  | { kind: 'end_epoch'; epoch: number; position: number; updates: number };

/** Micro-batches are named `epoch:from-to`. */
export function simulate({ samples, batchSize, accumIters, epochs, maxUpdates, tail }: Course): Happening[] {
  const happenings: Happening[] = [];
  let window: string[] = [];
  let updates = 0;
  const flush = (epoch: number) => {
    happenings.push({ kind: 'update', epoch, windows: window });
    window = [];
    updates += 1;
  };
  const drop = (epoch: number) => {
    happenings.push({ kind: 'drop', epoch, micro: window });
    window = [];
  };
  for (let epoch = 0; epoch < (epochs ?? Infinity); epoch++) {
    for (let from = 0; from < samples; from += batchSize) {
      const to = Math.min(from + batchSize, samples);
      window.push(`${epoch}:${from}-${to}`);
      if (window.length === accumIters) flush(epoch);
      const over = to === samples;
      if (over && window.length > 0) {
        if (tail === 'flush') flush(epoch);
        else if (tail === 'drop' || epoch + 1 === epochs) drop(epoch);
      }
      if (over || updates === maxUpdates) happenings.push({ kind: 'end_epoch', epoch, position: to, updates });
      if (updates === maxUpdates) return happenings;
    }
  }
  return happenings;
}

export interface Trace {
  happenings: Happening[];
  /** Every cursor, before each step. */
  cursors: Cursor[];
  last: Cursor;
}

/** Drives the cursor to its end, or for `limit` steps. `window` are the names of an open window's micro-batches. */
export function drive(start: Cursor, course: Course, window: string[] = [], limit = 100_000): Trace {
  const happenings: Happening[] = [];
  const cursors: Cursor[] = [];
  let cursor = start;
  let open = [...window];
  for (let steps = 0; steps < limit; steps++) {
    cursors.push(cursor);
    const step = planStep(cursor, course);
    const { epoch, position } = cursor;
    switch (step) {
      case 'finished':
        return { happenings, cursors, last: cursor };
      case 'micro_batch': {
        const { from, to } = nextBatch(cursor, course);
        open.push(`${epoch}:${from}-${to}`);
        break;
      }
      case 'update':
        happenings.push({ kind: 'update', epoch, windows: open });
        open = [];
        break;
      case 'drop_window':
        happenings.push({ kind: 'drop', epoch, micro: open });
        open = [];
        break;
      case 'skip_window':
        happenings.push({ kind: 'skip', epoch, micro: open });
        open = [];
        break;
      case 'restore_best':
        happenings.push({ kind: 'restore' });
        break;
      case 'end_epoch':
        happenings.push({ kind: 'end_epoch', epoch, position, updates: cursor.updates });
        break;
    }
    cursor = afterStep(cursor, step, course);
  }
  throw new Error('the cursor never finished');
}

/** Small courses of every kind that make at least one update. */
export const anyCourse: fc.Arbitrary<Course> = fc
  .record({
    samples: fc.integer({ min: 1, max: 30 }),
    batchSize: fc.integer({ min: 1, max: 9 }),
    accumIters: fc.integer({ min: 1, max: 6 }),
    epochs: fc.option(fc.integer({ min: 1, max: 4 })),
    maxUpdates: fc.option(fc.integer({ min: 1, max: 12 })),
    tail: fc.constantFrom('carry', 'flush', 'drop'),
    restoreBest: fc.constant<boolean>(false),
  })
  .filter((course): course is Course => checkCourse(course).length === 0);

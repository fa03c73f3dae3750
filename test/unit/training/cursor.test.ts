import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkCourse, type Course, courseOf, totalMicroBatches, totalUpdates } from '../../../lib/training/course.js';
import {
  afterStep, checkCursor, epochsTold, holdsWindow, isBoundary, planBlock, planBlocks, planStep, progressOf, skipWindow, startCursor, stopEarly, stoppedBy, unusedMicroBatches,
} from '../../../lib/training/cursor.js';
import type { Cursor } from '../../../lib/training/state.js';
import { anyCourse, drive, simulate } from './simulation.js';

const course = (given: Partial<Course>): Course => ({ samples: 23, batchSize: 4, accumIters: 4, epochs: 2, maxUpdates: null, tail: 'carry', restoreBest: false, ...given });

describe('the steps of a training', () => {
  it('are those of a naive simulation, for every kind of window, tail and end', () => {
    fc.assert(
      fc.property(anyCourse, (any) => {
        expect(drive(startCursor(), any).happenings).toEqual(simulate(any));
      }),
      { numRuns: 500 },
    );
  });

  it('are the same from any cursor on, as if nothing had happened before', () => {
    fc.assert(
      fc.property(anyCourse, (any) => {
        const { cursors, happenings, last } = drive(startCursor(), any);
        let done = 0;
        let window: string[] = [];
        for (const cursor of cursors) {
          // what a checkpoint carries is JSON
          const resumed = drive(JSON.parse(JSON.stringify(cursor)) as Cursor, any, window);
          expect(resumed.happenings).toEqual(happenings.slice(done));
          expect(resumed.last).toEqual(last);
          const step = planStep(cursor, any);
          if (step === 'micro_batch') window = [...window, `${cursor.epoch}:${cursor.position}-${Math.min(cursor.position + any.batchSize, any.samples)}`];
          else {
            done += 1;
            if (step !== 'end_epoch') window = [];
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('read like this for a carried window', () => {
    const { cursors } = drive(startCursor(), course({}));
    expect(cursors.map((cursor) => planStep(cursor, course({})))).toEqual([
      ...['micro_batch', 'micro_batch', 'micro_batch', 'micro_batch', 'update', 'micro_batch', 'micro_batch', 'end_epoch'],
      ...['micro_batch', 'micro_batch', 'update', 'micro_batch', 'micro_batch', 'micro_batch', 'micro_batch', 'update', 'end_epoch', 'finished'],
    ]);
  });

  it('skip a window in which something was not finite, and count it', () => {
    const flushed = course({ tail: 'flush', epochs: 1 });
    const poisoned = skipWindow(afterStep(startCursor(), 'micro_batch', flushed));
    expect([holdsWindow(poisoned), isBoundary(poisoned, flushed), planStep(poisoned, flushed)]).toEqual([false, true, 'micro_batch']);
    expect(checkCursor(poisoned, flushed)).toEqual([]);
    const { happenings, last, cursors } = drive(poisoned, flushed, ['0:0-4']);
    expect(happenings.map(({ kind }) => kind)).toEqual(['skip', 'update', 'end_epoch']);
    expect(last).toMatchObject({ updates: 1, skipped: { windows: 1, micro_batches: 4, in_a_row: 0 }, skipping: false });
    expect(unusedMicroBatches(last, flushed)).toBe(4);
    for (const cursor of cursors.filter((each) => isBoundary(each, flushed))) expect(checkCursor(cursor, flushed)).toEqual([]);
    // two in a row
    const again = drive({ ...skipWindow(afterStep(cursors.find(({ skipped }) => skipped.windows === 1)!, 'micro_batch', flushed)) }, flushed).last;
    expect(again).toMatchObject({ updates: 0, skipped: { windows: 2, micro_batches: 6, in_a_row: 2 } });
  });

  it('make up for skipped windows where max_updates is the end, and not where epochs are', () => {
    const byUpdates = course({ epochs: null, maxUpdates: 2, tail: 'carry' });
    const poisoned = skipWindow(afterStep(startCursor(), 'micro_batch', byUpdates));
    const { last } = drive(poisoned, byUpdates);
    expect(last).toMatchObject({ updates: 2, micro_batches: 12, skipped: { windows: 1 } });
    expect(unusedMicroBatches(last, byUpdates)).toBe(4);
    expect(checkCursor(last, byUpdates)).toEqual([]);
    const dropped = course({ tail: 'drop', epochs: 1 });
    const atTail = drive(startCursor(), dropped).cursors.find(({ window_position, micro_batches }) => micro_batches === 5 && window_position === 1)!;
    expect(drive(skipWindow(atTail), dropped).last).toMatchObject({ skipping: false, skipped: { windows: 0 } });
  });

  it('after an early stop are only those that end it', () => {
    const carried = course({ epochs: 9, restoreBest: true });
    const { cursors } = drive(startCursor(), carried);
    const ended = stopEarly(cursors.find(({ epoch }) => epoch === 1)!);
    expect(ended.window_position).toBe(2);
    const { happenings, last } = drive(ended, carried);
    expect(happenings.map(({ kind }) => kind)).toEqual(['drop', 'restore']);
    expect(last).toMatchObject({ epoch: 1, position: 0, window_position: 0, stopped: true, restored: true });
    expect([stoppedBy(last, carried), unusedMicroBatches(last, carried), progressOf(last, carried).percent]).toEqual(['early_stopping', 2, 100]);
    for (const cursor of [afterStep(ended, 'drop_window', carried), last]) expect(checkCursor(cursor, carried)).toEqual([]);
    expect(checkCursor({ ...last, stopped: false, restored: false }, carried).map(({ param }) => param)).toContain('cursor.window_position');
    expect(checkCursor({ ...startCursor(), restored: true }, carried).map(({ param }) => param)).toEqual(['cursor.restored']);
    expect(checkCursor({ ...startCursor(), position: 4, micro_batches: 1, window_position: 0, stopped: true }, carried).map(({ param }) => param)).toContain('cursor.stopped');
  });

  it('are refused out of order', () => {
    expect(() => afterStep(startCursor(), 'update', course({}))).toThrow(/micro_batch is due/);
    const due = { ...startCursor(), position: 16, micro_batches: 4, window_position: 4 };
    expect(() => afterStep(due, 'micro_batch', course({}))).toThrow(/update is due/);
  });
});

describe('the end of an epoch', () => {
  it('keeps epoch and position until validation and row are done, so that an interrupted validation restarts', () => {
    const carried = course({});
    const { cursors } = drive(startCursor(), carried);
    const pending = cursors.find((cursor) => cursor.validation_pending) as Cursor;
    expect(pending).toEqual({ ...startCursor(), position: 23, window_position: 2, micro_batches: 6, updates: 1, validation_pending: true });
    expect(planStep(pending, carried)).toBe('end_epoch');
    expect(afterStep(pending, 'end_epoch', carried)).toEqual({ ...pending, epoch: 1, position: 0, validation_pending: false });
  });

  it('comes once in the middle of an epoch if max_updates ends the training there', () => {
    const short = course({ maxUpdates: 2 });
    const { happenings, last } = drive(startCursor(), short);
    expect(happenings.filter(({ kind }) => kind === 'end_epoch')).toHaveLength(2);
    expect(last).toEqual({ ...startCursor(), epoch: 1, position: 8, micro_batches: 8, updates: 2 });
    expect(stoppedBy(last, short)).toBe('max_updates');
  });

  it('is that of the last epoch if max_updates ends the training just there', () => {
    const both = course({ maxUpdates: 3 });
    const { last } = drive(startCursor(), both);
    expect(last).toMatchObject({ epoch: 2, position: 0, updates: 3 });
    expect(stoppedBy(last, both)).toBe('epochs');
  });
});

describe('boundaries', () => {
  it('are never inside a full window, and an epoch that drops or flushes leaves none open', () => {
    fc.assert(
      fc.property(anyCourse, (any) => {
        for (const cursor of drive(startCursor(), any).cursors) {
          if (!isBoundary(cursor, any)) continue;
          expect(cursor.window_position).toBeLessThan(any.accumIters);
          if (cursor.position === any.samples && any.tail !== 'carry') expect(cursor.window_position).toBe(0);
          expect(checkCursor(cursor, any)).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are told from every cursor that no training leads to', () => {
    fc.assert(
      fc.property(
        anyCourse,
        fc.nat(),
        fc.constantFrom('epoch', 'position', 'window_position', 'micro_batches', 'updates'),
        fc.integer({ min: -3, max: 3 }).filter((delta) => delta !== 0),
        (any, pick, key, delta) => {
          const known = drive(startCursor(), any).cursors.filter((cursor) => isBoundary(cursor, any));
          const real = known[pick % known.length] as Cursor;
          const forged = { ...real, [key]: real[key] + delta };
          const isReal = known.some((cursor) => JSON.stringify(cursor) === JSON.stringify(forged));
          expect(checkCursor(forged, any).length === 0).toBe(isReal);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('that say a validation is due where none is, or none where one is, are told too', () => {
    const any = course({});
    expect(checkCursor({ ...startCursor(), validation_pending: true }, any)).toHaveLength(1);
    expect(checkCursor({ ...startCursor(), position: 23, window_position: 2, micro_batches: 6, updates: 1 }, any)).toHaveLength(1);
  });

  it('that are no numbers are told one by one', () => {
    const broken = { epoch: -1, position: 0.5, window_position: NaN, micro_batches: '3', updates: null, validation_pending: 0, skipping: false, skipped: { windows: 0, micro_batches: -2, in_a_row: 0 }, stopped: 'no', restored: false } as unknown as Cursor;
    expect(checkCursor(broken, course({})).map(({ param }) => param)).toEqual([
      'cursor.epoch', 'cursor.position', 'cursor.window_position', 'cursor.micro_batches', 'cursor.updates', 'cursor.validation_pending', 'cursor.stopped', 'cursor.skipped',
    ]);
  });
});

describe('totals', () => {
  it('are what the training then does', () => {
    fc.assert(
      fc.property(anyCourse, (any) => {
        const { last, happenings } = drive(startCursor(), any);
        expect(last.updates).toBe(totalUpdates(any));
        expect(last.micro_batches).toBe(totalMicroBatches(any));
        const dropped = happenings.reduce((sum, happening) => sum + (happening.kind === 'drop' ? happening.micro.length : 0), 0);
        expect(unusedMicroBatches(last, any)).toBe(dropped);
        expect(progressOf(last, any).percent).toBe(100);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['carry', 2, null, 3],
    ['flush', 2, null, 4],
    ['drop', 2, null, 2],
    ['carry', 3, null, 4],
    ['flush', 3, 5, 5],
    ['carry', null, 100, 100],
  ] as const)('with M = 6 and k = 4: %s, %s epochs, max_updates %s make %d', (tail, epochs, maxUpdates, total) => {
    expect(totalUpdates(course({ tail, epochs, maxUpdates }))).toBe(total);
  });

  it('are exact beyond the integers of a float', () => {
    const huge = course({ samples: 2 ** 31 - 1, batchSize: 1, accumIters: 3, epochs: 1_000_000_000 });
    expect(totalUpdates(huge)).toBe(Number((1_000_000_000n * (2n ** 31n - 1n)) / 3n));
  });

  it.each([
    ['drop', 1, null, /tail "drop"/],
    ['drop', null, 5, /tail "drop"/],
    ['carry', 1, null, /do not fill one window/],
  ] as const)('of 0 are refused: %s, %s epochs, max_updates %s', (tail, epochs, maxUpdates, message) => {
    const problems = checkCourse(course({ tail, epochs, maxUpdates, accumIters: 7 }));
    expect(problems).toEqual([{ param: 'training.accum_iters', message: expect.stringMatching(message) as string }]);
  });

  it('that cannot be counted are refused', () => {
    expect(checkCourse(course({ samples: 2 ** 31 - 1, batchSize: 1, epochs: 1_000_000_000 }))[0]?.param).toBe('training.epochs');
    expect(checkCourse(course({ epochs: null, maxUpdates: Number.MAX_SAFE_INTEGER }))[0]?.param).toBe('training.max_updates');
    expect(checkCourse(course({ samples: 0 }))).toHaveLength(1);
  });
});

describe('blocks and progress', () => {
  it('run exactly up to the next other step', () => {
    fc.assert(
      fc.property(anyCourse, (any) => {
        const { cursors } = drive(startCursor(), any);
        for (const [index, cursor] of cursors.entries()) {
          if (planStep(cursor, any) !== 'micro_batch') continue;
          let length = 0;
          while (planStep(cursors[index + length] as Cursor, any) === 'micro_batch') length += 1;
          const { cursors: all, fillsWindow } = planBlock(cursor, any, Infinity);
          // the next micro-batch may be of another epoch, and then of another block
          expect(all).toEqual(cursors.slice(index, index + all.length));
          expect(all.length).toBeLessThanOrEqual(length);
          expect(fillsWindow).toBe(planStep(cursors[index + all.length] as Cursor, any) === 'update');
          expect(planBlock(cursor, any, 2)).toEqual(all.length <= 2 ? { cursors: all, fillsWindow } : { cursors: all.slice(0, 2), fillsWindow: false });
        }
      }),
      { numRuns: 200 },
    );
  });

  it('of whole windows follow each other with nothing but updates in between', () => {
    const limits = fc.record({ block: fc.integer({ min: 1, max: 9 }), windows: fc.integer({ min: 1, max: 5 }), room: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(Infinity)) });
    let several = 0;
    fc.assert(
      fc.property(anyCourse, limits, (any, { block, windows, room }) => {
        const { cursors } = drive(startCursor(), any);
        for (const cursor of cursors) {
          if (planStep(cursor, any) !== 'micro_batch') continue;
          const blocks = planBlocks(cursor, any, { block, windows, room });
          expect(blocks[0]).toEqual(planBlock(cursor, any, Math.min(block, room)));
          expect(blocks.length).toBeLessThanOrEqual(windows);
          expect(blocks.reduce((sum, each) => sum + each.cursors.length, 0)).toBeLessThanOrEqual(room);
          if (blocks.length > 1) several += 1;
          let at = cursor;
          for (const { cursors: own, fillsWindow } of blocks) {
            if (blocks.length > 1) expect([own[0]!.window_position, fillsWindow, own.length <= block]).toEqual([0, true, true]);
            for (const each of own) {
              expect(each).toEqual(at);
              at = afterStep(at, 'micro_batch', any);
            }
            if (fillsWindow) at = afterStep(at, 'update', any);
          }
        }
      }),
      { numRuns: 200 },
    );
    expect(several).toBeGreaterThan(100);
  });

  it('only grows, and is 100 only when the last micro-batch was consumed', () => {
    fc.assert(
      fc.property(anyCourse, (any) => {
        const seen = drive(startCursor(), any).cursors.map((cursor) => ({ ...progressOf(cursor, any), left: totalMicroBatches(any) - cursor.micro_batches }));
        for (const [index, { percent, samples, left }] of seen.entries()) {
          expect(percent).toBeGreaterThanOrEqual(seen[index - 1]?.percent ?? 0);
          expect(samples).toBeGreaterThanOrEqual(seen[index - 1]?.samples ?? 0);
          expect(percent === 100).toBe(left === 0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('names what a job shows', () => {
    const cursor = { ...startCursor(), epoch: 1, position: 8, window_position: 1, micro_batches: 8, updates: 1 };
    expect(progressOf(cursor, course({}))).toEqual({ epoch: 1, position: 8, window_position: 1, micro_batches: 8, updates: 1, total_updates: 3, samples: 31, percent: 66.66 });
  });

  it('come from the resolved spec', () => {
    expect(courseOf({ batch_size: 4, accum_iters: 4, epochs: 2, max_updates: null, tail: 'carry', early_stopping: null }, 23)).toEqual(course({}));
  });
});

it('an epoch has its row by a state once it is over, and the part that max_updates leaves once it was validated', () => {
  const cut = course({ samples: 100, batchSize: 10, accumIters: 2, epochs: 5, maxUpdates: 7, restoreBest: true });
  const told: [string, number, number][] = [];
  let cursor = startCursor();
  for (let step = planStep(cursor, cut); step !== 'finished'; step = planStep(cursor, cut)) {
    cursor = afterStep(cursor, step, cut);
    if (isBoundary(cursor, cut)) told.push([step, cursor.updates, epochsTold(cursor, cut)]);
  }
  expect(told.filter(([, updates]) => updates === 5)).toEqual([['update', 5, 0], ['end_epoch', 5, 1], ['micro_batch', 5, 1]]);
  expect(told.filter(([, updates]) => updates === 7)).toEqual([['update', 7, 1], ['end_epoch', 7, 2], ['restore_best', 7, 2]]);
});

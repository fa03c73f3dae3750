// The loop by itself, over a program without tensors: the order of its steps, where it stops, and what its rows say.
import { expect, describe, test } from 'vitest';
import type { EpochRow, UpdateRow } from '../../../lib/contract/rows.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { planModel } from '../../../lib/model/plan-model.js';
import type { ExpectedTensor } from '../../../lib/model/slots.js';
import { courseOf } from '../../../lib/training/course.js';
import { isBoundary, startCursor } from '../../../lib/training/cursor.js';
import { startMonitor } from '../../../lib/training/monitor.js';
import type { StateCounters } from '../../../lib/training/state.js';
import { emptySums } from '../../../lib/training/window.js';
import { loadData } from '../../../worker/trainer/batches.js';
import { makeBestWeights } from '../../../worker/trainer/best-weights.js';
import type { Batch, BatchRow } from '../../../worker/trainer/engines/index.js';
import { train, type Ending, type Watch } from '../../../worker/trainer/loop.js';
import { resolved } from '../../resume/support/run-training.js';
import type { Room } from '../../../worker/trainer/snapshot-policy.js';
import { makeToyProgram } from './support/toy-program.js';

const START: StateCounters = { cursor: startCursor(), window: emptySums(), epoch: emptySums(), last_epoch: null, monitor: startMonitor() };

const EXPECTED = new Map<string, ExpectedTensor>([['toy/w', { dtype: 'F32', shape: [1], role: 'weights' }]]);

/** What the program did, whatever the blocks. */
const steps = (program: ReturnType<typeof makeToyProgram>): string[] => program.calls.filter((call) => call !== '|' && !call.endsWith('windows'));

interface Run {
  ending: Ending;
  calls: string[];
  updateRows: UpdateRow[];
  epochRows: EpochRow[];
  boundaries: StateCounters[];
  bestEpochs: number[];
  weight: number;
}
/** 7 samples and a validation of 3, micro-batches of 2: four an epoch, the last one of a single sample. */
async function run(training: NonNullable<JobSpecInput['training']>, options: { checkpoint?: JobSpecInput['checkpoint'];  stopAfter?: number; start?: StateCounters; program?: ReturnType<typeof makeToyProgram>; validation?: boolean; room?: Partial<Room>; pauseAt?: number | null } = {}): Promise<Run> {
  const { program = makeToyProgram(), start = START, stopAfter = Infinity, validation = true, room = {}, pauseAt = null } = options;
  const spec = resolved({
    data: { type: 'builtin', name: 'synthetic', samples: 10, shape: [1, 1, 1], classes: 2, seed: 1, validation: validation ? { split: 0.3 } : null },
    model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 2 }] },
    training: { batch_size: 2, accum_iters: 3, epochs: 2, shuffle: false, optimizer: { type: 'sgd', lr: 0.5, decay: 1 }, ...training },
    checkpoint: options.checkpoint ?? {},
  });
  const data = await loadData(spec, { train: { type: 'builtin', name: 'synthetic', samples: 10, shape: [1, 1, 1], classes: 2, seed: 1 }, validation: null, memoryBytes: 2 ** 20 }, '');
  const planned = planModel(spec.model.layers, data.description.shape, { classes: data.description.classes });
  if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
  const batches = data.batches(planned.plan);
  const course = courseOf(spec.training, data.description.samples);
  const result = { updateRows: [] as UpdateRow[], epochRows: [] as EpochRow[], boundaries: [] as StateCounters[], bestEpochs: [] as number[] };
  const watch: Watch = {
    stopAsked: () => steps(program).length >= stopAfter,
    boundary: (counters) => {
      expect(isBoundary(counters.cursor, course)).toBe(true);
      result.boundaries.push(counters);
    },
    room: () => ({ microBatches: Infinity, updates: Infinity, ...room }),
    microBatch: () => undefined,
    updateRow: (row) => result.updateRows.push(row),
    epochRow: (row) => result.epochRows.push(row),
    bestEpoch: (value) => result.bestEpochs.push(value),
    nowMs: () => 5000,
  };
  const ending = await train({ spec, course, batches, program, best: makeBestWeights(program, EXPECTED, new Map()), start, pauseAt }, watch);
  return { ...result, ending, calls: steps(program), weight: program.weight() };
}

describe('a training', () => {
  test('carries an open window across an epoch, and drops it at the very end', async () => {
    const { calls, ending, updateRows } = await run({ tail: 'carry' });
    expect(calls).toEqual([
      'micro 0:0,1', 'micro 0:2,3', 'micro 0:4,5', 'update 0 /3', 'micro 0:6', 'evaluate', 'evaluate',
      'micro 1:0,1', 'micro 1:2,3', 'update 1 /2.5', 'micro 1:4,5', 'micro 1:6', 'drop', 'evaluate', 'evaluate',
    ]);
    expect(ending).toMatchObject({ kind: 'completed', counters: { cursor: { epoch: 2, position: 0, updates: 2, micro_batches: 8, window_position: 0, validation_pending: false }, window: { samples: 0 } } });
    expect(updateRows.map(({ update, samples, lr, wall_time }) => ({ update, samples, lr, wall_time }))).toEqual([
      { update: 1, samples: 6, lr: 0.5, wall_time: 5 },
      { update: 2, samples: 5, lr: 0.25, wall_time: 5 },
    ]);
  });

  test('flushes a window at each epoch\'s end, divided by what it holds', async () => {
    const { calls } = await run({ tail: 'flush', epochs: 1 });
    expect(calls).toEqual(['micro 0:0,1', 'micro 0:2,3', 'micro 0:4,5', 'update 0 /3', 'micro 0:6', 'update 1 /0.5', 'evaluate', 'evaluate']);
  });

  test('drops a window at each epoch\'s end', async () => {
    const { calls } = await run({ tail: 'drop', epochs: 2 });
    expect(calls.filter((call) => call === 'drop')).toHaveLength(2);
    expect(calls.filter((call) => call.startsWith('update'))).toEqual(['update 0 /3', 'update 1 /3']);
  });

  test('ends at max_updates, with a validation and a row of what it left of the epoch', async () => {
    const { calls, ending, epochRows } = await run({ max_updates: 1, epochs: null });
    expect(calls.slice(3)).toEqual(['update 0 /3', 'evaluate', 'evaluate']);
    expect(ending).toMatchObject({ kind: 'completed', counters: { cursor: { epoch: 0, position: 6, updates: 1 }, last_epoch: { epoch: 1, updates: 1, val_loss: 2 } } });
    expect(epochRows).toHaveLength(1);
  });

  test('writes rows of the means of what the sums hold', async () => {
    const { updateRows, epochRows } = await run({ epochs: 1 });
    // the toy's loss is its weight a sample: 1 until the first update
    expect(updateRows[0]).toMatchObject({ loss: 1, accuracy: 1, grad_norm: 1, regularization: 0 });
    expect(epochRows).toEqual([{ epoch: 1, updates: 1, loss: expect.any(Number), accuracy: 1, val_loss: 2, val_accuracy: 1, lr: 0.5 }]);
  });

  test('weighs every sample of a validation alike, whatever the reduction is', async () => {
    // two batches of a validation of three: of two samples and of one
    const losses = [3, 9];
    const evaluate = ({ samples }: Batch): BatchRow => ({ samples, loss: losses[2 - samples]!, correct: samples, top_k_correct: 0 });
    for (const reduction of ['sample', 'batch'] as const) {
      const { epochRows } = await run({ epochs: 1, reduction }, { program: { ...makeToyProgram(), evaluate } });
      expect(epochRows[0]).toMatchObject({ val_loss: 4, val_accuracy: 1 });
    }
  });

  test('writes each epoch\'s own mean, whatever windows lie across it', async () => {
    const { updateRows, epochRows, weight } = await run({ tail: 'carry' });
    // the toy's loss is its weight: 1 for six samples, then w₁ for one and, in the next epoch, four, then w₂ for three
    const w1 = updateRows[1]!.loss!;
    expect(epochRows.map(({ loss }) => loss)).toEqual([expect.closeTo((6 + w1) / 7, 12), expect.closeTo((4 * w1 + 3 * weight) / 7, 12)]);
    expect(w1).not.toBeCloseTo(weight, 3);
    expect(w1).not.toBeCloseTo(1, 3);
  });

  test('has no metrics in its rows that were not asked for, and no validation without data for it', async () => {
    const { updateRows, epochRows, calls } = await run({ epochs: 1, metrics: [] }, { validation: false });
    expect(calls).not.toContain('evaluate');
    expect(updateRows[0]).not.toHaveProperty('accuracy');
    expect(epochRows).toEqual([{ epoch: 1, updates: 1, loss: expect.any(Number), lr: 0.5 }]);
  });

  test('fails on a micro-batch or an update that is not finite', async () => {
    await expect(run({}, { program: makeToyProgram({ poisonedMicroBatches: [2] }) })).rejects.toMatchObject({ code: 'nonfinite_loss', message: expect.stringContaining('micro-batch 2 (epoch 1, after 0 updates)') as string });
    await expect(run({}, { program: makeToyProgram({ poisonedUpdate: 1 }) })).rejects.toMatchObject({ code: 'nonfinite_loss' });
  });
});

describe('a training that goes on from the state after its last epoch', () => {
  test('ends with the figures of that epoch, also where the best weights are still to be put back', async () => {
    const training = { epochs: 2, early_stopping: { patience: 5, restore_best: true } };
    const whole = await run(training);
    expect(whole.ending.counters.last_epoch).toEqual(whole.epochRows[1]);
    const ended = whole.boundaries.filter(({ cursor }) => cursor.epoch === 2);
    expect(ended.map(({ cursor }) => cursor.restored)).toContain(false);
    for (const start of ended) {
      const { ending, epochRows } = await run(training, { start: JSON.parse(JSON.stringify(start)) as StateCounters });
      expect(epochRows).toEqual([]);
      expect(ending).toEqual({ kind: 'completed', counters: whole.ending.counters });
    }
  });
});

describe('a training that is to pause after an update', () => {
  const part = (calls: string[]): string[] => calls.filter((call) => call !== 'evaluate');

  test.each([[1, 1], [8, 1], [8, 8]])('stops there with its figures, and goes on as if it had not (blocks of %d, %d windows)', async (blockLimit, windowLimit) => {
    const whole = await run({ epochs: 4 });
    const program = makeToyProgram({ blockLimit, windowLimit });
    const first = await run({ epochs: 4 }, { program, pauseAt: 2 });
    expect(first.ending).toMatchObject({ kind: 'stopped', counters: { cursor: { updates: 2, window_position: 0 } }, rung: { update: 2, metrics: { loss: expect.any(Number) as number, accuracy: 1 }, validation: { val_loss: expect.any(Number) as number, val_accuracy: 1 } } });
    // As without the pause, which comes after the update and changes nothing.
    const second = await run({ epochs: 4 }, { program, start: first.ending.counters, pauseAt: 3 });
    const third = await run({ epochs: 4 }, { program, start: second.ending.counters });
    expect(third.ending.kind).toBe('completed');
    expect(part(third.calls)).toEqual(part(whole.calls));
    expect([...first.updateRows, ...second.updateRows, ...third.updateRows]).toEqual(whole.updateRows);
    expect([...first.epochRows, ...second.epochRows, ...third.epochRows]).toEqual(whole.epochRows);
    expect(third.weight).toBe(whole.weight);
  });

  test('says the same figures wherever it was resumed before, also at an epoch’s end', async () => {
    // windows of 2: four micro-batches an epoch, so that the second update ends one
    const training = { epochs: 3, accum_iters: 2 };
    const { boundaries } = await run(training, { pauseAt: 2 });
    const rungs: unknown[] = [];
    for (const start of boundaries) {
      const program = makeToyProgram();
      await run(training, { program, start: START, stopAfter: start.cursor.micro_batches + start.cursor.updates });
      const { ending } = await run(training, { program, start, pauseAt: 2 });
      rungs.push(ending.kind === 'stopped' ? ending.rung : null);
    }
    expect(rungs.length).toBeGreaterThan(3);
    expect(rungs[0]).toMatchObject({ update: 2, metrics: { loss: expect.any(Number) as number } });
    for (const rung of rungs) expect(rung).toEqual(rungs[0]);
  });

  test('stops at once where it begins inside the window after that update, with its figures', async () => {
    const whole = await run({ epochs: 4 });
    const program = makeToyProgram();
    const { cursor } = whole.boundaries.find(({ cursor: { updates, window_position } }) => updates === 2 && window_position === 1)!;
    const begun = await run({ epochs: 4 }, { program, stopAfter: whole.calls.findIndex((call) => call.startsWith('update 1 ')) + 2 });
    expect(begun.ending.counters.cursor).toEqual(cursor);
    const paused = await run({ epochs: 4 }, { program, start: begun.ending.counters, pauseAt: 2 });
    expect(paused.ending).toMatchObject({ kind: 'stopped', counters: begun.ending.counters, rung: { update: 2, validation: { val_accuracy: 1 } } });
    expect((await run({ epochs: 4 }, { program, start: paused.ending.counters })).weight).toBe(whole.weight);
  });

  test('does not pause at its last update, which ends it', async () => {
    expect((await run({ max_updates: 2, epochs: null }, { pauseAt: 2 })).ending.kind).toBe('completed');
  });
});

describe('a window in which something is not finite', () => {
  // windows of three: micro-batches 1 to 3 and 4 to 6, and two that are dropped at the end
  const skipping = (poisonedMicroBatches: number[], blockLimit = 1, training: NonNullable<JobSpecInput['training']> = {}, windowLimit = 1) => run({ nonfinite: 'skip_window', ...training }, { program: makeToyProgram({ poisonedMicroBatches, blockLimit, windowLimit }) });

  test('is executed and not applied, and counted', async () => {
    const { calls, ending, updateRows, epochRows } = await skipping([2]);
    expect(calls.filter((call) => !call.startsWith('evaluate'))).toEqual(['micro 0:0,1', 'micro 0:2,3', 'drop', 'micro 0:4,5', 'drop', 'micro 0:6', 'micro 1:0,1', 'micro 1:2,3', 'update 0 /2.5', 'micro 1:4,5', 'micro 1:6', 'drop']);
    expect(updateRows.map(({ update, samples }) => [update, samples])).toEqual([[1, 5]]);
    expect(ending.counters.cursor).toMatchObject({ updates: 1, micro_batches: 8, skipping: false, skipped: { windows: 1, micro_batches: 3, in_a_row: 0 } });
    // what was finite counts: five samples of seven, each of loss 1
    expect(epochRows[0]).toMatchObject({ loss: 1, updates: 0 });
    expect(ending.counters.epoch.samples).toBe(0);
  });

  test.each([[[2]], [[3]], [[1, 5]], [[6]], [[4, 8]]])('is skipped alike however it is cut: %j', async (poisoned) => {
    const one = await skipping(poisoned);
    for (const blockLimit of [2, 3, 8]) {
      const other = await skipping(poisoned, blockLimit);
      expect({ ...other.ending, rows: other.updateRows, epochs: other.epochRows, weight: other.weight }).toEqual({ ...one.ending, rows: one.updateRows, epochs: one.epochRows, weight: one.weight });
    }
  });

  test('ends a run of whole windows, which goes on after it', async () => {
    const training = { accum_iters: 2, epochs: 3 };
    const one = await skipping([3], 1, training);
    const chained = await skipping([3], 2, training, 8);
    expect({ ...chained.ending, rows: chained.updateRows, epochs: chained.epochRows }).toEqual({ ...one.ending, rows: one.updateRows, epochs: one.epochRows });
    expect(one.ending.counters.cursor).toMatchObject({ updates: 5, skipped: { windows: 1, micro_batches: 2 } });
  });

  test('from any boundary on leads to the same end', async () => {
    const undisturbed = await skipping([2]);
    const poisonedFirst = undisturbed.boundaries.filter(({ cursor }) => cursor.micro_batches >= 2 && cursor.micro_batches < 8 && !cursor.validation_pending && cursor.window_position !== 1);
    expect(poisonedFirst.some(({ cursor }) => cursor.skipping)).toBe(true);
    for (const start of poisonedFirst.filter(({ cursor }) => cursor.skipping || cursor.window_position === 0)) {
      const resumed = await run({ nonfinite: 'skip_window' }, { start: JSON.parse(JSON.stringify(start)) as StateCounters });
      expect(resumed.ending.counters.cursor).toEqual(undisturbed.ending.counters.cursor);
    }
  });

  test('ten times in a row is a failure', async () => {
    const all = Array.from({ length: 99 }, (_, index) => index + 1);
    const failing = run({ nonfinite: 'skip_window', accum_iters: 1, epochs: 5 }, { program: makeToyProgram({ poisonedMicroBatches: all }) });
    await expect(failing).rejects.toMatchObject({ code: 'nonfinite_loss', message: '10 windows in a row were skipped, because their loss or gradient is not finite (epoch 3, after 0 updates)' });
    // the eleventh is good, and counting starts again after it
    const nine = await skipping(all.filter((n) => n % 10 !== 0), 1, { accum_iters: 1, epochs: 5 });
    expect(nine.ending.counters.cursor).toMatchObject({ updates: 2, skipped: { windows: 18 } });
  });
});

describe('early stopping', () => {
  // the toy's validation loss is 2, always; its training loss is its weight
  test('ends a training after patience epochs without improvement, never after the first', async () => {
    const epochsOf = async (early_stopping: NonNullable<JobSpecInput['training']>['early_stopping'], training: NonNullable<JobSpecInput['training']> = {}) => {
      const { epochRows, ending } = await run({ epochs: 9, early_stopping: early_stopping ?? null, ...training });
      return [epochRows.length, ending.counters.cursor.stopped];
    };
    expect(await epochsOf({})).toEqual([2, true]);
    expect(await epochsOf({ patience: 1 })).toEqual([2, true]);
    expect(await epochsOf({ patience: 3 })).toEqual([4, true]);
    // it is over anyway
    expect(await epochsOf({ patience: 8 })).toEqual([9, false]);
    expect(await epochsOf({ metric: 'val_accuracy', patience: 2 })).toEqual([3, true]);
    const falling = { optimizer: { type: 'sgd', lr: 1e-3 } } as const;
    expect(await epochsOf({ metric: 'loss' }, falling)).toEqual([9, false]);
    expect(await epochsOf({ metric: 'loss', min_delta: 10 }, falling)).toEqual([2, true]);
    expect(await epochsOf({ metric: 'loss', mode: 'max', patience: 2 }, falling)).toEqual([3, true]);
  });

  test('drops a window that is open across the end', async () => {
    const { calls, ending } = await run({ epochs: 9, early_stopping: {}, tail: 'carry' });
    expect(calls.slice(-3)).toEqual(['evaluate', 'evaluate', 'drop']);
    expect(ending.counters.cursor).toMatchObject({ epoch: 2, position: 0, window_position: 0, updates: 2, micro_batches: 8, stopped: true });
  });

  test('puts the best epoch’s weights back, at any end', async () => {
    const first = await run({ epochs: 1 });
    const after = await run({ epochs: 3 });
    expect(after.weight).not.toBeCloseTo(first.weight, 5);
    const stopped = await run({ epochs: 9, early_stopping: { patience: 2, restore_best: true } });
    expect([stopped.epochRows.length, stopped.weight]).toEqual([3, Math.fround(first.weight)]);
    expect(stopped.ending.counters).toMatchObject({ cursor: { restored: true }, monitor: { best: 2, best_epoch: 1, wait: 2 } });
    const ended = await run({ epochs: 3, early_stopping: { patience: 9, restore_best: true } });
    expect([ended.epochRows.length, ended.weight]).toEqual([3, Math.fround(first.weight)]);
    expect((await run({ epochs: 3, early_stopping: { patience: 9 } })).weight).toBe(after.weight);
  });

  test('that another one goes on with has whole epochs, also where it ended inside one', async () => {
    const { epochRows: whole } = await run({ max_updates: 3, epochs: null });
    const program = makeToyProgram();
    const first = await run({ max_updates: 1, epochs: null }, { program });
    expect(first.epochRows[0]!.loss).not.toBe(whole[0]!.loss);
    const { epochRows } = await run({ max_updates: 3, epochs: null }, { program, start: { ...first.ending.counters, last_epoch: null, monitor: startMonitor() } });
    expect(epochRows).toEqual(whole);
  });

  test('takes no notice of the part of an epoch that max_updates leaves', async () => {
    const { epochRows, ending, bestEpochs } = await run({ epochs: 9, max_updates: 4, accum_iters: 2, early_stopping: { patience: 1, restore_best: true }, tail: 'drop' }, { checkpoint: { keep_best: {} } });
    expect([epochRows.length, ending.counters.cursor.stopped, bestEpochs]).toEqual([2, false, [2]]);
  });
});

test('the best epochs are told, with their values', async () => {
  const falling = { optimizer: { type: 'sgd', lr: 1e-3 }, epochs: 4 } as const;
  expect((await run(falling, { checkpoint: { keep_best: {} } })).bestEpochs).toEqual([2]);
  const losses = await run(falling, { checkpoint: { keep_best: { metric: 'loss', n: 2 } } });
  expect(losses.bestEpochs).toEqual(losses.epochRows.map(({ loss }) => loss));
  expect(losses.ending.counters.monitor.kept).toEqual(losses.bestEpochs.slice(-2).reverse());
  expect((await run(falling, { checkpoint: { keep_best: { metric: 'loss', mode: 'max', n: 2 } } })).bestEpochs).toEqual(losses.bestEpochs.slice(0, 2));
  expect((await run(falling)).bestEpochs).toEqual([]);
});

describe('blocks', () => {
  const blocks = async (options: { blockLimit: number; room?: Room['microBatches'] }, training: NonNullable<JobSpecInput['training']> = {}): Promise<number[]> => {
    const program = makeToyProgram(options);
    const undisturbed = await run(training);
    const { calls, updateRows, epochRows, weight } = await run(training, { program, ...(options.room === undefined ? {} : { room: { microBatches: options.room } }) });
    expect({ calls, updateRows, epochRows, weight }).toEqual({ calls: undisturbed.calls, updateRows: undisturbed.updateRows, epochRows: undisturbed.epochRows, weight: undisturbed.weight });
    return program.calls.join(' ').split('|').slice(0, -1).map((part) => part.split('micro').length - 1);
  };
  test('hold what the engine takes at once, and never more than is left of the window or the epoch', async () => {
    expect(await blocks({ blockLimit: 8 })).toEqual([3, 1, 2, 2]);
    expect(await blocks({ blockLimit: 2 })).toEqual([2, 1, 1, 2, 2]);
    expect(await blocks({ blockLimit: 8 }, { tail: 'flush' })).toEqual([3, 1, 3, 1]);
  });
  test('end where a boundary is wanted', async () => {
    expect(await blocks({ blockLimit: 8, room: 2 })).toEqual([2, 1, 1, 2, 2]);
  });
});

describe('a stop', () => {
  test('anywhere, and going on from there, does every step once and ends the same', async () => {
    for (const training of [{ tail: 'carry' }, { tail: 'flush' }, { tail: 'drop' }, { max_updates: 2, epochs: null }] as const) {
      const undisturbed = await run(training);
      for (let stopAfter = 1; stopAfter <= undisturbed.calls.length; stopAfter++) {
        const program = makeToyProgram();
        const first = await run(training, { stopAfter, program });
        const before = first.calls;
        if (first.ending.kind === 'completed') {
          expect(before).toEqual(undisturbed.calls);
          continue;
        }
        const second = await run(training, { program, start: JSON.parse(JSON.stringify(first.ending.counters)) as StateCounters });
        // a validation that was stopped starts again, nothing else is done twice
        const again = before.length - before.findLastIndex((call) => call !== 'evaluate') - 1;
        const kept = first.ending.counters.cursor.validation_pending ? before.slice(0, before.length - again) : before;
        expect([...kept, ...second.calls.slice(before.length)], `stop after ${stopAfter}`).toEqual(undisturbed.calls);
        expect([...first.updateRows, ...second.updateRows]).toEqual(undisturbed.updateRows);
        expect([...first.epochRows, ...second.epochRows]).toEqual(undisturbed.epochRows);
        expect(second.weight).toBe(undisturbed.weight);
        expect(second.ending).toEqual(undisturbed.ending.kind === 'completed' && second.epochRows.length === 0 ? { ...undisturbed.ending, epoch: null } : undisturbed.ending);
      }
    }
  });

  test('comes after the micro-batch at hand and the update it leads to', async () => {
    expect((await run({}, { stopAfter: 1 })).calls).toEqual(['micro 0:0,1']);
    expect((await run({}, { stopAfter: 3 })).calls).toEqual(['micro 0:0,1', 'micro 0:2,3', 'micro 0:4,5', 'update 0 /3']);
  });

  test('in a validation leaves it pending', async () => {
    const { ending, epochRows } = await run({}, { stopAfter: 6 });
    expect(ending).toMatchObject({ kind: 'stopped', counters: { cursor: { epoch: 0, position: 7, validation_pending: true, window_position: 1 } } });
    expect(epochRows).toEqual([]);
  });

  test('that is already asked for lets no micro-batch run', async () => {
    const { calls, ending } = await run({}, { stopAfter: 0 });
    expect(calls).toEqual([]);
    expect(ending).toEqual({ kind: 'stopped', counters: START, rung: null });
  });
});

describe('whole windows at once', () => {
  test.each([
    ['carry', 1, Infinity],
    ['flush', 2, Infinity],
    ['drop', 2, 5],
    ['carry', 3, 2],
  ] as const)('are the same training: %s, windows of %d, room for %d', async (tail, accum_iters, room) => {
    const training = { tail, accum_iters, epochs: 4 } as const;
    const one = await run(training, { program: makeToyProgram({ blockLimit: 1 }) });
    const program = makeToyProgram({ blockLimit: 4, windowLimit: 3 });
    const { boundaries, ...many } = await run(training, { program, room: { microBatches: room } });
    const { boundaries: all, ...expected } = one;
    expect(many).toEqual(expected);
    if (accum_iters < 3) expect(program.calls.some((call) => call.endsWith(' windows')), 'several at once').toBe(true);
    // boundaries inside of a call are not stood at
    for (const boundary of boundaries) expect(all).toContainEqual(boundary);
  });

  test('are no more than there is room for updates', async () => {
    const program = makeToyProgram({ blockLimit: 4, windowLimit: 4 });
    await run({ accum_iters: 1, epochs: 1 }, { program, room: { updates: 3 } });
    expect(program.calls.filter((call) => call.endsWith(' windows'))).toEqual(['3 windows']);
  });

  test('end at the first that is not finite, which is named', async () => {
    const program = makeToyProgram({ blockLimit: 1, windowLimit: 4, poisonedMicroBatches: [3] });
    await expect(run({ accum_iters: 1 }, { program })).rejects.toMatchObject({ code: 'nonfinite_loss', message: expect.stringContaining('in micro-batch 3 (epoch 1, after 2 updates)') as string });
    expect(program.calls[0]).toBe('4 windows');
  });
});

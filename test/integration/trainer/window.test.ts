// What happens between two updates, and at one: the fold, the division, the order of both, the batch statistics, and
// what a micro-batch that is not finite may touch. Compared in bits wherever float32 arithmetic can be done on the host.
import { afterEach, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { accumulatorName, statisticName } from '../../../lib/model/slots.js';
import type { Batch, CompiledProgram, Engine, Program } from '../../../worker/trainer/engines/index.js';
import { channelStatistics, values } from '../../unit/trainer/support/naive.js';
import { batchOf, bytesOf, COMPILERS, dataOf, engine, expectNoTensors, programOf, stateOf, withProgram } from './support/engine.js';

afterEach(expectNoTensors);

type Training = NonNullable<JobSpecInput['training']>;
const SGD: Training = { optimizer: { type: 'sgd', lr: 1 }, batch_size: 4, seed: 5 };
const LAYERS: JobSpecInput['model']['layers'] = [
  { type: 'conv2d', filters: 3, kernel_size: 3, activation: 'relu' },
  { type: 'flatten' },
  { type: 'dense', units: 4, activation: 'softmax' },
];
const KERNEL = 'conv2d_1/kernel';
const dense = (training: Training, ragged: number[] = []): Program => programOf(LAYERS, [6, 6, 1], 4, training, ragged);

/** A micro-batch's own gradient, from a window that holds nothing else. */
function alone(compiled: CompiledProgram, batch: Batch, name = KERNEL): number[] {
  compiled.runBlock([batch], null);
  const gradient = dataOf(stateOf(compiled, true), accumulatorName(name));
  compiled.dropWindow();
  return gradient;
}
const STEP = { update: 0, learningRate: 1 };

describe('accumulation', () => {
  test('is a float32 left fold in the order of the micro-batches', () => {
    const program = dense({ ...SGD, accum_iters: 5 });
    withProgram(program, (compiled) => {
      const batches = [0, 1, 2, 3, 4].map((salt) => batchOf(program.plan, 4, salt));
      const gradients = batches.map((batch) => alone(compiled, batch));
      const fold = (order: number[]): number[] => order.map((index) => gradients[index]!).reduce((sum, gradient) => sum.map((value, at) => Math.fround(value + gradient[at]!)));
      compiled.runBlock(batches, null);
      const accumulated = dataOf(stateOf(compiled, true), accumulatorName(KERNEL));
      expect(accumulated).toEqual(fold([0, 1, 2, 3, 4]));
      // the order matters in bits, or this test would prove nothing
      expect(accumulated).not.toEqual(fold([4, 3, 2, 1, 0]));
    });
  });

  test('is divided once, by a true division', () => {
    const program = dense({ ...SGD, accum_iters: 5 });
    withProgram(program, (compiled) => {
      const batches = (): Batch[] => [0, 1, 2, 3, 4].map((salt) => batchOf(program.plan, 4, salt));
      compiled.runBlock(batches(), null);
      const before = stateOf(compiled, true);
      const sum = dataOf(before, accumulatorName(KERNEL));
      compiled.dropWindow();
      compiled.runBlock(batches(), { ...STEP, divisor: 5 });
      const after = dataOf(stateOf(compiled, false), KERNEL);
      const minus = (divided: (value: number) => number): number[] => dataOf(before, KERNEL).map((weight, at) => Math.fround(weight - Math.fround(divided(sum[at]!))));
      expect(after).toEqual(minus((value) => value / 5));
      expect(after).not.toEqual(minus((value) => value * Math.fround(1 / 5)));
    });
  });

  test('of one micro-batch is no accumulation', () => {
    const program = dense({ ...SGD, accum_iters: 1 });
    withProgram(program, (compiled) => {
      const before = dataOf(stateOf(compiled, false), KERNEL);
      const gradient = alone(compiled, batchOf(program.plan, 4));
      compiled.runBlock([batchOf(program.plan, 4)], { ...STEP, divisor: 1 });
      expect(dataOf(stateOf(compiled, false), KERNEL)).toEqual(before.map((weight, at) => Math.fround(weight - gradient[at]!)));
    });
  });

  test.each(['sample', 'batch'] as const)('is the same in bits in blocks of any length, applied with the last of them (reduction %s)', (reduction) => {
    const program = dense({ ...SGD, accum_iters: 4, reduction }, [2]);
    const sizes = [4, 4, 4, 2];
    const all = (): Batch[] => sizes.map((samples, salt) => batchOf(program.plan, samples, salt));
    const end = (cuts: number[]) => withProgram(program, (compiled) => {
      const batches = all();
      const blocks = [0, ...cuts].map((from, index) => batches.slice(from, cuts[index] ?? batches.length));
      const results = blocks.map((block, index) => compiled.runBlock(block, index === blocks.length - 1 ? { ...STEP, divisor: 3.5 } : null));
      return { rows: results.flatMap(({ rows }) => rows), update: results.at(-1)!.update, state: bytesOf(stateOf(compiled, false)) };
    });
    const whole = end([]);
    expect(whole.update).not.toBeNull();
    for (const cuts of [[1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]]) expect(end(cuts), `cut at ${cuts.join(', ')}`).toEqual(whole);
  });

  test('weighs samples, or micro-batches, as the reduction says', () => {
    // 6 samples as 4 + 2, against the same six at once
    const whole = dense({ ...SGD, batch_size: 6, accum_iters: 1 });
    const samples = batchOf(whole.plan, 6);
    const part = (from: number, to: number): Batch => ({ ...samples, x: samples.x.slice(from * 36, to * 36), y: samples.y.slice(from * 4, to * 4), samples: to - from });
    const end = (training: Training, batches: Batch[], divisor: number) => withProgram(dense({ ...SGD, ...training }, [2]), (compiled) => {
      const before = dataOf(stateOf(compiled, false), KERNEL);
      compiled.runBlock(batches, { ...STEP, divisor });
      return dataOf(stateOf(compiled, false), KERNEL).map((value, at) => value - before[at]!);
    });
    const distance = (a: number[], b: number[]) => Math.max(...a.map((value, at) => Math.abs(value - b[at]!)));
    const atOnce = end({ batch_size: 6 }, [samples], 1);
    const bySample = end({ batch_size: 4, accum_iters: 2, reduction: 'sample' }, [part(0, 4), part(4, 6)], 1.5);
    const byBatch = end({ batch_size: 4, accum_iters: 2, reduction: 'batch' }, [part(0, 4), part(4, 6)], 2);
    expect(distance(bySample, atOnce)).toBeLessThan(1e-6);
    expect(distance(byBatch, atOnce)).toBeGreaterThan(1e-3);
  });

  test('reports the global norm of the divided gradient', () => {
    const program = dense({ ...SGD, accum_iters: 2 });
    withProgram(program, (compiled) => {
      const batches = (): Batch[] => [batchOf(program.plan, 4, 0), batchOf(program.plan, 4, 1)];
      compiled.runBlock(batches(), null);
      const state = stateOf(compiled, true);
      const squares = program.plan.weights.flatMap(({ name }) => dataOf(state, accumulatorName(name)).map((value) => (value / 2) ** 2));
      compiled.dropWindow();
      const { update, finite } = compiled.runBlock(batches(), { ...STEP, divisor: 2 });
      expect(finite).toBe(true);
      expect(update!.gradNorm).toBeCloseTo(Math.sqrt(squares.reduce((sum, square) => sum + square, 0)), 5);
    });
  });
});

describe.each(COMPILERS)('%s: what is not finite', (_, compile) => {
  /** What nothing but an update may change. */
  const kept = (compiled: CompiledProgram): Record<string, string> => Object.fromEntries(Object.entries(bytesOf(stateOf(compiled, false))));

  test.each([NaN, Infinity])('an input of %d touches no weight, alone or in a block, with an update asked for or not', (poison) => {
    const program = dense({ ...SGD, accum_iters: 3 });
    for (const update of [null, { ...STEP, divisor: 3 }]) {
      for (const count of [1, 2, 3]) {
        withProgram(program, (compiled) => {
          const before = kept(compiled);
          const batches = [0, 1, 2].slice(0, count).map((salt) => batchOf(program.plan, 4, salt));
          batches[count - 1]!.x[40] = poison;
          const result = compiled.runBlock(batches, update);
          expect(result).toMatchObject({ finite: false, update: null });
          compiled.dropWindow();
          expect(kept(compiled)).toEqual(before);
          // and the next window is as if nothing had happened
          expect(compiled.runBlock([batchOf(program.plan, 4)], { ...STEP, divisor: 1 }).finite).toBe(true);
          expect(kept(compiled)).not.toEqual(before);
        }, compile);
      }
    }
  });

  test('a gradient that overflows although the loss does not is seen', () => {
    const program = programOf([{ type: 'flatten' }, { type: 'dense', units: 2, activation: 'softmax' }], [1, 1, 2], 2, { ...SGD, batch_size: 1, accum_iters: 3 });
    withProgram(program, (compiled) => {
      compiled.loadWeights(new Map([...stateOf(compiled, false)].map(([name, tensor]) => [name, { ...tensor, data: new Float32Array(tensor.data.length) }])));
      const before = kept(compiled);
      // logits 0: a loss of log 2, and a gradient of x/2
      const batch = (x: number): Batch => ({ x: new Float32Array([x, x]), y: new Float32Array([1, 0]), samples: 1, masks: new Map() });
      expect(compiled.runBlock([batch(1e15)], null).finite).toBe(true);
      const { rows, finite } = compiled.runBlock([batch(3e38), batch(3e38)], { ...STEP, divisor: 3 });
      expect(rows.every(({ loss }) => Number.isFinite(loss))).toBe(true);
      expect(finite).toBe(false);
      compiled.dropWindow();
      expect(kept(compiled)).toEqual(before);
    }, compile);
  });

  test('batch statistics that overflow although nothing else does are seen', () => {
    const program = programOf([{ type: 'flatten' }, { type: 'batch_normalization' }, { type: 'dense', units: 2, activation: 'softmax' }], [1, 1, 2], 2, { ...SGD, batch_size: 2 });
    withProgram(program, (compiled) => {
      const batch: Batch = { x: new Float32Array([3e20, 1, -3e20, 2]), y: new Float32Array([1, 0, 0, 1]), samples: 2, masks: new Map() };
      expect(compiled.runBlock([batch], { ...STEP, divisor: 1 })).toMatchObject({ finite: false });
    }, compile);
  });
});

describe('a program run as a graph', () => {
  test('computes the same bits in any number of lanes', () => {
    const spec: Training = { ...SGD, accum_iters: 5 };
    const end = (lanes: number | 'auto') => withProgram({ ...dense(spec, [2]), lanes: { most: lanes === 'auto' ? 64 : lanes, measured: lanes === 'auto' } }, (compiled) => {
      expect(compiled.lanes).toBe(lanes === 'auto' ? compiled.lanes : Math.min(lanes, 5));
      const batches = [4, 4, 4, 4, 2].map((samples, salt) => batchOf(dense(spec).plan, samples, salt));
      const result = compiled.runBlock(batches, { ...STEP, divisor: 4.5 });
      return { result, state: bytesOf(stateOf(compiled, false)) };
    });
    const one = end(1);
    for (const lanes of [2, 3, 5, 64, 'auto'] as const) expect(end(lanes), `${lanes} lanes`).toEqual(one);
  });

  test.each<[string, NonNullable<Training['optimizer']>, number]>([
    ['sgd', { type: 'sgd', momentum: 0.9, nesterov: true, weight_decay: 0.01 }, 0],
    // one operation of TensorFlow's, which rounds otherwise
    ['adam', { type: 'adam', weight_decay: 0.01 }, 1e-6],
    ['adam with amsgrad', { type: 'adam', amsgrad: true }, 1e-6],
  ])('computes what it computes operation by operation, in bits but for native updates: %s', (_, optimizer, tolerance) => {
    const program = programOf([
      { type: 'conv2d', filters: 4, kernel_size: 3, activation: 'relu' }, { type: 'batch_normalization' }, { type: 'max_pooling2d' }, { type: 'flatten' },
      { type: 'dropout', rate: 0.3 }, { type: 'dense', units: 4, activation: 'softmax' },
    ], [8, 8, 2], 4, { optimizer, batch_size: 4, accum_iters: 3, seed: 5 }, [3]);
    const end = (compile: Engine['compile']) => withProgram(program, (compiled) => {
      const results = [0, 1, 2].map((window) => compiled.runBlock([4, 4, 3].map((samples, index) => batchOf(program.plan, samples, 3 * window + index)), { update: window, divisor: 2.75, learningRate: 0.01 }));
      return { first: results[0]!.rows, state: stateOf(compiled, false), inference: compiled.evaluate(batchOf(program.plan, 3)) };
    }, compile);
    const [graph, eager] = COMPILERS.map(([, compile]) => end(compile)) as [ReturnType<typeof end>, ReturnType<typeof end>];
    expect(graph.first).toEqual(eager.first);
    if (tolerance === 0) {
      expect(bytesOf(graph.state)).toEqual(bytesOf(eager.state));
      expect(graph.inference).toEqual(eager.inference);
    }
    for (const [name, { data }] of eager.state) {
      // v is that of a β rounded to float32: off by a constant factor
      const allowed = /\/v(hat)?$/.test(name) ? 2e-5 : tolerance;
      data.forEach((value, at) => expect(Math.abs(graph.state.get(name)!.data[at]! - value), `${name}[${at}]`).toBeLessThanOrEqual(allowed * Math.max(1, Math.abs(value))));
    }
  });
});

describe('batch statistics', () => {
  const program = programOf([{ type: 'batch_normalization', momentum: 0.75 }, { type: 'flatten' }, { type: 'dense', units: 2, activation: 'softmax' }], [3, 2, 2], 2, { ...SGD, batch_size: 4, accum_iters: 3 }, [2]);
  const LAYER = 'batch_normalization_1';
  const batches = (): Batch[] => [4, 4, 2].map((samples, salt) => batchOf(program.plan, samples, salt));
  const all = channelStatistics(values([10 * 6, 2], batches().flatMap(({ x }) => [...x])));

  test('of a window are those of all its values together', () => {
    withProgram(program, (compiled) => {
      compiled.runBlock(batches(), null);
      const state = stateOf(compiled, true);
      expect(dataOf(state, statisticName(LAYER, 'count'))).toEqual([60]);
      dataOf(state, statisticName(LAYER, 'mean')).forEach((mean, channel) => expect(mean).toBeCloseTo(all.mean[channel]!, 6));
      dataOf(state, statisticName(LAYER, 'm2')).forEach((m2, channel) => expect(m2).toBeCloseTo(all.m2[channel]!, 4));
    });
  });

  test('move the moving statistics once an update, as a population', () => {
    withProgram(program, (compiled) => {
      compiled.runBlock(batches().slice(0, 2), null);
      expect(dataOf(stateOf(compiled, true), `${LAYER}/moving_mean`)).toEqual([0, 0]);
      compiled.runBlock(batches().slice(2), { ...STEP, divisor: 2.5 });
      const state = stateOf(compiled, false);
      dataOf(state, `${LAYER}/moving_mean`).forEach((mean, channel) => expect(mean).toBeCloseTo(0.25 * all.mean[channel]!, 6));
      dataOf(state, `${LAYER}/moving_variance`).forEach((variance, channel) => expect(variance).toBeCloseTo(0.75 + (0.25 * all.m2[channel]!) / 60, 6));
      expect([...state.keys()].some((name) => name.startsWith('statistics/'))).toBe(false);
    });
  });

  test('of a single micro-batch are copied, and a single value has no variance', () => {
    const single = programOf([{ type: 'flatten' }, { type: 'batch_normalization', momentum: 0 }, { type: 'dense', units: 2, activation: 'softmax' }], [1, 1, 2], 2, { ...SGD, batch_size: 1 });
    withProgram(single, (compiled) => {
      compiled.runBlock([batchOf(single.plan, 1)], { ...STEP, divisor: 1 });
      const state = stateOf(compiled, false);
      expect(dataOf(state, `${LAYER}/moving_mean`)).toEqual([...batchOf(single.plan, 1).x]);
      expect(dataOf(state, `${LAYER}/moving_variance`)).toEqual([0, 0]);
    });
  });

  test.each(COMPILERS)('%s: and accumulators leave no tensor behind, whether they were applied or dropped', (_, compile) => {
    withProgram(program, (compiled) => {
      const before = engine.liveTensors();
      compiled.runBlock(batches(), { ...STEP, divisor: 2.5 });
      expect(engine.liveTensors()).toBe(before);
      compiled.runBlock(batches(), null);
      compiled.dropWindow();
      expect(engine.liveTensors()).toBe(before);
    }, compile);
  });

  test('are dropped with their window', () => {
    withProgram(program, (compiled) => {
      compiled.runBlock(batches().slice(0, 2), null);
      compiled.dropWindow();
      compiled.runBlock(batches().slice(2), null);
      expect(dataOf(stateOf(compiled, true), statisticName(LAYER, 'count'))).toEqual([12]);
    });
  });

  test('are neither gathered nor moved by a frozen layer', () => {
    const frozen = programOf([{ type: 'batch_normalization', trainable: false }, { type: 'flatten' }, { type: 'dense', units: 2, activation: 'softmax' }], [3, 2, 2], 2, { ...SGD, batch_size: 4, accum_iters: 3 }, [2]);
    withProgram(frozen, (compiled) => {
      const before = stateOf(compiled, false);
      compiled.runBlock(batches().slice(0, 2), null);
      expect([...stateOf(compiled, true).keys()].filter((name) => name.startsWith('statistics/'))).toEqual([]);
      compiled.runBlock(batches().slice(2), { ...STEP, divisor: 2.5 });
      for (const name of ['moving_mean', 'moving_variance', 'gamma', 'beta']) expect(dataOf(stateOf(compiled, false), `${LAYER}/${name}`)).toEqual(dataOf(before, `${LAYER}/${name}`));
    });
  });

  test('and everything else stay as they are in an evaluation', () => {
    withProgram(program, (compiled) => {
      compiled.runBlock(batches(), null);
      const before = bytesOf(stateOf(compiled, true));
      compiled.evaluate(batches()[0]!);
      expect(bytesOf(stateOf(compiled, true))).toEqual(before);
    });
  });
});

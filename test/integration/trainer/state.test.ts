// A state in and out of the engine: snapshots that stay as they were, restores that go on in the same bits, and what is
// refused by name.
import { afterEach, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { isAppError } from '../../../lib/errors.js';
import { accumulatorName, expectedState, slotName, statisticName } from '../../../lib/model/slots.js';
import type { HostTensor } from '../../../lib/training/state.js';
import type { CompiledProgram } from '../../../worker/trainer/engines/index.js';
import { batchOf, bytesOf, dataOf, engine, expectNoTensors, programOf, SEED, stateOf, withProgram } from './support/engine.js';

afterEach(expectNoTensors);

const LAYERS: JobSpecInput['model']['layers'] = [
  { type: 'conv2d', filters: 3, kernel_size: 3, activation: 'relu' },
  { type: 'batch_normalization' },
  { type: 'dropout', rate: 0.5 },
  { type: 'flatten' },
  { type: 'dense', units: 4, activation: 'softmax' },
];
const program = programOf(LAYERS, [6, 6, 1], 4, { batch_size: 4, accum_iters: 3, seed: 9, optimizer: { type: 'adam', amsgrad: true } });
const step = (compiled: CompiledProgram, number: number): void => {
  compiled.runBlock([batchOf(program.plan, 4, number)], number % 3 === 2 ? { update: Math.floor(number / 3), divisor: 3, learningRate: 0.01 } : null);
};
const KERNEL = 'conv2d_1/kernel';

describe('a snapshot', () => {
  test('stays what it was while training goes on', () => {
    withProgram(program, (compiled) => {
      for (let number = 0; number < 4; number++) step(compiled, number);
      const before = bytesOf(stateOf(compiled, true));
      const view = compiled.snapshot(true);
      const early = new Map([...view.names].slice(0, 3).map((name) => [name, view.read(name)]));
      const earlyBytes = bytesOf(early);
      for (let number = 4; number < 9; number++) step(compiled, number);
      expect(bytesOf(new Map(view.names.map((name) => [name, view.read(name)])))).toEqual(before);
      // what was read early did not change under its reader either
      expect(bytesOf(early)).toEqual(earlyBytes);
      expect(bytesOf(stateOf(compiled, false))[KERNEL]).not.toBe(before[KERNEL]);
      view.dispose();
      view.dispose();
    });
  });

  test('outlives its program', () => {
    const compiled = engine.compile(program);
    compiled.initialise(SEED);
    const view = compiled.snapshot(false);
    compiled.close();
    expect(view.read(KERNEL).data).toHaveLength(27);
    view.dispose();
  });

  test('holds exactly the names, types and shapes of a state', () => {
    withProgram(program, (compiled) => {
      for (const open of [false, true]) {
        if (open) step(compiled, 0);
        const expected = [...expectedState(program.plan, program, open)].map(([name, { dtype, shape }]) => [name, dtype, shape]);
        expect([...stateOf(compiled, open)].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual(expected);
      }
    });
  });

  test('of a window that is not there, or without one that is, is refused', () => {
    withProgram(program, (compiled) => {
      expect(() => compiled.snapshot(true)).toThrow(/window/);
      step(compiled, 0);
      expect(() => compiled.snapshot(false)).toThrow(/window/);
    });
  });
});

describe('a restore', () => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('after micro-batch %i goes on in the same bits', (cut) => {
    const end = (from: number, start: (compiled: CompiledProgram) => void) => withProgram(program, (compiled) => {
      start(compiled);
      for (let number = from; number < 9; number++) step(compiled, number);
      return bytesOf(stateOf(compiled, false));
    });
    const undisturbed = end(0, () => undefined);
    const open = (cut + 1) % 3 !== 0;
    const half = withProgram(program, (compiled) => {
      for (let number = 0; number <= cut; number++) step(compiled, number);
      return stateOf(compiled, open);
    });
    expect(end(cut + 1, (compiled) => compiled.restore(half, open))).toEqual(undisturbed);
  });

  test('does not keep hold of the buffers it was given', () => {
    withProgram(program, (compiled) => {
      step(compiled, 0);
      const state = stateOf(compiled, true);
      const before = bytesOf(state);
      compiled.restore(state, true);
      for (const { data } of state.values()) data.fill(7);
      expect(bytesOf(stateOf(compiled, true))).toEqual(before);
    });
  });

  const stateWith = (change: (state: Map<string, HostTensor>) => void): Map<string, HostTensor> => withProgram(program, (compiled) => {
    step(compiled, 0);
    const state = stateOf(compiled, true);
    change(state);
    return state;
  });
  test.each<[string, string, (state: Map<string, HostTensor>) => void]>([
    ['a missing weight', KERNEL, (state) => state.delete(KERNEL)],
    ['a missing slot', slotName(KERNEL, 'vhat'), (state) => state.delete(slotName(KERNEL, 'vhat'))],
    ['a missing accumulator', accumulatorName(KERNEL), (state) => state.delete(accumulatorName(KERNEL))],
    ['a missing statistic', statisticName('batch_normalization_1', 'count'), (state) => state.delete(statisticName('batch_normalization_1', 'count'))],
    ['an extra tensor', 'other/kernel', (state) => state.set('other/kernel', { dtype: 'F32', shape: [1], data: new Float32Array(1) })],
    ['a wrong shape', 'dense_1/bias', (state) => state.set('dense_1/bias', { dtype: 'F32', shape: [5], data: new Float32Array(5) })],
    ['a transposed shape', 'dense_1/kernel', (state) => state.set('dense_1/kernel', { dtype: 'F32', shape: [4, 48], data: new Float32Array(192) })],
    ['a wrong type', 'dense_1/bias', (state) => state.set('dense_1/bias', { dtype: 'I32', shape: [4], data: new Int32Array(4) })],
    ['too little data', 'dense_1/bias', (state) => state.set('dense_1/bias', { dtype: 'F32', shape: [4], data: new Float32Array(3) })],
  ])('with %s is refused by name', (_, name, change) => {
    const state = stateWith(change);
    withProgram(program, (compiled) => {
      let error: unknown;
      try {
        compiled.restore(state, true);
      } catch (thrown) {
        error = thrown;
      }
      expect(isAppError(error, 'checkpoint_corrupt')).toBe(true);
      expect((error as Error).message).toContain(`"${name}"`);
    });
  });
  test('of a closed window with an accumulator is refused', () => {
    const state = stateWith(() => undefined);
    withProgram(program, (compiled) => expect(() => compiled.restore(state, false)).toThrow(accumulatorName(KERNEL)));
  });
});

describe('first weights', () => {
  test('from a file replace the initializers\', and only them', () => {
    withProgram(program, (compiled) => {
      const weights = new Map([...stateOf(compiled, false)].filter(([name]) => !name.startsWith('optimizer/')).map(([name, tensor]) => [name, { ...tensor, data: tensor.data.map((_, index) => index / 8) as Float32Array }]));
      compiled.loadWeights(weights);
      expect(dataOf(stateOf(compiled, false), KERNEL)[3]).toBe(3 / 8);
      expect(dataOf(stateOf(compiled, false), slotName(KERNEL, 'm'))[3]).toBe(0);
    });
  });
  test('that do not fit are invalid data, by name', () => {
    withProgram(program, (compiled) => {
      try {
        compiled.loadWeights(new Map());
        expect.unreachable();
      } catch (error) {
        expect(isAppError(error, 'invalid_data')).toBe(true);
        expect((error as Error).message).toContain(KERNEL);
      }
    });
  });
});

describe('a model', () => {
  test('without a trainable weight is refused', () => {
    const frozen = programOf([{ type: 'flatten' }, { type: 'dense', units: 4, trainable: false, activation: 'softmax' }], [2, 2, 1], 4);
    expect(() => engine.compile(frozen)).toThrow(/no trainable weight/);
  });
});

// Micro-batches in slices: the same training but for the order of additions, wherever it is cut; and as many slices as memory
// makes necessary, or a refusal with its reason.
import { afterEach, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { isAppError } from '../../../lib/errors.js';
import { estimateMemory } from '../../../lib/model/memory.js';
import { compileFitting } from '../../../worker/trainer/compile-fitting.js';
import type { Batch, CompiledProgram, Engine, Program } from '../../../worker/trainer/engines/index.js';
import { batchOf, bytesOf, engine, expectNoTensors, programOf, SEED, stateOf } from './support/engine.js';

afterEach(expectNoTensors);

type Layers = JobSpecInput['model']['layers'];
const LAYERS: Layers = [
  { type: 'conv2d', filters: 4, kernel_size: 3, activation: 'relu' },
  { type: 'dropout', rate: 0.4 },
  { type: 'flatten' },
  { type: 'dense', units: 4, activation: 'softmax' },
];
const BATCH = 12;
const program = (layers = LAYERS, training: JobSpecInput['training'] = {}): Program =>
  programOf(layers, [10, 10, 1], 4, { optimizer: { type: 'sgd', lr: 0.5 }, batch_size: BATCH, accum_iters: 4, seed: 5, lanes: 1, ...training }, [7]);

/** The engine on a device on which `samples` at a time fit, and one more does not. */
const roomFor = (samples: number, of: Program): Engine => ({ ...engine, memoryBytes: estimateMemory(of.plan, samples, of, 1) });
const fit = (samples: number, of: Program, numerics: 'strict' | 'fast' = 'fast', fromParts = 1) => compileFitting(roomFor(samples, of), of, { numerics, lanes: 1 }, fromParts);

function withParts<T>(samples: number, of: Program, work: (compiled: CompiledProgram, parts: number) => T): T {
  const { compiled, parts } = fit(samples, of);
  try {
    compiled.initialise(SEED);
    return work(compiled, parts);
  } finally {
    compiled.close();
  }
}

const SIZES = [BATCH, BATCH, BATCH, 7];
const UPDATE = { update: 0, learningRate: 0.5, divisor: 43 / BATCH };
/** A window of these micro-batches, in blocks that end at `cuts`; then an evaluation. */
function window(compiled: CompiledProgram, { plan }: Program, cuts: readonly number[] = []) {
  const batches = SIZES.map((samples, salt): Batch => batchOf(plan, samples, salt));
  const blocks = [0, ...cuts].map((from, index) => batches.slice(from, cuts[index] ?? batches.length));
  const results = blocks.map((block, index) => compiled.runBlock(block, index === blocks.length - 1 ? UPDATE : null));
  return { rows: results.flatMap(({ rows }) => rows), update: results.at(-1)!.update!, evaluated: compiled.evaluate(batchOf(plan, 7, 9)), state: stateOf(compiled, false) };
}

describe('a micro-batch in slices', () => {
  test.each([
    [6, 2],
    [4, 4],
    [3, 4],
    [1, 16],
  ])('of at most %i samples is the same training up to rounding', (samples, doubled) => {
    const of = program();
    const whole = withParts(BATCH, of, (compiled, parts) => (expect(parts).toBe(1), window(compiled, of)));
    const sliced = withParts(samples, of, (compiled, parts) => {
      expect(parts).toBe(Math.min(doubled, BATCH));
      return window(compiled, of);
    });
    expect(sliced.rows.map((row) => row.samples)).toEqual(SIZES);
    expect(sliced.rows.map((row) => row.correct)).toEqual(whole.rows.map((row) => row.correct));
    for (const [index, row] of sliced.rows.entries()) expect(row.loss / whole.rows[index]!.loss).toBeCloseTo(1, 5);
    expect(sliced.update.gradNorm / whole.update.gradNorm).toBeCloseTo(1, 5);
    expect(sliced.evaluated.loss / whole.evaluated.loss).toBeCloseTo(1, 5);
    for (const [name, { data }] of sliced.state) for (const [at, value] of data.entries()) expect(Math.abs(value - whole.state.get(name)!.data[at]!), name).toBeLessThan(2e-6);
    // what it is called: other bits
    expect(bytesOf(sliced.state)).not.toEqual(bytesOf(whole.state));
  });

  test('is the same in bits wherever its window is cut', () => {
    const of = program();
    const ends = [[], [1], [2, 3], [1, 2, 3]].map((cuts) => withParts(4, of, (compiled) => {
      const { state, rows, update } = window(compiled, of, cuts);
      return { state: bytesOf(state), rows, update };
    }));
    for (const end of ends.slice(1)) expect(end).toEqual(ends[0]);
  });

  test('that is not finite is executed to its end, and says the same in whatever company', () => {
    // slices of 3, 3, 3 and 1 samples, so that a block ends inside the first micro-batch
    const of = program(LAYERS, { batch_size: 10 });
    withParts(3, of, (compiled, parts) => {
      expect(parts).toBe(4);
      const poisoned = (): Batch[] => {
        const batches = [0, 1].map((salt) => batchOf(of.plan, 10, salt));
        batches[0]!.x[0] = NaN;
        return batches;
      };
      const together = compiled.runBlock(poisoned(), null);
      compiled.dropWindow();
      expect(together).toMatchObject({ finite: false, update: null });
      expect(together.rows.length).toBeGreaterThan(0);
      const alone = poisoned().map((batch) => {
        const { rows, finite } = compiled.runBlock([batch], null);
        compiled.dropWindow();
        return { row: rows[0]!, finite };
      });
      expect(alone).toMatchObject([{ row: { samples: 10 }, finite: false }, { row: { samples: 10 }, finite: true }]);
      expect(together.rows).toEqual(alone.slice(0, together.rows.length).map(({ row }) => row));
    });
  });

  test('goes on from a checkpoint inside a window', () => {
    const of = program();
    const batches = (): Batch[] => SIZES.map((samples, salt) => batchOf(of.plan, samples, salt));
    const undisturbed = withParts(4, of, (compiled) => bytesOf(window(compiled, of).state));
    const inside = withParts(4, of, (compiled) => {
      compiled.runBlock(batches().slice(0, 2), null);
      return stateOf(compiled, true);
    });
    withParts(4, of, (compiled) => {
      compiled.restore(inside, true);
      compiled.runBlock(batches().slice(2), UPDATE);
      expect(bytesOf(stateOf(compiled, false))).toEqual(undisturbed);
    });
  });
});

describe('how many slices', () => {
  const partsOf = (...[samples, of, numerics, fromParts]: Parameters<typeof fit>): number => {
    const { compiled, parts } = fit(samples, of, numerics, fromParts);
    compiled.close();
    return parts;
  };
  const refusal = (...args: Parameters<typeof fit>): string => {
    try {
      fit(...args).compiled.close();
      return 'compiled';
    } catch (error) {
      return isAppError(error, 'oom') ? error.message : String(error);
    }
  };

  test('are as few as fit, but no fewer than the job has begun with', () => {
    const of = program();
    expect([BATCH, 11, 5].map((samples) => partsOf(samples, of))).toEqual([1, 2, 4]);
    expect(partsOf(BATCH, of, 'fast', 2)).toBe(2);
    expect(partsOf(4, of, 'fast', 3)).toBe(3);
  });

  test('none in strict', () => {
    expect(partsOf(BATCH, program(), 'strict')).toBe(1);
    expect(refusal(5, program(), 'strict')).toMatch(/^micro-batches of 12 samples need about \d+ MiB, and there are \d+ MiB; a batch_size of 5 would fit/);
  });

  test('none where a micro-batch is more than the sum of its samples', () => {
    const normalized: Layers = [{ type: 'conv2d', filters: 4, kernel_size: 3 }, { type: 'batch_normalization' }, { type: 'flatten' }, { type: 'dense', units: 4, activation: 'softmax' }];
    expect(refusal(5, program(normalized))).toMatch(/a batch_size of 5 would fit.*; numerics "fast" cannot split them: the layer "batch_normalization_1" takes its statistics over whole micro-batches$/);
    expect(refusal(5, program(LAYERS, { reduction: 'batch' }))).toMatch(/cannot split them: the reduction "batch" is over whole micro-batches$/);
    expect(partsOf(BATCH, program(normalized))).toBe(1);
  });

  test('end where not even one sample fits', () => {
    const of = program();
    const none: Engine = { ...engine, memoryBytes: 1_000 };
    expect(() => compileFitting(none, of, { numerics: 'fast', lanes: 1 }, 1)).toThrow(/not even a batch_size of 1 would fit/);
  });
});

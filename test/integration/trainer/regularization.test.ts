// What comes between a window's gradient and the optimizer, and after it: regularizers, clipping, constraints. Through the
// whole engine, against float64 arithmetic on the accumulators that it shows.
import { afterEach, describe, expect, test } from 'vitest';
import type { ConstraintSpec } from '../../../lib/contract/layers.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { accumulatorName } from '../../../lib/model/slots.js';
import type { Batch, CompiledProgram, Program, UpdateResult } from '../../../worker/trainer/engines/index.js';
import { batchOf, bytesOf, COMPILERS, dataOf, expectNoTensors, programOf, stateOf, withProgram } from './support/engine.js';

afterEach(expectNoTensors);

type Training = NonNullable<JobSpecInput['training']>;
type Keys = Record<string, unknown>;

const RATE = 0.5;
const STEP = { update: 0, divisor: 2, learningRate: RATE };
const SGD: Training = { batch_size: 4, accum_iters: 2, optimizer: { type: 'sgd', lr: 1 } };

/** A convolution and a dense layer with keys of their own. */
function networkOf(conv: Keys, dense: Keys, training: Training): Program {
  const layers = [{ type: 'conv2d', filters: 3, kernel_size: 2, ...conv }, { type: 'flatten' }, { type: 'dense', units: 3, activation: 'softmax', ...dense }] as JobSpecInput['model']['layers'];
  return programOf(layers, [4, 4, 2], 3, { ...SGD, ...training });
}
const batchesOf = ({ plan }: Program): Batch[] => [batchOf(plan, 4, 0), batchOf(plan, 4, 1)];

interface Seen {
  before: Map<string, number[]>;
  /** The divided gradients. */
  gradients: Map<string, number[]>;
  after: Map<string, number[]>;
  update: UpdateResult;
}

/** One window and its update. */
function updateOf(program: Program, compile: (program: Program) => CompiledProgram, step = STEP): Seen {
  return withProgram(program, (compiled) => {
    const names = program.plan.weights.map(({ name }) => name);
    const weights = (): Map<string, number[]> => new Map(names.map((name) => [name, dataOf(stateOf(compiled, false), name)]));
    const before = weights();
    compiled.runBlock(batchesOf(program), null);
    const open = stateOf(compiled, true);
    const gradients = new Map(names.map((name) => [name, dataOf(open, accumulatorName(name)).map((value) => value / step.divisor)]));
    compiled.dropWindow();
    const { update, finite } = compiled.runBlock(batchesOf(program), step);
    expect(finite).toBe(true);
    return { before, gradients, after: weights(), update: update! };
  }, compile);
}

const squares = (gradients: Iterable<number[]>): number => [...gradients].flat().reduce((sum, value) => sum + value * value, 0);
const expectClose = (actual: number[], expected: number[], what: string): void => actual.forEach((value, at) => expect(Math.abs(value - expected[at]!), `${what} ${at}`).toBeLessThan(3e-6));
/** w − lr·g */
const moved = (weights: number[], gradient: number[]): number[] => weights.map((value, at) => value - RATE * gradient[at]!);

describe.each(COMPILERS)('%s', (_, compile) => {
  test('a regularizer’s gradient is added once a window, and its penalty told', () => {
    const program = networkOf({ kernel_regularizer: { l1: 0.02, l2: 0.3 } }, { bias_regularizer: { l1: 0.1 }, bias_initializer: 'ones' }, {});
    const { before, gradients, after, update } = updateOf(program, compile);
    const kernel = before.get('conv2d_1/kernel')!;
    const bias = before.get('dense_1/bias')!;
    const whole = new Map(gradients);
    whole.set('conv2d_1/kernel', gradients.get('conv2d_1/kernel')!.map((g, at) => g + 0.02 * Math.sign(kernel[at]!) + 0.6 * kernel[at]!));
    whole.set('dense_1/bias', gradients.get('dense_1/bias')!.map((g) => g + 0.1));
    for (const [name, gradient] of whole) expectClose(after.get(name)!, moved(before.get(name)!, gradient), name);
    expect(update.regularization).toBeCloseTo(kernel.reduce((sum, w) => sum + 0.02 * Math.abs(w) + 0.3 * w * w, 0) + 0.1 * bias.length, 5);
    expect(update.gradNorm).toBeCloseTo(Math.sqrt(squares(whole.values())), 5);
  });

  test('clip_value limits every element, clip_norm the norm of all of them; the norm that is told is the one before', () => {
    const byValue = updateOf(networkOf({}, {}, { clip_value: 0.05 }), compile);
    for (const [name, gradient] of byValue.gradients) expectClose(byValue.after.get(name)!, moved(byValue.before.get(name)!, gradient.map((g) => Math.min(0.05, Math.max(-0.05, g)))), name);
    const whole = Math.sqrt(squares(byValue.gradients.values()));
    expect([...byValue.gradients.values()].flat().some((g) => Math.abs(g) > 0.05), 'something to clip').toBe(true);
    expect(byValue.update.gradNorm).toBeCloseTo(whole, 5);

    const byNorm = updateOf(networkOf({}, {}, { clip_norm: whole / 4 }), compile);
    for (const [name, gradient] of byNorm.gradients) expectClose(byNorm.after.get(name)!, moved(byNorm.before.get(name)!, gradient.map((g) => g / 4)), name);
    expect(byNorm.update.gradNorm).toBeCloseTo(whole, 5);

    const both = updateOf(networkOf({}, {}, { clip_value: 0.05, clip_norm: 0.01 }), compile);
    const cut = new Map([...both.gradients].map(([name, gradient]) => [name, gradient.map((g) => Math.min(0.05, Math.max(-0.05, g)))]));
    const scale = 0.01 / Math.sqrt(squares(cut.values()));
    for (const [name, gradient] of cut) expectClose(both.after.get(name)!, moved(both.before.get(name)!, gradient.map((g) => g * scale)), name);
  });

  test('a norm below its limit is left alone, to the bit', () => {
    const end = (training: Training): Record<string, string> => {
      const program = networkOf({}, {}, training);
      return withProgram(program, (compiled) => {
        compiled.runBlock(batchesOf(program), STEP);
        return bytesOf(stateOf(compiled, false));
      }, compile);
    };
    expect(end({ clip_norm: 1e6, clip_value: 1e6 })).toEqual(end({}));
  });

  const norm = (values: number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  /** Columns of a matrix [rows, 3], their norms mapped. */
  const byColumn = (values: number[], map: (norm: number) => number): number[] => {
    const norms = [0, 1, 2].map((column) => norm(values.filter((_, at) => at % 3 === column)));
    return values.map((value, at) => (value * map(norms[at % 3]!)) / (norms[at % 3]! + 1e-7));
  };
  test.each<[string, ConstraintSpec, (moved: number[]) => number[]]>([
    ['max_norm over an axis', { type: 'max_norm', max_value: 0.4, axis: 0 }, (w) => byColumn(w, (n) => Math.min(n, 0.4))],
    ['max_norm over all axes', { type: 'max_norm', max_value: 0.4, axis: [0, 1] }, (w) => w.map((value) => (value * Math.min(norm(w), 0.4)) / (norm(w) + 1e-7))],
    ['min_max_norm', { type: 'min_max_norm', min_value: 5, max_value: 6, axis: 0 }, (w) => byColumn(w, (n) => Math.min(Math.max(n, 5), 6))],
    ['unit_norm', { type: 'unit_norm', axis: 0 }, (w) => byColumn(w, () => 1)],
    ['non_neg', { type: 'non_neg' }, (w) => w.map((value) => Math.max(0, value))],
  ])('%s is what the weight satisfies after the update, whatever the optimizer', (_what, kernel_constraint, limited) => {
    const seen = updateOf(networkOf({}, { kernel_constraint }, {}), compile);
    const [before, gradient] = [seen.before.get('dense_1/kernel')!, seen.gradients.get('dense_1/kernel')!];
    const free = moved(before, gradient);
    expectClose(seen.after.get('dense_1/kernel')!, limited(free), 'kernel');
    expect(limited(free).some((value, at) => Math.abs(value - free[at]!) > 1e-3), 'something to limit').toBe(true);
    expectClose(seen.after.get('conv2d_1/kernel')!, moved(seen.before.get('conv2d_1/kernel')!, seen.gradients.get('conv2d_1/kernel')!), 'free kernel');

    // adam is one operation of TensorFlow's, and the constraint another after it
    const withAdam = (constraint: ConstraintSpec | null) => updateOf(networkOf({}, { kernel_constraint: constraint }, { optimizer: { type: 'adam', lr: 1 } }), compile).after.get('dense_1/kernel')!;
    expectClose(withAdam(kernel_constraint), limited(withAdam(null)), 'kernel after adam');
  });

  test('what is not finite leaves everything alone here too', () => {
    const program = networkOf({ kernel_regularizer: { l2: 0.1 } }, { kernel_constraint: { type: 'non_neg' } }, { clip_norm: 1, optimizer: { type: 'adam', weight_decay: 0.1 } });
    withProgram(program, (compiled) => {
      const before = bytesOf(stateOf(compiled, false));
      const batches = batchesOf(program);
      batches[1]!.x[5] = NaN;
      expect(compiled.runBlock(batches, STEP)).toMatchObject({ finite: false, update: null });
      compiled.dropWindow();
      expect(bytesOf(stateOf(compiled, false))).toEqual(before);
    }, compile);
  });

  test('the same bits come of blocks of any length', () => {
    const program = networkOf({ kernel_regularizer: { l1: 0.01, l2: 0.1 } }, { kernel_constraint: { type: 'max_norm', max_value: 1, axis: 0 } }, { accum_iters: 4, clip_norm: 0.2, clip_value: 0.1, optimizer: { type: 'rmsprop', momentum: 0.5 } });
    const all = (): Batch[] => [0, 1, 2, 3].map((salt) => batchOf(program.plan, 4, salt));
    const end = (cuts: number[]) => withProgram(program, (compiled) => {
      const batches = all();
      const blocks = [0, ...cuts].map((from, index) => batches.slice(from, cuts[index] ?? batches.length));
      const results = blocks.map((block, index) => compiled.runBlock(block, index === blocks.length - 1 ? { ...STEP, divisor: 4 } : null));
      return { update: results.at(-1)!.update, state: bytesOf(stateOf(compiled, false)) };
    }, compile);
    const whole = end([]);
    for (const cuts of [[1], [2], [3], [1, 2, 3]]) expect(end(cuts), `cut at ${cuts.join(', ')}`).toEqual(whole);
  });
});

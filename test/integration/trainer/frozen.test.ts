// Networks of which most, or all but the last layer, is frozen: compiled, checked and trained as any other.
import { afterEach, expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { verifyGraph } from '../../../worker/trainer/engines/graph/verify.js';
import { batchOf, bytesOf, COMPILERS, dataOf, expectNoTensors, programOf, stateOf, withProgram } from './support/engine.js';

afterEach(expectNoTensors);

type Layers = JobSpecInput['model']['layers'];
const frozen = (filters: number): Layers[number] => ({ type: 'conv2d', filters, kernel_size: 3, padding: 'same', activation: 'relu', trainable: false });
const block = (filters: number): Layers[number] => ({ type: 'residual', layers: [frozen(filters), { type: 'batch_normalization', trainable: false }] });
const HEAD: Layers = [{ type: 'global_average_pooling2d' }, { type: 'dense', units: 3, activation: 'softmax' }];

test.each<[string, Layers]>([
  ['ten convolutions', [...Array.from({ length: 10 }, () => frozen(64)), ...HEAD]],
  ['six residual blocks', [frozen(32), ...Array.from({ length: 6 }, () => block(32)), ...HEAD]],
  ['a network of which nothing is frozen, as deep', [...Array.from({ length: 10 }, () => ({ ...frozen(64), trainable: true })), ...HEAD]],
])('%s are compiled, and only what is not frozen moves', (_, layers) => {
  const program = programOf(layers, [6, 6, 1], 3, { batch_size: 2, accum_iters: 1 });
  const { plan } = program;
  const [after, eagerly] = COMPILERS.map(([, compile]) =>
    withProgram(program, (compiled) => {
      const before = stateOf(compiled, false);
      compiled.runBlock([batchOf(plan, 2)], { update: 0, divisor: 1, learningRate: 0.001 });
      const state = stateOf(compiled, false);
      for (const { name, trainable } of plan.weights) if (!trainable) expect(bytesOf(new Map([[name, state.get(name)!]]))).toEqual(bytesOf(new Map([[name, before.get(name)!]])));
      return dataOf(state, 'dense_1/kernel');
    }, compile),
  );
  after!.forEach((value, index) => expect(value).toBeCloseTo(eagerly![index]!, 5));
});

test('a trial that is not finite is refused in words, and not read', () => {
  const program = programOf([{ type: 'flatten' }, { type: 'dense', units: 3, activation: 'softmax' }], [2, 2, 1], 3, { batch_size: 2 });
  const values = new Map([['losses', Float32Array.of(1, 1)], ['gradient/dense_1/kernel', Float32Array.of(1e30, 1)], ['gradient/dense_1/bias', Float32Array.of(0)]]);
  const verify = (): void => verifyGraph(program, { microBatch: new Map([[2, { inputs: new Map(), values }]]) } as never, { tryBlock: () => { throw new Error('it was tried'); } } as never);
  expect(verify).toThrow(expect.objectContaining({ code: 'engine_unavailable', message: expect.stringContaining('beyond float32') as string }) as Error);
});

// What may become a graph and what may not. Each guard of the tracer is shown by a function that it alone refuses: without
// the guard the function would be compiled to something that is right for one input only.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, test } from 'vitest';
import { fillUniform, keyOf } from '../../../lib/training/random.js';
import { makeGraph } from '../../../worker/trainer/engines/graph/graph.js';
import { openSession } from '../../../worker/trainer/engines/graph/session.js';
import { trace, type Inputs } from '../../../worker/trainer/engines/graph/trace.js';
import { DT, nodeBackend } from '../../../worker/trainer/engines/node-backend.js';
import { expectNoTensors } from './support/engine.js';

afterEach(expectNoTensors);

const SIZE = 100;
const draw = (round: number): Inputs => new Map([['x', { shape: [SIZE], data: fillUniform(keyOf(1, 'x', round), new Float32Array(SIZE)) }]]);
type Compute = (x: Tensor) => Tensor;
const traced = (compute: Compute) => trace('the function', draw, (inputs) => new Map([['y', compute(inputs.get('x')!)]]));

/** Runs a recording as a graph, on x. */
function asGraph(compute: Compute, x: Float32Array): number[] {
  const graph = makeGraph(nodeBackend().binding);
  const feed = graph.add('x', 'Placeholder', [], { dtype: { type: DT.FLOAT }, shape: { shape: [SIZE] } });
  const y = graph.inline('f', traced(compute), new Map([['x', feed]])).get('y')!;
  const session = openSession(graph);
  try {
    return [...session.read([{ name: 'x', dtype: DT.FLOAT, shape: [SIZE], values: x }], y)];
  } finally {
    session.close();
  }
}
const eagerly = (compute: Compute, x: Float32Array): number[] => tf.tidy(() => [...compute(tf.tensor1d(x)).dataSync()]);
/** Neither round's input. */
const other = (): Float32Array => fillUniform(keyOf(2, 'x'), new Float32Array(SIZE));

describe('a function of tensors alone', () => {
  test.each<[string, Compute]>([
    ['arithmetic', (x) => tf.div(tf.add(tf.square(x), 1), tf.sqrt(tf.add(x, 2)))],
    ['a scalar constant', (x) => tf.mul(x, 0.25)],
    ['a large uniform constant', (x) => tf.mul(x, tf.ones([SIZE]))],
    ['a small constant of several values', (x) => tf.add(tf.reshape(x, [SIZE / 4, 4]), tf.tensor1d([1, 2, 3, 4]))],
    ['shapes and axes', (x) => tf.sum(tf.transpose(tf.expandDims(tf.reshape(x, [10, 10]), 2)), 1)],
    ['reductions and comparisons', (x) => tf.cast(tf.greater(x, tf.mean(x)), 'float32')],
    ['a gradient', (x) => tf.grad((value) => tf.sum(tf.relu(tf.sub(value, 0.5))))(x)],
  ])('runs as a graph, on inputs it was not traced with: %s', (_, compute) => {
    // TensorFlow may rewrite a graph's arithmetic: x / √y becomes x · (1/√y)
    const expected = eagerly(compute, other());
    const actual = asGraph(compute, other());
    expect(actual).toHaveLength(expected.length);
    actual.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 6));
  });
});

describe('a function is refused that', () => {
  let made = tf.scalar(0);
  made.dispose();
  let calls = 0;

  test.each<[string, Compute, RegExp]>([
    ['reads what it computed', (x) => tf.mul(x, tf.sum(x).dataSync()[0]!), /read to the host while it was recorded \(the result of Sum\)/],
    ['asks for its input\'s values', (x) => tf.mul(x, x.dataSync()[0]!), /read to the host/],
    ['uses a tensor that was made before', (x) => tf.add(x, tf.sum(made)), /Sum uses a tensor that was made before/],
    ['makes data on the host', (x) => tf.mul(x, tf.tensor1d(Float32Array.from({ length: SIZE }, (__, index) => index))), /a constant of \[100\] elements/],
    ['has another constant each time', (x) => tf.mul(x, tf.scalar((calls += 1))), /other things for other inputs \(the constant/],
    ['computes something else each time', (x) => ((calls += 1) % 2 === 0 ? tf.neg(x) : tf.exp(x)), /other things for other inputs \(operation 1, Neg|Exp/],
    ['computes more each time', (x) => Array.from({ length: (calls += 1) }).reduce<Tensor>((value) => tf.neg(value), x), /other things for other inputs \(\d+ and \d+ operations\)/],
  ])('%s', (_, compute, message) => {
    made = tf.scalar(1);
    nodeBackend().getInputTensorIds([made]);
    expect(() => traced(compute)).toThrow(expect.objectContaining({ code: 'engine_unavailable', message: expect.stringMatching(message) as string }) as Error);
    made.dispose();
  });
  test('has a result that depends on nothing it was given, other ones each time', () => {
    let outputs = 0;
    expect(() => trace('the function', draw, (inputs) => new Map([[`y${(outputs += 1)}`, tf.neg(inputs.get('x')!)]]))).toThrow(/its results/);
  });

  test('TensorFlow does not take, with the operation\'s name', () => {
    const graph = makeGraph(nodeBackend().binding);
    graph.add('x', 'NoSuchOperation', []);
    expect(() => openSession(graph)).toThrow(expect.objectContaining({ code: 'engine_unavailable', message: expect.stringContaining('NoSuchOperation') as string }) as Error);
  });
});

test('while a function is recorded nothing else is: the binding is back even after an error', () => {
  const { binding } = nodeBackend();
  expect(() => traced(() => { throw new Error('its own'); })).toThrow(/its own/);
  expect(nodeBackend().binding).toBe(binding);
});

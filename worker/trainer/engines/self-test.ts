// Proof that an engine computes what it should, before any job: forward and gradient of every family of kernels against
// stored analytic numbers (self-test-numbers.ts, which says how they were made). That a backend loads proves nothing.
import tf from '@tensorflow/tfjs-core';
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import { largestOfSpace } from '../model/global-pooling2d.js';
import { normaliseOver } from '../model/sample-normalization.js';
import { slide, type Convolve } from '../model/sliding-window.js';
import { batchNormTraining, biasAdd, softmaxCrossEntropy } from './kernels.js';
import { inScope } from './scope.js';
import { SELF_TEST_NUMBERS } from './self-test-numbers.js';

type Inputs = readonly Tensor[];

export interface SelfTestCase {
  name: string;
  /** Of the inputs, in order; each is differentiated by. */
  shapes: readonly (readonly number[])[];
  /** Added to the first input: makes every value negative, or none zero, where that is the point. */
  shift?: number;
  compute(inputs: Inputs): Tensor;
}

const conv = (strides: [number, number], padding: 'valid' | 'same', convolve: Convolve = tf.conv2d) => ([x, kernel]: Inputs) => convolve(x as Tensor4D, kernel as Tensor4D, strides, padding);
const dilated = (rate: [number, number], padding: 'valid' | 'same', convolve: Convolve = tf.conv2d) => ([x, kernel]: Inputs) => slide(x as Tensor4D, kernel as Tensor4D, { strides: [1, 1], padding, dilation_rate: rate }, convolve);
const pool = (size: number, stride: number, padding: 'valid' | 'same') => ([x]: Inputs) => tf.maxPool(x as Tensor4D, size, stride, padding);

const averages = (size: number, stride: number, padding: 'valid' | 'same') => ([x]: Inputs) => tf.avgPool(x as Tensor4D, size, stride, padding);

/** Label rows of the loss: soft ones, so that nothing depends on their being one-hot. */
export const LABELS_NK = [0.75, 0.25, 0, 0, 0.5, 0.5];

export const SELF_TEST_CASES: readonly SelfTestCase[] = [
  { name: 'conv2d valid, strides 2 and 1', shapes: [[2, 5, 4, 2], [3, 2, 2, 3]], compute: conv([2, 1], 'valid') },
  { name: 'conv2d same', shapes: [[2, 4, 4, 2], [3, 3, 2, 2]], compute: conv([1, 1], 'same') },
  { name: 'conv2d same, stride 2, even size', shapes: [[1, 6, 6, 1], [3, 3, 1, 2]], compute: conv([2, 2], 'same') },
  { name: 'conv2d valid, dilated', shapes: [[1, 6, 7, 2], [2, 3, 2, 1]], compute: dilated([2, 3], 'valid') },
  { name: 'conv2d same, dilated, even size', shapes: [[1, 5, 5, 1], [2, 3, 1, 2]], compute: dilated([3, 2], 'same') },
  { name: 'depthwise_conv2d valid, stride 2', shapes: [[2, 5, 6, 5], [3, 2, 5, 1]], compute: conv([2, 2], 'valid', tf.depthwiseConv2d) },
  { name: 'depthwise_conv2d same, multiplier 2', shapes: [[2, 4, 4, 2], [3, 3, 2, 2]], compute: conv([1, 1], 'same', tf.depthwiseConv2d) },
  { name: 'depthwise_conv2d same, stride 2, even size, one channel', shapes: [[1, 6, 6, 1], [3, 3, 1, 2]], compute: conv([2, 2], 'same', tf.depthwiseConv2d) },
  { name: 'depthwise_conv2d same, dilated, even size', shapes: [[1, 5, 5, 2], [2, 3, 2, 2]], compute: dilated([3, 2], 'same', tf.depthwiseConv2d) },
  { name: 'max_pooling2d valid', shapes: [[2, 4, 4, 2]], compute: pool(2, 2, 'valid') },
  { name: 'max_pooling2d valid, all negative', shapes: [[2, 4, 4, 2]], shift: -8, compute: pool(2, 2, 'valid') },
  { name: 'max_pooling2d same, overlapping, all negative', shapes: [[1, 5, 5, 1]], shift: -8, compute: pool(3, 2, 'same') },
  { name: 'average_pooling2d valid', shapes: [[2, 4, 4, 2]], compute: averages(2, 2, 'valid') },
  { name: 'average_pooling2d same, overlapping', shapes: [[1, 5, 5, 1]], compute: averages(3, 2, 'same') },
  { name: 'global_average_pooling2d', shapes: [[2, 3, 2, 3]], compute: ([x]) => tf.mean(x!, [1, 2]) },
  { name: 'global_max_pooling2d, all negative', shapes: [[2, 3, 2, 3]], shift: -8, compute: ([x]) => largestOfSpace(x!) },
  { name: 'layer_normalization', shapes: [[2, 2, 2, 3]], compute: ([x]) => normaliseOver(x!, [-1], 1e-3) },
  { name: 'group_normalization', shapes: [[2, 4, 2, 2]], compute: ([x]) => normaliseOver(x!, [1, 3], 1e-3) },
  { name: 'dense', shapes: [[3, 4], [4, 2], [2]], compute: ([x, kernel, bias]) => biasAdd(tf.matMul(x as Tensor2D, kernel as Tensor2D), bias!) },
  { name: 'relu', shapes: [[3, 8]], shift: 1 / 16, compute: ([x]) => tf.relu(x!) },
  { name: 'batch_normalization', shapes: [[3, 2, 2, 2], [2], [2]], compute: ([x, gamma, beta]) => batchNormTraining(x!, gamma!, beta!, 1e-3).y },
  { name: 'batch_normalization, mean', shapes: [[3, 2, 2, 2]], compute: ([x]) => batchNormTraining(x!, tf.ones([2]), tf.zeros([2]), 1e-3).mean_C },
  { name: 'batch_normalization, unbiased variance', shapes: [[3, 2, 2, 2]], compute: ([x]) => batchNormTraining(x!, tf.ones([2]), tf.zeros([2]), 1e-3).variance_C },
  { name: 'softmax cross-entropy', shapes: [[2, 3]], compute: ([logits]) => softmaxCrossEntropy(logits!, tf.tensor2d(LABELS_NK, [2, 3])) },
];

/** Test values: multiples of 1/8 in (−4, 4), exact in every type, no two alike within a pooling window. */
export function pattern(size: number, salt: number): number[] {
  return Array.from({ length: size }, (_, index) => (((index * 37 + salt * 11 + 5) % 61) - 30) / 8);
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);
export const inputValues = ({ shapes, shift = 0 }: SelfTestCase): number[][] => shapes.map((shape, index) => pattern(sizeOf(shape), index).map((value) => value + (index === 0 ? shift : 0)));

const TOLERANCE = 2e-5;

/** What is wrong, in words; empty if everything is right. */
export function selfTest(): string[] {
  return SELF_TEST_CASES.flatMap((test) => {
    const expected = SELF_TEST_NUMBERS[test.name];
    if (expected === undefined) return [`${test.name}: there are no numbers for it`];
    const [values, gradients] = run(test);
    return [...differences(`${test.name}`, values, expected.values), ...(expected.gradients ?? []).flatMap((numbers, index) => differences(`${test.name}, gradient ${index}`, gradients[index] ?? [], numbers))];
  });
}

/** The values, and the gradients of Σ values · pattern. */
function run(test: SelfTestCase): [number[], number[][]] {
  return inScope(() => {
    const inputs = inputValues(test).map((values, index) => tf.tensor(values, [...test.shapes[index]!]));
    const values = test.compute(inputs);
    if (SELF_TEST_NUMBERS[test.name]?.gradients === undefined) return [[...values.dataSync()], []];
    const dy = tf.tensor(pattern(values.size, 7), values.shape);
    const { grads } = tf.engine().gradients(() => test.compute(inputs), [...inputs], dy);
    return [[...values.dataSync()], grads.map((gradient) => [...gradient.dataSync()])];
  });
}

function differences(what: string, actual: readonly number[], expected: readonly number[]): string[] {
  if (actual.length !== expected.length) return [`${what}: ${actual.length} values instead of ${expected.length}`];
  const worst = expected.reduce((most, value, index) => {
    const error = Math.abs(actual[index]! - value) / Math.max(1, Math.abs(value));
    // NaN compares as nothing: it is the worst
    return error <= most ? most : Number.isNaN(error) ? Infinity : error;
  }, 0);
  return worst <= TOLERANCE ? [] : [`${what}: off by ${worst.toPrecision(2)}`];
}

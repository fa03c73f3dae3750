// The wasm engine's own kernels one by one, against the naive float64 implementation and its central differences: every
// width of a tile, windows that leave pixels over, ties. And that what is broken is found before a job is.
import tf from '@tensorflow/tfjs-core';
import type { KernelConfig, Rank, Tensor, Tensor2D, Tensor4D, TensorInfo } from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, test } from 'vitest';
import { batchNormTraining, biasAdd, softmaxCrossEntropy } from '../../../worker/trainer/engines/kernels.js';
import { loadWasm } from '../../../worker/trainer/engines/load.js';
import { inScope } from '../../../worker/trainer/engines/scope.js';
import { selfTest } from '../../../worker/trainer/engines/self-test.js';
import { addBias, batchNorm, conv2d, depthwiseConv2d, matMul, maxPool, numericGradients, values, type Values } from '../../unit/trainer/support/naive.js';
import { noise } from './support/wasm.js';

const engine = await loadWasm({});
const { wasmBackend } = await import('../../../worker/trainer/engines/wasm/backend.js');
const { makeLoops } = await import('../../../worker/trainer/engines/wasm/simd/loops.js');
const { proveLoops } = await import('../../../worker/trainer/engines/wasm/simd/proof.js');
const baseline = engine.liveTensors();
afterEach(() => expect(engine.liveTensors()).toBe(baseline));

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Values and gradients of Σ values · noise, by the engine and naively. */
function expectTheSame(shapes: readonly number[][], compute: (inputs: Tensor[]) => Tensor, naively: (inputs: Values[]) => Values): void {
  const inputs = shapes.map((shape, index) => values(shape, noise(sizeOf(shape), index)));
  const expected = naively(inputs);
  const slope = noise(expected.data.length, 9);
  const gradients = numericGradients(() => naively(inputs).data.reduce((sum, value, index) => sum + value * slope[index]!, 0), inputs);
  inScope(() => {
    const tensors = inputs.map(({ shape, data }) => tf.tensor(Float32Array.from(data), [...shape]));
    const { value, grads } = tf.engine().gradients(() => compute(tensors), tensors, tf.tensor(slope, [...expected.shape]));
    expect(value.shape).toEqual(expected.shape);
    for (const [index, [tensor, numbers]] of [[value, expected.data] as const, ...grads.map((gradient, at) => [gradient, gradients[at]!] as const)].entries()) {
      const worst = [...tensor.dataSync()].reduce((most, actual, at) => Math.max(most, Math.abs(actual - numbers[at]!)), 0);
      expect(worst, index === 0 ? 'values' : `gradient ${index - 1}`).toBeLessThan(2e-5);
    }
  });
}

describe('a convolution', () => {
  test.each<[string, number[], number[], [number, number], 'valid' | 'same']>([
    ['of one channel to one', [1, 4, 4, 1], [3, 3, 1, 1], [1, 1], 'valid'],
    ['to every width of a tile', [2, 4, 6, 3], [2, 3, 3, 15], [1, 1], 'same'],
    ['from every width of a tile', [2, 4, 5, 15], [2, 2, 15, 2], [1, 1], 'same'],
    ['of rows that are no tile', [1, 3, 9, 2], [1, 1, 2, 9], [1, 1], 'valid'],
    ['that leaves pixels over', [2, 8, 7, 2], [3, 2, 2, 3], [3, 4], 'valid'],
    ['with padding on one side only', [1, 6, 6, 2], [3, 3, 2, 3], [2, 2], 'same'],
    ['with strides longer than its window', [1, 7, 7, 2], [1, 2, 2, 3], [3, 3], 'same'],
    ['as large as the image', [3, 3, 4, 2], [3, 4, 2, 5], [1, 1], 'valid'],
    ['larger than the image', [2, 2, 3, 2], [3, 5, 2, 3], [1, 1], 'same'],
  ])('%s', (_, x, kernel, strides, padding) => {
    expectTheSame([x, kernel], ([image, filter]) => tf.conv2d(image as Tensor4D, filter as Tensor4D, strides, padding), ([image, filter]) => conv2d(image!, filter!, { strides, padding }));
  });

  test('that is dilated or of another format is refused', () => {
    inScope(() => {
      const [image, filter] = [tf.ones<Rank.R4>([1, 5, 5, 1]), tf.ones<Rank.R4>([2, 2, 1, 1])];
      expect(() => tf.conv2d(image, filter, 1, 'valid', 'NHWC', 2)).toThrow('dilated');
      expect(() => tf.conv2d(tf.ones<Rank.R4>([1, 1, 5, 5]), filter, 1, 'valid', 'NCHW')).toThrow('NHWC');
    });
  });
});

describe('a depthwise convolution', () => {
  test.each<[string, number[], number[], [number, number], 'valid' | 'same']>([
    ['of one channel to one', [1, 4, 4, 1], [3, 3, 1, 1], [1, 1], 'valid'],
    ['of quads of channels and single ones', [2, 5, 6, 7], [2, 3, 7, 1], [1, 1], 'same'],
    ['with every channel several times', [2, 4, 5, 3], [3, 2, 3, 3], [1, 1], 'same'],
    ['with a channel more often than a tile is wide', [1, 3, 3, 1], [2, 2, 1, 9], [1, 1], 'valid'],
    ['that leaves pixels over', [2, 8, 7, 4], [3, 2, 4, 1], [3, 3], 'valid'],
    ['with padding on one side only', [1, 6, 6, 2], [3, 3, 2, 2], [2, 2], 'same'],
    ['with strides longer than its window', [1, 7, 7, 2], [1, 2, 2, 2], [3, 3], 'same'],
    ['with other strides for height and width', [1, 7, 6, 3], [3, 3, 3, 1], [2, 1], 'same'],
    ['larger than the image', [2, 2, 3, 2], [3, 5, 2, 1], [1, 1], 'same'],
    ['over more pixels than are summed at once', [5, 8, 7, 3], [2, 2, 3, 1], [1, 1], 'same'],
  ])('%s', (_, x, kernel, strides, padding) => {
    expectTheSame([x, kernel], ([image, filter]) => tf.depthwiseConv2d(image as Tensor4D, filter as Tensor4D, strides, padding), ([image, filter]) => depthwiseConv2d(image!, filter!, { strides, padding }));
  });

  test('that is dilated or of another format is refused', () => {
    inScope(() => {
      const [image, filter] = [tf.ones<Rank.R4>([1, 5, 5, 1]), tf.ones<Rank.R4>([2, 2, 1, 1])];
      expect(() => tf.depthwiseConv2d(image, filter, 1, 'valid', 'NHWC', 2)).toThrow('dilated');
      expect(() => tf.depthwiseConv2d(tf.ones<Rank.R4>([1, 1, 5, 5]), filter, 1, 'valid', 'NCHW')).toThrow('NHWC');
    });
  });

  test('has a filter gradient that loses nothing over many pixels', () => {
    inScope(() => {
      const [image, filter] = [tf.fill<Rank.R4>([100, 40, 40, 1], 0.1), tf.ones<Rank.R4>([1, 1, 1, 1])];
      const { grads } = tf.engine().gradients(() => tf.depthwiseConv2d(image, filter, 1, 'valid'), [filter], tf.fill([100, 40, 40, 1], 0.1));
      expect(Math.abs(grads[0]!.dataSync()[0]! - 1600)).toBeLessThan(0.01);
    });
  });
});

describe('max pooling', () => {
  test.each<[string, number[], [number, number], [number, number], 'valid' | 'same']>([
    ['of windows side by side', [2, 4, 6, 7], [2, 3], [2, 3], 'valid'],
    ['of windows that overlap', [2, 5, 5, 5], [3, 3], [1, 2], 'valid'],
    ['with padding', [1, 5, 7, 3], [3, 2], [2, 2], 'same'],
    ['that leaves pixels over', [1, 5, 5, 2], [2, 2], [2, 2], 'valid'],
    ['of windows apart', [1, 6, 6, 2], [1, 1], [2, 3], 'valid'],
  ])('%s', (_, x, size, strides, padding) => {
    // all below zero as well
    for (const shift of [0, -2]) expectTheSame([x], ([image]) => tf.maxPool(tf.add<Tensor4D>(image!, shift), size, strides, padding), ([image]) => maxPool({ ...image!, data: image!.data.map((value) => value + shift) }, size, { strides, padding }));
  });

  test('gives the gradient to the first of equal values', () => {
    inScope(() => {
      const x = tf.tensor4d([1, 2, 2, 2, -3, -3, -3, -3, 2, 1, 0, 2].flatMap((value) => [value, -1, value, value, 0]), [1, 2, 6, 5]);
      const { grads } = tf.engine().gradients(() => tf.maxPool(x, 2, 2, 'valid'), [x], tf.fill([1, 1, 3, 5], 2));
      const channel = (index: number): number[] => [...tf.slice(grads[0] as Tensor4D, [0, 0, 0, index], [1, 2, 6, 1]).dataSync()];
      expect(channel(0)).toEqual([0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
      // constant channels: the first pixel of each window
      expect(channel(4)).toEqual([2, 0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    });
  });
});

describe('a product of matrices', () => {
  const naively = (transposeA: boolean, transposeB: boolean) => ([a, b]: Values[]): Values => matMul(transposeA ? transposed(a!) : a!, transposeB ? transposed(b!) : b!);
  const transposed = ({ shape: [rows, columns], data }: Values): Values => values([columns!, rows!], Array.from({ length: data.length }, (_, index) => data[(index % rows!) * columns! + Math.floor(index / rows!)]!));

  test.each([[false, false], [false, true], [true, false], [true, true]])('transposed %s and %s', (transposeA, transposeB) => {
    // inner lengths over 48 are where the package's own goes by blocks
    for (const [rows, inner, columns] of [[5, 50, 15], [1, 3, 1], [7, 1, 10]] as const) {
      expectTheSame([transposeA ? [inner, rows] : [rows, inner], transposeB ? [columns, inner] : [inner, columns]], ([a, b]) => tf.matMul(a as Tensor2D, b as Tensor2D, transposeA, transposeB), naively(transposeA, transposeB));
    }
  });

  test('of more than one matrix is the product of each', () => {
    inScope(() => {
      const [a, b] = [tf.tensor3d([1, 2, 3, 4], [2, 1, 2]), tf.tensor3d([5, 6, 7, 8], [2, 2, 1])];
      expect([...tf.matMul(a, b).dataSync()]).toEqual([17, 53]);
    });
  });
});

test.each([1, 4, 7])('a bias and a batch normalization of %i channels', (channels) => {
  expectTheSame([[3, 2, 5, channels], [channels]], ([x, bias]) => biasAdd(x!, bias!), ([x, bias]) => addBias(x!, bias!));
  expectTheSame([[3, 2, 5, channels], [channels], [channels]], ([x, gamma, beta]) => batchNormTraining(x!, gamma!, beta!, 1e-2).y, ([x, gamma, beta]) => batchNorm(x!, gamma!, beta!, 1e-2));
});

test('sums over many rows lose nothing that float32 can hold', () => {
  inScope(() => {
    const rows = 100_000;
    const [x] = [tf.fill([rows, 1, 1, 5], 0.1)];
    const { grads } = tf.engine().gradients(() => biasAdd(x, tf.zeros([5])), [x], tf.fill(x.shape, 0.1));
    expect(grads).toHaveLength(1);
    const dbias = tf.engine().runKernel<Tensor>('BiasAddGrad', { dy: tf.fill([rows, 5], 0.1) }).dataSync();
    for (const sum of dbias) expect(Math.abs(sum - 10_000)).toBeLessThan(0.05);
    const { mean_C, variance_C } = batchNormTraining(x, tf.ones([5]), tf.zeros([5]), 1e-3);
    for (const mean of mean_C.dataSync()) expect(Math.abs(mean - 0.1)).toBeLessThan(1e-6);
    for (const variance of variance_C.dataSync()) expect(variance).toBeLessThan(1e-12);
  });
});

test('a single value has no variance, and relu no gradient at zero', () => {
  inScope(() => {
    expect([...batchNormTraining(tf.tensor4d([3, 4], [1, 1, 1, 2]), tf.ones([2]), tf.zeros([2]), 1e-3).variance_C.dataSync()]).toEqual([0, 0]);
    const x = tf.tensor1d([-1, -0, 0, 1e-30, 2]);
    const { grads } = tf.engine().gradients(() => tf.relu(x), [x], tf.tensor1d([5, 6, 7, 8, 9]));
    expect([...grads[0]!.dataSync()]).toEqual([0, 0, 0, 8, 9]);
  });
});

test('the cross-entropy of extreme logits is finite, and the class of equal outputs the first', () => {
  inScope(() => {
    const logits = tf.tensor2d([1000, 0, -1000, -1000, -Infinity, 5], [2, 3]);
    const losses = softmaxCrossEntropy(logits, tf.tensor2d([0, 1, 0, 0, 0, 1], [2, 3]));
    expect([...losses.dataSync()]).toEqual([1000, 0]);
    expect([...tf.argMax(tf.tensor2d([1, 3, 3, 2, 2, 2], [2, 3]), -1).dataSync()]).toEqual([1, 0]);
  });
});

test('a clone shares its values and outlives the original', () => {
  inScope(() => {
    const x = tf.tensor1d([1, 2, 3]);
    const clone = tf.clone(x);
    expect(wasmBackend().getMemoryOffset(clone.dataId)).toBe(wasmBackend().getMemoryOffset(x.dataId));
    x.dispose();
    tf.ones([3]);
    expect([...clone.dataSync()]).toEqual([1, 2, 3]);
  });
});

describe('what is broken', () => {
  /** While `work` runs, the kernel's first result is a little larger. */
  function withBrokenKernel(name: string, work: () => void): void {
    const original: KernelConfig = tf.getKernel(name, 'wasm');
    const replace = (config: KernelConfig): void => {
      tf.unregisterKernel(name, 'wasm');
      tf.registerKernel(config);
    };
    replace({ ...original, kernelFunc: (call) => {
      const result = original.kernelFunc(call);
      const view = wasmBackend().typedArrayFromHeap((Array.isArray(result) ? result[0] : result) as TensorInfo);
      view.forEach((value, index) => (view[index] = value * 1.01));
      return result;
    } });
    try {
      work();
    } finally {
      replace(original);
    }
  }

  test.each([
    ['Conv2D', 'conv2d'],
    ['Conv2DBackpropFilter', 'conv2d'],
    ['Conv2DBackpropInput', 'conv2d'],
    ['DepthwiseConv2dNative', 'depthwise_conv2d'],
    ['DepthwiseConv2dNativeBackpropFilter', 'depthwise_conv2d valid, stride 2, gradient 1'],
    ['DepthwiseConv2dNativeBackpropInput', 'depthwise_conv2d valid, stride 2, gradient 0'],
    ['MaxPool', 'max_pooling2d'],
    ['MaxPoolGrad', 'max_pooling2d valid, all negative, gradient 0'],
    ['BatchMatMul', 'dense'],
    ['BiasAdd', 'dense'],
    ['BiasAddGrad', 'dense, gradient 2'],
    ['ReluGrad', 'relu, gradient 0'],
    ['FusedBatchNormV3', 'batch_normalization'],
    ['FusedBatchNormGradV3', 'batch_normalization, gradient 0'],
    ['SoftmaxCrossEntropyWithLogits', 'softmax cross-entropy'],
  ])('a kernel %s is found', (kernel, where) => {
    withBrokenKernel(kernel, () => expect(selfTest().join('\n')).toContain(where));
    expect(selfTest()).toEqual([]);
  });

  describe.each([true, false])('with products fused: %s', (fuse) => {
    const loops = makeLoops(wasmBackend().wasm.asm.memory, fuse);
    const names = Object.keys(loops).filter((name) => name !== 'fused') as Exclude<keyof typeof loops, 'fused'>[];

    test('every loop is proved', () => {
      expect(names.length).toBeGreaterThan(8);
      expect(proveLoops(wasmBackend(), loops)).toEqual([]);
      if (!fuse) expect(loops.fused).toBe(false);
    });

    test.each(names)('the loop %s is found', (name) => {
      expect(proveLoops(wasmBackend(), { ...loops, [name]: () => undefined }).join('\n')).toContain(name === 'pack' ? 'multiply' : name);
    });
  });
});

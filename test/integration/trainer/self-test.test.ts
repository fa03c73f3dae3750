// The self-test passes on the engine as it is, and says so when a kernel computes something else.
import tf from '@tensorflow/tfjs-core';
import type { KernelConfig, Tensor } from '@tensorflow/tfjs-core';
import { afterEach, expect, test } from 'vitest';
import { selfTest } from '../../../worker/trainer/engines/self-test.js';
import { engine, expectNoTensors } from './support/engine.js';

afterEach(expectNoTensors);

test('a healthy engine has nothing to complain about', () => {
  expect(selfTest()).toEqual([]);
  expect(engine.device).toMatch(/^(cpu|gpu) \(.+\)$/);
});

/** While `work` runs, the kernel's result goes through `change`. */
function withBrokenKernel(name: string, change: (result: Tensor) => Tensor, work: () => void): void {
  const original: KernelConfig = tf.getKernel(name, 'tensorflow');
  const replace = (config: KernelConfig): void => {
    tf.unregisterKernel(name, 'tensorflow');
    tf.registerKernel(config);
  };
  replace({ ...original, kernelFunc: (given) => {
    const result = original.kernelFunc(given);
    return Array.isArray(result) ? [change(result[0] as Tensor), ...result.slice(1)] : change(result as Tensor);
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
  ['SpaceToBatchND', 'dilated'],
  ['DepthwiseConv2dNative', 'depthwise_conv2d'],
  ['DepthwiseConv2dNativeBackpropFilter', 'depthwise_conv2d valid, stride 2, gradient 1'],
  ['DepthwiseConv2dNativeBackpropInput', 'depthwise_conv2d valid, stride 2, gradient 0'],
  ['MaxPool', 'max_pooling2d'],
  ['MaxPoolGrad', 'max_pooling2d valid, all negative, gradient 0'],
  ['BatchMatMul', 'dense'],
  ['BiasAddGrad', 'dense, gradient 2'],
  ['ReluGrad', 'relu, gradient 0'],
  ['FusedBatchNormV3', 'batch_normalization'],
  ['FusedBatchNormGradV3', 'batch_normalization, gradient 0'],
  ['SoftmaxCrossEntropyWithLogits', 'softmax cross-entropy'],
])('a broken %s is found', (kernel, where) => {
  withBrokenKernel(kernel, (result) => tf.mul(result, 1.01), () => expect(selfTest().join('\n')).toContain(where));
});
test('a kernel that gives NaN is found', () => {
  withBrokenKernel('MaxPool', (result) => tf.mul(result, NaN), () => expect(selfTest().join('\n')).toContain('Infinity'));
});

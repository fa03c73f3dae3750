// Run in a process of its own: loads the TensorFlow binding and compares a convolution, its gradients and a max-pool
// gradient with numbers worked out by hand. Loading alone would prove nothing.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs-node-gpu');

const x_NHWC = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
const kernel_HWIO = tf.tensor4d([1, 2, 3, 4], [2, 2, 1, 1]);

const convolve = (x, kernel) => tf.conv2d(x, kernel, 1, 'valid');
assert.deepEqual([...convolve(x_NHWC, kernel_HWIO).dataSync()], [37, 47, 67, 77]);

const [dx, dkernel] = tf.grads(convolve)([x_NHWC, kernel_HWIO]);
assert.deepEqual([...dx.dataSync()], [1, 3, 2, 4, 10, 6, 3, 7, 4]);
assert.deepEqual([...dkernel.dataSync()], [12, 16, 24, 28]);

// All-negative windows: a gradient that starts from a smallest positive number misses them.
const pooled = tf.grad((x) => tf.maxPool(x, 2, 1, 'valid'))(x_NHWC.neg());
assert.deepEqual([...pooled.dataSync()], [1, 1, 0, 1, 1, 0, 0, 0, 0]);

assert.equal(tf.getBackend(), 'tensorflow');
const { binding, isUsingGpuDevice } = tf.backend();
console.log(JSON.stringify({ backend: tf.getBackend(), version: binding.TF_Version, isUsingGpuDevice }));

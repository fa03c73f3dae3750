// Every activation of a spec, in Keras 3's definitions: leaky_relu has slope 0.2, gelu is the exact one (by erf),
// hard_sigmoid is relu6(x + 3) / 6, elu has alpha 1.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Activation } from '../../../lib/contract/layers.js';
import type { LayerForward } from './pass.js';

const LEAKY_RELU_SLOPE = 0.2;

const FUNCTIONS: Record<Activation, (x: Tensor) => Tensor> = {
  relu: (x) => tf.relu(x),
  leaky_relu: (x) => tf.leakyRelu(x, LEAKY_RELU_SLOPE),
  elu: (x) => tf.elu(x),
  selu: (x) => tf.selu(x),
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  sigmoid: (x) => tf.sigmoid(x),
  hard_sigmoid: (x) => tf.div(tf.clipByValue(tf.add(x, 3), 0, 6), 6),
  tanh: (x) => tf.tanh(x),
  softmax: (x) => tf.softmax(x),
  softplus: (x) => tf.softplus(x),
  linear: (x) => x,
};

export const activate = (x: Tensor, activation: Activation | null): Tensor => FUNCTIONS[activation ?? 'linear'](x);

export const activation: LayerForward<'activation'> = (x, layer) => activate(x, layer.spec.activation);

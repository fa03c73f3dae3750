// conv2d: kernel [kh, kw, in, out] over NHWC. A dilated convolution is a plain one over every d-th row and column, brought
// side by side by SpaceToBatch: TensorFlow's own gradients of a dilated convolution are right with oneDNN only.
import tf from '@tensorflow/tfjs-core';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { Padding } from '../../../lib/contract/layers.js';
import { biasAdd } from '../engines/kernels.js';
import { activate } from './activation.js';
import type { LayerForward } from './pass.js';

export const conv2d: LayerForward<'conv2d'> = (x, layer, pass) => {
  const { strides, padding, dilation_rate: dilation, use_bias: useBias, activation } = layer.spec;
  const x_NHWC = x as Tensor4D;
  const kernel = pass.weight(`${layer.name}/kernel`) as Tensor4D;
  const dilated = dilation[0] > 1 || dilation[1] > 1;
  const y_NHWC = dilated ? dilatedConv2d(x_NHWC, kernel, dilation, padding) : tf.conv2d(x_NHWC, kernel, strides, padding);
  return activate(useBias ? biasAdd(y_NHWC, pass.weight(`${layer.name}/bias`)) : y_NHWC, activation);
};

/** Stride 1, as with every dilated convolution of Keras. */
export function dilatedConv2d(x_NHWC: Tensor4D, kernel: Tensor4D, dilation: readonly [number, number], padding: Padding): Tensor4D {
  const paddings: [number, number][] = [];
  const crops: [number, number][] = [];
  for (const axis of [0, 1] as const) {
    const rate = dilation[axis];
    const reach = (kernel.shape[axis] - 1) * rate;
    const before = padding === 'same' ? Math.floor(reach / 2) : 0;
    const after = padding === 'same' ? reach - before : 0;
    const size = x_NHWC.shape[axis + 1]! + before + after;
    // blocks are whole: what is added for that is cropped again
    const extra = (rate - (size % rate)) % rate;
    paddings.push([before, after + extra]);
    crops.push([0, extra]);
  }
  const phases = tf.spaceToBatchND(x_NHWC, [...dilation], paddings);
  return tf.batchToSpaceND(tf.conv2d(phases, kernel, 1, 'valid'), [...dilation], crops);
}

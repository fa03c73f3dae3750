// How a convolution of any kind slides over NHWC. A dilated one is a plain one over every d-th row and column, brought side by
// side by SpaceToBatch: TensorFlow's own gradients of a dilated convolution are right with oneDNN only, and those of a
// depthwise one leave the dilation out.
import tf from '@tensorflow/tfjs-core';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { LayerSpecOf } from '../../../lib/contract/layers.js';

type Window = Pick<LayerSpecOf<'conv2d'>, 'strides' | 'padding' | 'dilation_rate'>;
/** A plain convolution: tfjs's conv2d or depthwiseConv2d. */
export type Convolve = (x_NHWC: Tensor4D, kernel: Tensor4D, strides: Window['strides'], padding: Window['padding']) => Tensor4D;

/** The convolution with this window. With a dilation its strides are 1, as they are in Keras. */
export function slide(x_NHWC: Tensor4D, kernel: Tensor4D, { strides, padding, dilation_rate: dilation }: Window, convolve: Convolve): Tensor4D {
  if (dilation[0] === 1 && dilation[1] === 1) return convolve(x_NHWC, kernel, strides, padding);
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
  return tf.batchToSpaceND(convolve(phases, kernel, [1, 1], 'valid'), [...dilation], crops);
}

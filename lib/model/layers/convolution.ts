// What the convolution layers have in common: a window that slides over height and width, and what cannot be done with it.
import type { LayerSpecOf } from '../../contract/layers.js';
import type { Shape } from '../plan.js';
import { type LayerProblem, showShape, spatial } from './layer.js';
import { outputSize, spanOf } from './sliding-window.js';

type ConvolutionSpec = LayerSpecOf<'conv2d' | 'depthwise_conv2d' | 'separable_conv2d'>;

/** Keras dilates no convolution that has strides. */
export function checkDilation({ strides, dilation_rate }: ConvolutionSpec): LayerProblem[] {
  if (Math.max(...strides) === 1 || Math.max(...dilation_rate) === 1) return [];
  return [{ field: 'dilation_rate', message: `strides ${showShape(strides)} and dilation_rate ${showShape(dilation_rate)} cannot both be larger than 1` }];
}

/** TensorFlow's depthwise convolution has one stride for both axes. */
export function checkStrides({ type, strides }: ConvolutionSpec): LayerProblem[] {
  return strides[0] === strides[1] ? [] : [{ field: 'strides', message: `must be the same for height and width in ${type}, got ${showShape(strides)}` }];
}

/** [height, width] of the output and [channels] of the input in one, or the problem that there is no output. */
export function convolved(spec: ConvolutionSpec, input: Shape): [number, number, number] | LayerProblem {
  const space = spatial(spec.type, input);
  if (!Array.isArray(space)) return space;
  const window = (axis: 0 | 1) => ({ size: spec.kernel_size[axis], stride: spec.strides[axis], dilation: spec.dilation_rate[axis], padding: spec.padding });
  const [height, width] = [outputSize(space[0], window(0)), outputSize(space[1], window(1))];
  if (Math.min(height, width) >= 1) return [height, width, space[2]];
  const span = [spanOf(window(0)), spanOf(window(1))];
  const dilated = Math.max(...spec.dilation_rate) > 1 ? `, which spans ${showShape(span)} with its dilation,` : '';
  return { field: 'kernel_size', message: `the kernel ${showShape(spec.kernel_size)}${dilated} does not fit into the input ${showShape(input)}; use padding "same" or a smaller kernel` };
}

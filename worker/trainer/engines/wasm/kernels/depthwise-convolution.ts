// The depthwise convolution and both its gradients, a window at a time. A line's pixels lie side by side in NHWC, and so do its
// weights in [height, width, in, multiplier], as soon as the image has each of its channels `multiplier` times. The package
// has no kernels for the gradients.
import tf from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressOf, floats, makeFloats, sizeOf, type KernelCall, type Kernels } from './kernel.js';
import { forEachWindow } from './pool-windows.js';
import { BLOCK_ROWS } from './sums.js';

type Shape4D = [number, number, number, number];

export const depthwiseConvolutionKernels: Kernels = {
  /** y[n, i, j, c] = Σ x[n, i·stride + h, j·stride + w, c] · filter[h, w, c] over what is inside of the image. */
  DepthwiseConv2dNative(call) {
    const { backend, attrs, loops } = call;
    const { x, filter } = call.inputs as Record<'x' | 'filter', TensorInfo>;
    const shape = outputShape(x.shape, filter.shape, attrs);
    const image = repeatChannels(call, x, filter.shape[3]!);
    const y = makeFloats(backend, shape);
    const [from, weights, to] = [image, filter, y].map((tensor) => addressOf(backend, tensor)) as [number, number, number];
    forEachOutput(image.shape, filter.shape, attrs, (pixels, taps, out, lines, columns, imagePitch, tapPitch, channels) => loops.depthwise(from + pixels, weights + taps, to + out, lines, columns, imagePitch, tapPitch, channels));
    if (image !== x) backend.disposeData(image.dataId);
    return y;
  },

  DepthwiseConv2dNativeBackpropInput(call) {
    const { backend, attrs, loops } = call;
    const { dy, filter } = call.inputs as Record<'dy' | 'filter', TensorInfo>;
    const [samples, height, width] = attrs.inputShape as Shape4D;
    const gradient = makeFloats(backend, [samples, height, width, dy.shape[3]!]);
    floats(backend, gradient).fill(0);
    const [to, weights, slopes] = [gradient, filter, dy].map((tensor) => addressOf(backend, tensor)) as [number, number, number];
    forEachOutput(gradient.shape, filter.shape, attrs, (pixels, taps, out, lines, columns, imagePitch, tapPitch, channels) => loops.depthwiseGrad(to + pixels, weights + taps, slopes + out, lines, columns, imagePitch, tapPitch, channels));
    return sumRepeated(call, gradient, filter.shape[3]!);
  },

  /** Sums of outputs in float32 over a block of them, in float64 over the blocks, as in sums.ts. */
  DepthwiseConv2dNativeBackpropFilter(call) {
    const { backend, attrs, loops } = call;
    const { x, dy } = call.inputs as Record<'x' | 'dy', TensorInfo>;
    const filterShape = attrs.filterShape as Shape4D;
    const image = repeatChannels(call, x, filterShape[3]);
    const [gradient, block] = [makeFloats(backend, filterShape), makeFloats(backend, filterShape)];
    const sums = floats(backend, block).fill(0);
    const totals = new Float64Array(sums.length);
    const addBlock = (): void => {
      for (let at = 0; at < totals.length; at++) totals[at]! += sums[at]!;
      sums.fill(0);
    };
    const [from, to, slopes] = [image, block, dy].map((tensor) => addressOf(backend, tensor)) as [number, number, number];
    const blockBytes = 4 * BLOCK_ROWS * dy.shape[3]!;
    forEachOutput(image.shape, filterShape, attrs, (pixels, taps, out, lines, columns, imagePitch, tapPitch, channels) => {
      if (out > 0 && out % blockBytes === 0) addBlock();
      loops.depthwiseGrad(to + taps, from + pixels, slopes + out, lines, columns, tapPitch, imagePitch, channels);
    });
    addBlock();
    floats(backend, gradient).set(totals);
    for (const { dataId } of image === x ? [block] : [block, image]) backend.disposeData(dataId);
    return gradient;
  },
};

function outputShape(xShape: readonly number[], filterShape: readonly number[], attrs: KernelCall['attrs']): number[] {
  const info = tf.backend_util.computeConv2DInfo(xShape as Shape4D, filterShape as Shape4D, attrs.strides as [number, number], (attrs.dilations as [number, number] | undefined) ?? 1, attrs.pad as 'same' | 'valid', undefined, true);
  if (info.dilationHeight !== 1 || info.dilationWidth !== 1 || (attrs.dataFormat ?? 'NHWC') !== 'NHWC') throw new Error('a depthwise convolution is neither dilated (model/sliding-window.ts) nor of another format than NHWC');
  return info.outShape;
}

/**
 * Every output, in order, with its window: what is inside of the image of it.
 * @param visit offsets in bytes of its first pixel, of the weights for that, and of the output; its lines and columns, the
 * bytes from one line to the next in the image and in the weights, and its channels
 */
function forEachOutput(
  shape: readonly number[],
  [height, width]: readonly number[],
  attrs: KernelCall['attrs'],
  visit: (pixels: number, taps: number, out: number, lines: number, columns: number, imagePitch: number, tapPitch: number, channels: number) => void,
): void {
  const channels = shape[3]!;
  const pixel = 4 * channels;
  forEachWindow(shape, { ...attrs, filterSize: [height!, width!] }, (first, lines, columns, imageWidth, out, place) => visit(first * pixel, place * pixel, out * pixel, lines, columns, imageWidth * pixel, width! * pixel, channels));
}

/** [n, h, w, c · times + m] = x[n, h, w, c]; x itself if that is the same. */
function repeatChannels({ backend, loops }: KernelCall, x: TensorInfo, times: number): TensorInfo {
  if (times === 1) return x;
  const repeated = makeFloats(backend, [...x.shape.slice(0, 3), x.shape[3]! * times]);
  loops.pack(addressOf(backend, x), 4, 0, sizeOf(x.shape), times, addressOf(backend, repeated));
  return repeated;
}

/** The gradient of repeatChannels from that of its result, which it disposes of: a product with ones. */
function sumRepeated({ backend, loops }: KernelCall, gradient: TensorInfo, times: number): TensorInfo {
  if (times === 1) return gradient;
  const [dx, ones] = [makeFloats(backend, [...gradient.shape.slice(0, 3), gradient.shape[3]! / times]), makeFloats(backend, [times])];
  floats(backend, ones).fill(1);
  loops.multiply(addressOf(backend, gradient), 4 * times, 1, 0, times, addressOf(backend, ones), addressOf(backend, dx), 4, sizeOf(dx.shape), 1);
  for (const { dataId } of [ones, gradient]) backend.disposeData(dataId);
  return dx;
}

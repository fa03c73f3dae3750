// Convolution and both its gradients. Images get their border of zeros first, so that the loops know of none: a row of the
// result is then a product of what lies side by side in NHWC (the taps of one line of the window, with all their channels)
// and packed weights. The package has no kernel for the filter's gradient and a scalar loop for the input's.
import tf from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressOf, floats, makeFloats, type KernelCall, type Kernels } from './kernel.js';
import { packColumns } from './packing.js';

type Shape4D = [number, number, number, number];
type Tools = Pick<KernelCall, 'backend' | 'loops'>;

export const convolutionKernels: Kernels = {
  Conv2D({ backend, inputs, attrs, loops }) {
    const { x, filter } = inputs as Record<'x' | 'filter', TensorInfo>;
    const { strides, border } = geometry(x.shape, filter.shape, attrs);
    const [height, width, channels, outputs] = filter.shape as Shape4D;
    const framed = frame({ backend, loops }, x, border, [1, 1]);
    const packed = packColumns({ backend, loops }, { from: addressOf(backend, filter), runs: 1, runPitch: 0, run: height * width * channels, step: 4 * outputs, columns: outputs, columnStep: 4 });
    const y = convolve({ backend, loops }, framed, packed, [height, width], outputs, strides);
    release(backend, [packed, framed], [x]);
    return y;
  },

  /** dfilter[h, w, c, k] = Σ x[n, i·stride + h, j·stride + w, c] · dy[n, i, j, k] over the framed image. */
  Conv2DBackpropFilter({ backend, inputs, attrs, loops }) {
    const { x, dy } = inputs as Record<'x' | 'dy', TensorInfo>;
    const filterShape = attrs.filterShape as Shape4D;
    const { strides, border } = geometry(x.shape, filterShape, attrs);
    const framed = frame({ backend, loops }, x, border, [1, 1]);
    const gradient = makeFloats(backend, filterShape);
    floats(backend, gradient).fill(0);
    const [filterHeight, filterWidth, channels, outputs] = filterShape;
    const [samples, inHeight, inWidth] = framed.shape as Shape4D;
    const [, outHeight, outWidth] = dy.shape as Shape4D;
    const [line, outLine] = [4 * inWidth * channels, 4 * outWidth * outputs];
    const [from, slopes, to] = [framed, dy, gradient].map((tensor) => addressOf(backend, tensor)) as [number, number, number];
    const block = Math.max(1, Math.floor(CACHED_BYTES / (strides[0] * line + outLine)));
    for (let sample = 0; sample < samples; sample++) {
      for (let row = 0; row < outHeight; row += block) {
        for (let tap = 0; tap < filterHeight; tap++) {
          loops.accumulate(
            ...[from + (sample * inHeight + row * strides[0] + tap) * line, 4 * strides[1] * channels, strides[0] * line],
            ...[slopes + (sample * outHeight + row) * outLine, 4 * outputs, outLine],
            ...[Math.min(block, outHeight - row), outWidth, to + 4 * tap * filterWidth * channels * outputs, 4 * outputs, filterWidth * channels, outputs],
          );
        }
      }
    }
    release(backend, [framed], [x]);
    return gradient;
  },

  /** dx is dy, with zeros between its elements where the stride is more than 1, convolved with the filter turned around. */
  Conv2DBackpropInput({ backend, inputs, attrs, loops }) {
    const { dy, filter } = inputs as Record<'dy' | 'filter', TensorInfo>;
    const inputShape = attrs.inputShape as Shape4D;
    const { strides, border } = geometry(inputShape, filter.shape, attrs);
    const [height, width, channels, outputs] = filter.shape as Shape4D;
    const [, inHeight, inWidth] = inputShape;
    const [top, left] = [height - 1 - border.top, width - 1 - border.left];
    const bottom = inHeight - 1 + height - 1 - top - (dy.shape[1]! - 1) * strides[0];
    const right = inWidth - 1 + width - 1 - left - (dy.shape[2]! - 1) * strides[1];
    const framed = frame({ backend, loops }, dy, { top, left, bottom, right }, strides);
    const tapBytes = 4 * channels * outputs;
    const packed = packColumns({ backend, loops }, { from: addressOf(backend, filter) + (height * width - 1) * tapBytes, runs: height * width, runPitch: -tapBytes, run: outputs, step: 4, columns: channels, columnStep: 4 * outputs });
    const dx = convolve({ backend, loops }, framed, packed, [height, width], channels, [1, 1]);
    release(backend, [packed, framed], [dy]);
    return dx;
  },
};

/** What a block of lines may take of a processor's first cache; less than a line is a line. */
const CACHED_BYTES = 20 * 1024;

interface Border {
  top: number;
  bottom: number;
  left: number;
  right: number;
}

function geometry(xShape: readonly number[], filterShape: readonly number[], attrs: KernelCall['attrs']): { strides: [number, number]; border: Border } {
  const info = tf.backend_util.computeConv2DInfo(xShape as Shape4D, filterShape as Shape4D, attrs.strides as [number, number], (attrs.dilations as [number, number] | undefined) ?? 1, attrs.pad as 'same' | 'valid');
  if (info.dilationHeight !== 1 || info.dilationWidth !== 1 || (attrs.dataFormat ?? 'NHWC') !== 'NHWC') throw new Error('a convolution is neither dilated (model/sliding-window.ts) nor of another format than NHWC');
  const { top, bottom, left, right } = info.padInfo;
  return { strides: [info.strideHeight, info.strideWidth], border: { top, bottom, left, right } };
}

/** Without a border: y[n, i, j, k] = Σ x[n, i·stride + h, j·stride + w, c] · packed weights, as the window's shape has it. */
function convolve({ backend, loops }: Tools, x: TensorInfo, packed: TensorInfo, [height, width]: [number, number], outputs: number, strides: [number, number]): TensorInfo {
  const [samples, inHeight, inWidth, channels] = x.shape as Shape4D;
  const [outHeight, outWidth] = [Math.floor((inHeight - height) / strides[0]) + 1, Math.floor((inWidth - width) / strides[1]) + 1];
  const y = makeFloats(backend, [samples, outHeight, outWidth, outputs]);
  const [from, weights, to] = [x, packed, y].map((tensor) => addressOf(backend, tensor)) as [number, number, number];
  const [line, pixel] = [4 * inWidth * channels, 4 * channels];
  for (let sample = 0, out = to; sample < samples; sample++) {
    for (let row = 0; row < outHeight; row++, out += 4 * outWidth * outputs) {
      loops.multiply(from + (sample * inHeight + row * strides[0]) * line, strides[1] * pixel, height, line, width * channels, weights, out, 4 * outputs, outWidth, outputs);
    }
  }
  return y;
}

/** x in a border of zeros, and with `strides − 1` zeros between its pixels; x itself where that changes nothing. */
function frame({ backend }: Tools, x: TensorInfo, { top, bottom, left, right }: Border, [strideHeight, strideWidth]: readonly [number, number]): TensorInfo {
  if (top + bottom + left + right === 0 && strideHeight === 1 && strideWidth === 1) return x;
  const [samples, height, width, channels] = x.shape as Shape4D;
  const [framedHeight, framedWidth] = [top + (height - 1) * strideHeight + 1 + bottom, left + (width - 1) * strideWidth + 1 + right];
  const framed = makeFloats(backend, [samples, framedHeight, framedWidth, channels]);
  const [from, to] = [floats(backend, x), floats(backend, framed)];
  to.fill(0);
  // pixels that stay side by side are copied at once
  const run = strideWidth === 1 ? width * channels : channels;
  for (let line = 0, at = 0; line < samples * height; line++) {
    const row = Math.floor(line / height) * framedHeight + top + (line % height) * strideHeight;
    for (let target = (row * framedWidth + left) * channels, end = at + width * channels; at < end; at += run, target += strideWidth * channels) to.set(from.subarray(at, at + run), target);
  }
  return framed;
}

function release(backend: Tools['backend'], made: readonly TensorInfo[], given: readonly TensorInfo[]): void {
  for (const tensor of made) if (!given.includes(tensor)) backend.disposeData(tensor.dataId);
}

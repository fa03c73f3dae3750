// The gradient of max pooling: each window's goes to one element, the first of its largest in reading order. The package's
// own looks for a maximum above zero, and finds none in a window of negative values.
import tf from '@tensorflow/tfjs-core';
import { addressOf, floats, makeFloats, type Kernels } from './kernel.js';

type Pair = [number, number];

export const maxPoolingKernels: Kernels = {
  MaxPoolGrad({ backend, inputs, attrs, loops }) {
    const { dy, input, output } = inputs as Record<'dy' | 'input' | 'output', (typeof inputs)[string]>;
    const info = tf.backend_util.computePool2DInfo(input.shape as [number, number, number, number], attrs.filterSize as Pair, attrs.strides as Pair, 1, attrs.pad as 'same' | 'valid');
    const { batchSize, inHeight, inWidth, inChannels: channels, outHeight, outWidth, strideHeight, strideWidth, filterHeight, filterWidth } = info;
    const { top, left } = info.padInfo;
    const pixel = 4 * channels;
    const gradient = makeFloats(backend, input.shape);
    floats(backend, gradient).fill(0);
    const [x, dx, y, slope] = [input, gradient, output, dy].map((tensor) => addressOf(backend, tensor)) as [number, number, number, number];
    for (let sample = 0, out = 0; sample < batchSize; sample++) {
      for (let row = 0; row < outHeight; row++) {
        const first = Math.max(0, row * strideHeight - top);
        const lines = Math.min(inHeight, row * strideHeight - top + filterHeight) - first;
        for (let column = 0; column < outWidth; column++, out += pixel) {
          const start = Math.max(0, column * strideWidth - left);
          const columns = Math.min(inWidth, column * strideWidth - left + filterWidth) - start;
          const at = ((sample * inHeight + first) * inWidth + start) * pixel;
          loops.maxPoolGrad(x + at, dx + at, y + out, slope + out, lines, columns, inWidth * pixel, pixel, channels);
        }
      }
    }
    return gradient;
  },
};

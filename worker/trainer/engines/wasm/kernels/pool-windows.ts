// Where the windows of a pooling layer or of a depthwise convolution lie, without what is outside of the image.
import tf from '@tensorflow/tfjs-core';
import type { KernelCall } from './kernel.js';

type Pair = [number, number];

/**
 * Every window, in the order of the output. Pixels are numbered through all samples.
 * @param visit its first pixel, its lines and columns, the pixels of a line of the image, the output's pixel, and where in
 * the whole window the first pixel is, counted line by line
 */
export function forEachWindow(shape: readonly number[], attrs: KernelCall['attrs'], visit: (first: number, lines: number, columns: number, width: number, out: number, place: number) => void): void {
  const info = tf.backend_util.computePool2DInfo(shape as [number, number, number, number], attrs.filterSize as Pair, attrs.strides as Pair, 1, attrs.pad as 'same' | 'valid');
  const { batchSize, inHeight, inWidth, outHeight, outWidth, strideHeight, strideWidth, filterHeight, filterWidth } = info;
  const { top, left } = info.padInfo;
  let out = 0;
  for (let sample = 0; sample < batchSize; sample++) {
    for (let row = 0; row < outHeight; row++) {
      const above = row * strideHeight - top;
      const first = Math.max(0, above);
      const lines = Math.min(inHeight, above + filterHeight) - first;
      for (let column = 0; column < outWidth; column++, out++) {
        const before = column * strideWidth - left;
        const start = Math.max(0, before);
        const columns = Math.min(inWidth, before + filterWidth) - start;
        visit((sample * inHeight + first) * inWidth + start, lines, columns, inWidth, out, (first - above) * filterWidth + start - before);
      }
    }
  }
}

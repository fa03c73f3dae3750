// The gradient of average pooling: a window's, divided among the elements that it has inside of the image. The package's own
// counts those outside too.
import { addressOf, floats, makeFloats, type Kernels } from './kernel.js';
import { forEachWindow } from './pool-windows.js';

export const averagePoolingKernels: Kernels = {
  AvgPoolGrad({ backend, inputs, attrs, loops }) {
    const { dy, input } = inputs as Record<'dy' | 'input', (typeof inputs)[string]>;
    const channels = input.shape[3]!;
    const pixel = 4 * channels;
    const [gradient, shares] = [makeFloats(backend, input.shape), makeFloats(backend, dy.shape)];
    floats(backend, gradient).fill(0);
    const [slope, share] = [floats(backend, dy), floats(backend, shares)];
    const [dx, added] = [addressOf(backend, gradient), addressOf(backend, shares)];
    forEachWindow(input.shape, attrs, (first, lines, columns, width, out) => {
      for (let at = out * channels; at < (out + 1) * channels; at++) share[at] = slope[at]! / (lines * columns);
      for (let line = 0; line < lines; line++) {
        const row = dx + (first + line * width) * pixel;
        loops.addBias(row, added + out * pixel, row, columns, channels);
      }
    });
    backend.disposeData(shares.dataId);
    return gradient;
  },
};

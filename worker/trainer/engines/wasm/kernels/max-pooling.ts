// The gradient of max pooling: each window's goes to one element, the first of its largest in reading order. The package's
// own looks for a maximum above zero, and finds none in a window of negative values.
import { addressOf, floats, makeFloats, type Kernels } from './kernel.js';
import { forEachWindow } from './pool-windows.js';

export const maxPoolingKernels: Kernels = {
  MaxPoolGrad({ backend, inputs, attrs, loops }) {
    const { dy, input, output } = inputs as Record<'dy' | 'input' | 'output', (typeof inputs)[string]>;
    const channels = input.shape[3]!;
    const pixel = 4 * channels;
    const gradient = makeFloats(backend, input.shape);
    floats(backend, gradient).fill(0);
    const [x, dx, y, slope] = [input, gradient, output, dy].map((tensor) => addressOf(backend, tensor)) as [number, number, number, number];
    forEachWindow(input.shape, attrs, (first, lines, columns, width, out) => loops.maxPoolGrad(x + first * pixel, dx + first * pixel, y + out * pixel, slope + out * pixel, lines, columns, width * pixel, pixel, channels));
    return gradient;
  },
};

// The gradient of relu from its output: dy where y > 0.
import { addressOf, makeFloats, sizeOf, type Kernels } from './kernel.js';

export const reluKernels: Kernels = {
  ReluGrad({ backend, inputs, loops }) {
    const { dy, y } = inputs as Record<'dy' | 'y', (typeof inputs)[string]>;
    const dx = makeFloats(backend, dy.shape);
    loops.reluGrad(addressOf(backend, dy), addressOf(backend, y), addressOf(backend, dx), 1, sizeOf(dy.shape));
    return dx;
  },
};

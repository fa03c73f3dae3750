// x[…, c] + bias[c], and its gradient: the sum over all but the last axis.
import { addressOf, floats, makeFloats, sizeOf, type Kernels } from './kernel.js';
import { sumRows } from './sums.js';

export const biasKernels: Kernels = {
  BiasAdd({ backend, inputs, loops }) {
    const { x, bias } = inputs as Record<'x' | 'bias', (typeof inputs)[string]>;
    const channels = x.shape.at(-1)!;
    const y = makeFloats(backend, x.shape);
    loops.addBias(addressOf(backend, x), addressOf(backend, bias), addressOf(backend, y), sizeOf(x.shape) / channels, channels);
    return y;
  },

  BiasAddGrad(call) {
    const sums = sumRows(call, call.inputs.dy!);
    const dbias = makeFloats(call.backend, [sums.length]);
    floats(call.backend, dbias).set(sums);
    return dbias;
  },
};

// Batch normalization by the batch's own statistics, over all but the last axis. Outputs as TensorFlow's FusedBatchNormV3:
// y, mean, unbiased variance, and three of its own for the gradient (mean, 1/√(variance + ε), nothing).
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressOf, floats, makeFloats, sizeOf, type KernelCall, type Kernels } from './kernel.js';
import { sumByBlocks, sumRows } from './sums.js';

export const batchNormalizationKernels: Kernels = {
  FusedBatchNormV3(call) {
    const { backend, attrs, loops } = call;
    const { x, scale, offset } = call.inputs as Record<'x' | 'scale' | 'offset', TensorInfo>;
    const { rows, channels, at } = layoutOf(call, x);
    const mean = perChannel(call, sumRows(call, x).map((sum) => sum / rows));
    const m2 = sumByBlocks(call, rows, channels, (first, count, sums) => loops.sumSquares(at(x, first), addressOf(backend, mean), sums, count, channels));
    const inverse = m2.map((sum) => 1 / Math.sqrt(sum / rows + (attrs.epsilon as number)));
    const scales = floats(backend, scale);
    const factor = perChannel(call, inverse.map((root, channel) => root * scales[channel]!));
    const y = makeFloats(backend, x.shape);
    loops.normalise(...[x, mean, factor, offset, y].map((tensor) => addressOf(backend, tensor)), rows, channels);
    backend.disposeData(factor.dataId);
    const variance = m2.map((sum) => (rows > 1 ? sum / (rows - 1) : 0));
    return [y, perChannel(call, floats(backend, mean)), perChannel(call, variance), mean, perChannel(call, inverse), makeFloats(backend, [0])];
  },

  /** dx = scale · inverse · (dy − mean(dy) − x̂ · mean(dy · x̂)), dscale = Σ dy · x̂, doffset = Σ dy; x̂ = (x − mean) · inverse */
  FusedBatchNormGradV3(call) {
    const { backend, loops } = call;
    const { dy, x, scale, r1: mean, r2: inverse } = call.inputs as Record<'dy' | 'x' | 'scale' | 'r1' | 'r2', TensorInfo>;
    const { rows, channels, at } = layoutOf(call, x);
    const slope = sumRows(call, dy);
    const product = sumByBlocks(call, rows, channels, (first, count, sums) => loops.sumProducts(at(dy, first), at(x, first), addressOf(backend, mean), sums, count, channels));
    const roots = Float64Array.from(floats(backend, inverse));
    const a = Float64Array.from(floats(backend, scale), (value, channel) => value * roots[channel]!);
    // dx = a · dy + b · (x − mean) + c
    const factors = [a, a.map((value, channel) => (-value * roots[channel]! * roots[channel]! * product[channel]!) / rows), a.map((value, channel) => (-value * slope[channel]!) / rows)].map((values) => perChannel(call, values));
    const dx = makeFloats(backend, x.shape);
    loops.normaliseGrad(...[dy, x, mean, ...factors, dx].map((tensor) => addressOf(backend, tensor)), rows, channels);
    for (const { dataId } of factors) backend.disposeData(dataId);
    return [dx, perChannel(call, product.map((sum, channel) => sum * roots[channel]!)), perChannel(call, slope), makeFloats(backend, [0]), makeFloats(backend, [0])];
  },
};

function layoutOf({ backend }: KernelCall, x: TensorInfo): { rows: number; channels: number; at: (tensor: TensorInfo, row: number) => number } {
  const channels = x.shape.at(-1)!;
  return { rows: sizeOf(x.shape) / channels, channels, at: (tensor, row) => addressOf(backend, tensor) + 4 * row * channels };
}

/** A new tensor of these values. */
function perChannel({ backend }: KernelCall, values: Float32Array | Float64Array): TensorInfo {
  // taken before the heap may grow under a view
  const copy = values.slice();
  const tensor = makeFloats(backend, [copy.length]);
  floats(backend, tensor).set(copy);
  return tensor;
}

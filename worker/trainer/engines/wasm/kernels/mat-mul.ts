// a · b with transposes, none of them carried out: b is packed in either order, and a transposed a is walked by columns.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressOf, floats, makeFloats, sizeOf, stockKernel, type KernelCall, type Kernels } from './kernel.js';
import { packColumns } from './packing.js';

const batchMatMul = stockKernel('BatchMatMul');
const transpose = stockKernel('Transpose');

export const matMulKernels: Kernels = {
  BatchMatMul(call) {
    const { backend, inputs, attrs } = call;
    const { a, b } = inputs as Record<'a' | 'b', TensorInfo>;
    // no layer has more than one matrix a sample
    if (sizeOf(a.shape.slice(0, -2)) !== 1 || sizeOf(b.shape.slice(0, -2)) !== 1) return batchMatMul({ backend, inputs }, attrs);
    return attrs.transposeA ? byColumns(call, a, b, Boolean(attrs.transposeB)) : byRows(call, a, b, Boolean(attrs.transposeB));
  },
};

/** a [M, K] · b [K, N], or [N, K] */
function byRows({ backend, loops }: KernelCall, a: TensorInfo, b: TensorInfo, transposed: boolean): TensorInfo {
  const [M, K] = a.shape.slice(-2) as [number, number];
  const N = b.shape.at(transposed ? -2 : -1)!;
  const product = makeFloats(backend, [...outerShape(a, b), M, N]);
  const packed = packColumns({ backend, loops }, { from: addressOf(backend, b), runs: 1, runPitch: 0, run: K, step: transposed ? 4 : 4 * N, columns: N, columnStep: transposed ? 4 * K : 4 });
  loops.multiply(addressOf(backend, a), 4 * K, 1, 0, K, addressOf(backend, packed), addressOf(backend, product), 4 * N, M, N);
  backend.disposeData(packed.dataId);
  return product;
}

/** aᵀ, of a [K, M], times b */
function byColumns({ backend, loops }: KernelCall, a: TensorInfo, b: TensorInfo, transposed: boolean): TensorInfo {
  const right = transposed ? transpose({ backend, inputs: { x: { ...b, shape: b.shape.slice(-2) } } }, { perm: [1, 0] }) : b;
  const [K, M] = a.shape.slice(-2) as [number, number];
  const N = right.shape.at(-1)!;
  const product = makeFloats(backend, [...outerShape(a, b), M, N]);
  floats(backend, product).fill(0);
  loops.accumulate(addressOf(backend, a), 4 * M, 0, addressOf(backend, right), 4 * N, 0, 1, K, addressOf(backend, product), 4 * N, M, N);
  if (transposed) backend.disposeData(right.dataId);
  return product;
}

/** Axes before the matrix, all of length 1. */
const outerShape = (a: TensorInfo, b: TensorInfo): number[] => Array<number>(Math.max(a.shape.length, b.shape.length) - 2).fill(1);

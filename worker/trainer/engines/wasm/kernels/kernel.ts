// What every kernel of this folder is made with: its signature, the package's own kernels to build upon, addresses and views.
// registers the package's kernels
import '@tensorflow/tfjs-backend-wasm';
import tf from '@tensorflow/tfjs-core';
import type { KernelFunc, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { WasmBackend } from '../backend.js';
import type { Loops } from '../simd/loops.js';

export interface KernelCall {
  backend: WasmBackend;
  /** By tfjs's names. */
  inputs: Readonly<Record<string, TensorInfo>>;
  attrs: NamedAttrMap;
  /** The hand-written ones. */
  loops: Loops;
}

/** Kernels by tfjs's names. The outputs are the caller's; whatever else a kernel makes it disposes of. */
export type Kernels = Readonly<Record<string, (call: KernelCall) => TensorInfo | TensorInfo[]>>;

/** The package's own kernel of this name: taken when this folder is loaded, before any is replaced. */
export function stockKernel(name: string): (call: Pick<KernelCall, 'backend' | 'inputs'>, attrs?: Record<string, unknown>) => TensorInfo {
  const { kernelFunc } = tf.getKernel(name, 'wasm') as { kernelFunc: KernelFunc };
  return ({ backend, inputs }, attrs = {}) => kernelFunc({ backend, inputs, attrs: attrs as NamedAttrMap }) as TensorInfo;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
export const makeFloats = (backend: WasmBackend, shape: readonly number[]): TensorInfo => backend.makeOutput(shape, 'float32');

/** Where a tensor lies in the heap, in bytes: for as long as it lives. */
export const addressOf = (backend: WasmBackend, tensor: TensorInfo): number => backend.getMemoryOffset(tensor.dataId);
/** Valid until the next allocation. */
export const floats = (backend: WasmBackend, tensor: TensorInfo): Float32Array => backend.typedArrayFromHeap(tensor) as Float32Array;

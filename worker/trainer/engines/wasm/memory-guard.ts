// What keeps the wasm heap sound. Its malloc answers 0 when there is no room, which tfjs takes for an address: other
// tensors are overwritten, silently. Here it throws instead, also beyond a budget that leaves room for what C++ allocates
// by itself; a kernel that throws halfway gives back what it took; and no two tensors ever share a number.
import type { DataType, KernelFunc } from '@tensorflow/tfjs-core';
import type { DataId, WasmBackend } from './backend.js';

const MIB = 2 ** 20;

/** As large as a heap can grow. It never shrinks. */
export const HEAP_MIB = 4096;
/** The rest is for what C++ allocates by itself, and for gaps between tensors. */
export const DEFAULT_BUDGET_MIB = 3072;

export interface MemoryGuard {
  /** What live tensors may have together. */
  budgetBytes: number;
  /** The same kernel, all or nothing. */
  guarded(kernel: KernelFunc): KernelFunc;
}

export function guardMemory(backend: WasmBackend): MemoryGuard {
  const { wasm } = backend;
  // the exports replace themselves when they are first called, and would replace a wrapper with it
  wasm._free(wasm._malloc(8));
  const { _malloc: malloc, _free: free } = wasm;
  const sizes = new Map<number, number>();
  let used = 0;

  wasm._malloc = (sizeBytes) => {
    const address = used + sizeBytes <= guard.budgetBytes ? malloc(sizeBytes) >>> 0 : 0;
    if (address === 0) throw exhausted(sizeBytes, used, guard.budgetBytes);
    sizes.set(address, sizeBytes);
    used += sizeBytes;
    return address;
  };
  wasm._free = (address) => {
    used -= sizes.get(address) ?? 0;
    sizes.delete(address);
    free(address);
  };
  const guard: MemoryGuard = { budgetBytes: DEFAULT_BUDGET_MIB * MIB, guarded: journal(backend) };
  numberTensors(backend);
  return guard;
}

/** The word is TensorFlow's: whoever sorts failures knows it. */
const exhausted = (sizeBytes: number, usedBytes: number, budgetBytes: number): Error =>
  new Error(`RESOURCE_EXHAUSTED: wasm has no ${mib(sizeBytes)} MiB for a tensor: ${mib(usedBytes)} MiB of at most ${mib(budgetBytes)} are in use`);
const mib = (sizeBytes: number): string => (sizeBytes / MIB).toFixed(1);

/**
 * Kernels hold tensors that tfjs does not know of yet: those they were making, and references they took. When one throws,
 * they are given back; nobody else could.
 */
function journal(backend: WasmBackend): MemoryGuard['guarded'] {
  let depth = 0;
  const made: DataId[] = [];
  const taken: DataId[] = [];
  const { move, makeOutput, incRef, disposeData } = backend;
  backend.move = (dataId: DataId, values: unknown, shape: number[], dtype: DataType, refCount: number) => {
    move.call(backend, dataId, values, shape, dtype, refCount);
    if (depth > 0) made.push(dataId);
  };
  backend.makeOutput = (shape, dtype, address) => {
    const output = makeOutput.call(backend, shape, dtype, address);
    if (depth > 0 && address !== undefined) made.push(output.dataId);
    return output;
  };
  backend.incRef = (dataId) => {
    incRef.call(backend, dataId);
    if (depth > 0) taken.push(dataId);
  };
  backend.disposeData = (dataId, force) => {
    if (depth > 0 && taken.includes(dataId)) taken.splice(taken.indexOf(dataId), 1);
    return disposeData.call(backend, dataId, force);
  };
  const giveBack = (): void => {
    for (const dataId of made) disposeData.call(backend, dataId, true);
    for (const dataId of taken) disposeData.call(backend, dataId);
  };
  return (kernel) => (call) => {
    depth += 1;
    try {
      return kernel(call);
    } catch (error) {
      if (depth === 1) giveBack();
      throw error;
    } finally {
      depth -= 1;
      if (depth === 0) made.length = taken.length = 0;
    }
  };
}

/** Numbers start again below this, long before C++ would wrap them around at 2³². */
const LAST_NUMBER = 2 ** 31 - 1;

/**
 * C++ knows tensors by a 32-bit number, and tfjs counts on for ever: after some hours of small steps a new tensor would
 * have the number of an old one, and be written over it. Here numbers in use are passed over.
 */
function numberTensors(backend: WasmBackend): void {
  const { tfjs } = backend.wasm;
  const { registerTensor, disposeData } = tfjs;
  const inUse = new Set<number>();
  tfjs.registerTensor = (id, size, address) => {
    registerTensor(id, size, address);
    inUse.add(id);
  };
  tfjs.disposeData = (id) => {
    disposeData(id);
    inUse.delete(id);
  };
  let next = backend.dataIdNextNumber;
  Object.defineProperty(backend, 'dataIdNextNumber', {
    get() {
      while (next > LAST_NUMBER || inUse.has(next)) next = next > LAST_NUMBER ? 1 : next + 1;
      return next;
    },
    set(number: number) {
      next = number;
    },
  });
}

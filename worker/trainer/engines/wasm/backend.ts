// tfjs's wasm backend: how it is brought up, and what is used of it; the package's own types hide half of that.
import { dirname } from 'node:path';
import { createRequire } from 'node:module';
import wasmPackage from '@tensorflow/tfjs-backend-wasm';
// registers the gradients of tfjs's operations: Node can load them from nowhere else
import '@tensorflow/tfjs-layers';
import tf from '@tensorflow/tfjs-core';
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { AppError } from '../../../../lib/errors.js';
import type { Memory } from '../../../../lib/wasm/assembler.js';

const PACKAGE = '@tensorflow/tfjs-backend-wasm';

export type DataId = TensorInfo['dataId'];

export interface WasmBackend {
  readonly wasm: {
    /** The heap as it is now: when it grows, every view of it dies. */
    readonly HEAPU8: Uint8Array;
    /** Address, or 0 if there is no room. Replaced by the memory guard. */
    _malloc: (sizeBytes: number) => number;
    _free: (address: number) => void;
    /** The module's exports, by their own names. */
    readonly asm: { readonly memory: Memory };
    readonly tfjs: {
      registerTensor: (id: number, size: number, address: number) => void;
      disposeData: (id: number) => void;
    };
  };
  /** The next number that C++ knows a tensor by. */
  dataIdNextNumber: number;
  /** Every tensor's memory is made here, or comes from C++ with an address to makeOutput. */
  move(dataId: DataId, values: unknown, shape: number[], dtype: DataType, refCount: number): void;
  /** Its contents are whatever was there. */
  makeOutput(shape: readonly number[], dtype: DataType, address?: number): TensorInfo;
  getMemoryOffset(dataId: DataId): number;
  /** A view, until the heap grows: made after every allocation of a kernel. */
  typedArrayFromHeap(tensor: TensorInfo): Float32Array | Int32Array | Uint8Array;
  incRef(dataId: DataId): void;
  /** Drops one reference, or with `force` all of them; the memory goes with the last. */
  disposeData(dataId: DataId, force?: boolean): boolean;
  refCount(dataId: DataId): number;
  numDataIds(): number;
}

export const wasmBackend = (): WasmBackend => tf.backend() as unknown as WasmBackend;

/** Loads the module and makes the backend the active one. AppError `engine_unavailable` if that does not work. */
export async function activateWasm(): Promise<WasmBackend> {
  const before = processListeners();
  wasmPackage.setWasmPaths(`${dirname(createRequire(import.meta.url).resolve(PACKAGE))}/`);
  // a failure resolves to false, and getBackend() says "wasm" even so
  if (!(await tf.setBackend('wasm'))) throw new AppError('engine_unavailable', 'the engine wasm cannot be started: its module was not loaded');
  // emscripten takes over the process's last resort, and would turn every uncaught error into its own
  for (const [event, listeners] of processListeners()) for (const listener of listeners) if (!before.get(event)!.includes(listener)) process.off(event, listener);
  return wasmBackend();
}

export const hasSimd = (): boolean => tf.env().getBool('WASM_HAS_SIMD_SUPPORT');
export const wasmThreads = (): number => wasmPackage.getThreadsCount();
export const wasmVersion = (): string => wasmPackage.version_wasm;

type Listener = (...values: unknown[]) => void;
const processListeners = (): Map<string, Listener[]> => new Map(['uncaughtException', 'unhandledRejection'].map((event) => [event, process.listeners(event as 'uncaughtException') as Listener[]]));

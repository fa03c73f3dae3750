// What is used of tfjs-node's backend and of its native binding; the package's own types hide both.
import tf from '@tensorflow/tfjs-core';
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';

/** TensorFlow's `DataType` numbers. https://github.com/tensorflow/tensorflow/blob/v2.20.0/tensorflow/core/framework/types.proto */
export const DT = { FLOAT: 1, UINT8: 4, INT32: 3, BOOL: 10, RESOURCE: 20 } as const;

/** A tensor inside the binding. */
export interface TensorMetadata {
  id: number;
  shape: number[];
  dtype: number;
}

/** `type` is one of the binding's TF_ATTR_ numbers. */
export interface OpAttribute {
  name: string;
  type: number;
  value: number | boolean | string | readonly number[];
}

export interface Binding {
  readonly TF_Version: string;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
  readonly TF_FLOAT: number;
  /** Adopts the buffer: it may not be touched again. */
  createTensor(shape: readonly number[], dtype: number, values: ArrayBufferView): number;
  deleteTensor(id: number): void;
  /** A copy. */
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
  executeOp(name: string, attributes: readonly OpAttribute[], inputIds: readonly number[], outputs: number): TensorMetadata[];
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(session: number): void;
  /** Feeds and fetches as `node:output`, separated by commas. */
  runSavedModel(session: number, inputIds: readonly number[], feeds: string, fetches: string): TensorMetadata[];
  getNumOfTensors(): number;
}

export interface NodeBackend {
  isUsingGpuDevice: boolean;
  binding: Binding;
  /** Uploads what is still on the host only. */
  getInputTensorIds(tensors: readonly TensorInfo[]): number[];
  executeSingleOutput(name: string, attributes: OpAttribute[], inputs: TensorInfo[]): Tensor;
  executeMultipleOutputs(name: string, attributes: OpAttribute[], inputs: TensorInfo[], outputs: number): Tensor[];
}

export const nodeBackend = (): NodeBackend => tf.backend() as unknown as NodeBackend;

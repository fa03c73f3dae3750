// Tensors of a training state by name, held and freed by hand: they outlive every tidy. Tensors are immutable, so a
// clone taken now shows today's values for ever, at no cost.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { ExpectedTensor } from '../../../lib/model/slots.js';
import { AppError } from '../../../lib/errors.js';
import type { HostTensor } from '../../../lib/training/state.js';
import type { StateSnapshot } from './index.js';

export interface TensorStore {
  get(name: string): Tensor;
  has(name: string): boolean;
  /** Holds `tensor` under this name from now on, and frees what was there. */
  put(name: string, tensor: Tensor): void;
  delete(name: string): void;
  /** An immutable view of these names. */
  view(names: readonly string[]): StateSnapshot;
  close(): void;
}

export function makeTensorStore(): TensorStore {
  const tensors = new Map<string, Tensor>();
  const store: TensorStore = {
    get(name) {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new Error(`there is no tensor "${name}" in the state`);
      return tensor;
    },
    has: (name) => tensors.has(name),
    put(name, tensor) {
      const previous = tensors.get(name);
      tensors.set(name, tf.keep(tensor));
      if (previous !== tensor) previous?.dispose();
    },
    delete(name) {
      tensors.get(name)?.dispose();
      tensors.delete(name);
    },
    view(names) {
      const clones = new Map(names.map((name) => [name, tf.keep(tf.clone(store.get(name)))]));
      return {
        names,
        read: (name) => toHost(clones.get(name), name),
        dispose() {
          for (const clone of clones.values()) clone.dispose();
          clones.clear();
        },
      };
    },
    close() {
      for (const name of [...tensors.keys()]) store.delete(name);
    },
  };
  return store;
}

function toHost(tensor: Tensor | undefined, name: string): HostTensor {
  if (tensor === undefined) throw new Error(`there is no tensor "${name}" in this view`);
  const data = tensor.dataSync() as Float32Array | Int32Array;
  return { dtype: tensor.dtype === 'int32' ? 'I32' : 'F32', shape: tensor.shape, data };
}

/** A tensor of a host tensor's values. They are copied: TensorFlow adopts the buffer that it is handed. */
export const toTensor = ({ data, shape, dtype }: HostTensor): Tensor => tf.tensor(data.slice(), [...shape], dtype === 'I32' ? 'int32' : 'float32');

/** Checks what `checkState` cannot see: that a tensor's data has its declared type and size. */
export function assertHostTensor(name: string, { data, shape, dtype }: HostTensor, expected: Pick<ExpectedTensor, 'dtype'>): void {
  const size = shape.reduce((product, length) => product * length, 1);
  const typed = expected.dtype === 'I32' ? data instanceof Int32Array : data instanceof Float32Array;
  if (dtype !== expected.dtype || !typed || data.length !== size) {
    throw new AppError('checkpoint_corrupt', `the tensor "${name}" has ${data.length} values, but has to have ${size} of type ${expected.dtype}`, { param: name });
  }
}

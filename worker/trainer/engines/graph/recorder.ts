// Records what a function of tensors asks of TensorFlow: it runs once, eagerly, through a binding that notes every
// operation and every constant made on the host. What is noted is a graph, as long as nothing of a tensor was read on the way.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { DT, nodeBackend, type Binding, type OpAttribute } from '../node-backend.js';
import { inScope } from '../scope.js';

/** One output of one node of a recording. */
export interface Ref {
  node: number;
  output: number;
}

export interface Result {
  dtype: number;
  shape: readonly number[];
}

export type RecordedNode =
  | { kind: 'input'; name: string; results: [Result] }
  | { kind: 'constant'; /** row-major, little-endian */ values: Uint8Array; results: [Result] }
  | { kind: 'op'; op: string; attributes: readonly OpAttribute[]; inputs: readonly Ref[]; results: readonly Result[] };

export interface Recording {
  nodes: readonly RecordedNode[];
  outputs: ReadonlyMap<string, Ref>;
  /** What the inputs and the outputs were in this run, row-major. */
  inputs: ReadonlyMap<string, HostValue>;
  values: ReadonlyMap<string, Float32Array | Int32Array | Uint8Array>;
}

export interface HostValue {
  shape: readonly number[];
  data: Float32Array | Int32Array;
}

/**
 * @param inputs by name: what the function is run on
 * @param compute its results by name; runs inside a scope of its own
 * Error if a tensor that was made elsewhere is used, or one is read to the host: its value would be baked in.
 */
export function record(inputs: ReadonlyMap<string, HostValue>, compute: (inputs: ReadonlyMap<string, Tensor>) => ReadonlyMap<string, Tensor>): Recording {
  const backend = nodeBackend();
  const nodes: RecordedNode[] = [];
  /** Ids are never used twice in a process, so a freed tensor's id stays good. */
  const refs = new Map<number, Ref>();
  const add = (node: RecordedNode, ids: readonly number[]): void => {
    ids.forEach((id, output) => refs.set(id, { node: nodes.length, output }));
    nodes.push(node);
  };
  const real = backend.binding;
  const recording = delegate(real, {
    createTensor(shape: readonly number[], dtype: number, values: ArrayBufferView) {
      // a copy: the original now belongs to TensorFlow
      const kept = new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
      const id = real.createTensor(shape, dtype, values);
      add({ kind: 'constant', values: kept, results: [{ dtype, shape: [...shape] }] }, [id]);
      return id;
    },
    executeOp(op: string, attributes: readonly OpAttribute[], inputIds: readonly number[], outputs: number) {
      const operands = inputIds.map((id) => {
        const ref = refs.get(id);
        if (ref === undefined) throw new Error(`the operation ${op} uses a tensor that was made before the recording: its value would be baked in`);
        return ref;
      });
      const made = real.executeOp(op, attributes, inputIds, outputs);
      add({ kind: 'op', op, attributes: attributes.map((attribute) => ({ ...attribute })), inputs: operands, results: made.map(({ dtype, shape }) => ({ dtype, shape })) }, made.map(({ id }) => id));
      return made;
    },
    tensorDataSync(id: number) {
      const ref = refs.get(id);
      const node = ref === undefined ? undefined : nodes[ref.node];
      throw new Error(`a tensor was read to the host while it was recorded (the result of ${node?.kind === 'op' ? node.op : (node?.kind ?? 'something else')}): what follows from its value would be baked in`);
    },
  });

  return inScope(() => {
    const tensors = new Map<string, Tensor>();
    for (const [name, { shape, data }] of inputs) {
      const tensor = tf.tensor(data.slice(), [...shape], data instanceof Int32Array ? 'int32' : 'float32');
      const [id] = backend.getInputTensorIds([tensor]);
      add({ kind: 'input', name, results: [{ dtype: data instanceof Int32Array ? DT.INT32 : DT.FLOAT, shape }] }, [id!]);
      tensors.set(name, tensor);
    }
    let results: ReadonlyMap<string, Tensor>;
    const outputs = new Map<string, Ref>();
    backend.binding = recording;
    try {
      results = compute(tensors);
      for (const [name, tensor] of results) outputs.set(name, refs.get(backend.getInputTensorIds([tensor])[0]!)!);
    } finally {
      backend.binding = real;
    }
    return { nodes, outputs, inputs, values: new Map([...results].map(([name, tensor]) => [name, tensor.dataSync() as Float32Array])) };
  });
}

/** `binding` with some functions replaced. Its own properties are read-only, so a copy cannot be assigned to. */
const delegate = (binding: Binding, replaced: Partial<Binding>): Binding => Object.create(binding, Object.getOwnPropertyDescriptors(replaced)) as Binding;

// A graph inside TensorFlow: written as a SavedModel, loaded, run. Knows nothing of training.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError, isDiskFull, messageOf } from '../../../../lib/errors.js';
import { DT, nodeBackend, type TensorMetadata } from '../node-backend.js';
import type { Attribute, Constant, Graph, GraphNode, Output } from './graph.js';

/** A tensor that goes in. Its buffer is not touched again. */
export interface Feed {
  name: string;
  dtype: number;
  shape: readonly number[];
  values: ArrayBufferView;
}

export interface Session {
  /** The results in the order of `fetches`; each has to be freed. Blocks until all is computed. */
  run(feeds: readonly Feed[], fetches: readonly Output[]): TensorMetadata[];
  /** Runs and copies the only result out. */
  read(feeds: readonly Feed[], fetch: Output): Float32Array;
  close(): void;
}

/** AppError `engine_unavailable` if TensorFlow does not take the graph, `store_full` if the temporary folder has no room for it. */
export function openSession(graph: Graph): Session {
  const { binding } = nodeBackend();
  let folder: string | null = null;
  let session: number | null;
  try {
    folder = mkdtempSync(join(tmpdir(), 'pawl-graph-'));
    writeFileSync(join(folder, 'saved_model.pb'), savedModel(graph));
    session = binding.loadSavedModel(folder, 'serve');
  } catch (error) {
    if (isDiskFull(error)) throw new AppError('store_full', `no space for the program's graph in ${tmpdir()}: ${messageOf(error)}`, { cause: error });
    throw new AppError('engine_unavailable', `TensorFlow does not take the program's graph: ${messageOf(error)}`, { cause: error });
  } finally {
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
  }
  function run(feeds: readonly Feed[], fetches: readonly Output[]): TensorMetadata[] {
    if (session === null) throw new Error('the session is closed');
    const ids = feeds.map(({ shape, dtype, values }) => binding.createTensor(shape, dtype, values));
    try {
      return binding.runSavedModel(session, ids, feeds.map(({ name }) => `${name}:0`).join(','), fetches.map((fetch) => (fetch.includes(':') ? fetch : `${fetch}:0`)).join(','));
    } finally {
      for (const id of ids) binding.deleteTensor(id);
    }
  }
  return {
    run,
    read(feeds, fetch) {
      const [result] = run(feeds, [fetch]);
      try {
        return binding.tensorDataSync(result!.id) as Float32Array;
      } finally {
        binding.deleteTensor(result!.id);
      }
    },
    close() {
      if (session !== null) binding.deleteSavedModel(session);
      session = null;
    },
  };
}

/** The generated classes that tfjs-node itself reads SavedModels with; of them, what is written here. */
interface Message {
  serializeBinary(): Uint8Array;
}
interface ProtoShape extends Message {
  addDim(dim: Message): void;
}
interface ProtoNode extends Message {
  setName(name: string): void;
  setOp(op: string): void;
  setDevice(device: string): void;
  addInput(input: string): void;
  getAttrMap(): { set(name: string, value: Message): void };
}
interface ProtoValue extends Message {
  setType(type: number): void;
  setB(value: boolean): void;
  setI(value: number): void;
  setF(value: number): void;
  setS(value: Uint8Array): void;
  setShape(shape: Message): void;
  setTensor(tensor: Message): void;
  setList(list: Message): void;
}
interface Protobuf {
  SavedModel: new () => Message & { setSavedModelSchemaVersion(version: number): void; addMetaGraphs(graph: Message): void };
  MetaGraphDef: (new () => Message & { setMetaInfoDef(info: Message): void; setGraphDef(graph: Message): void }) & { MetaInfoDef: new () => Message & { addTags(tag: string): void } };
  GraphDef: new () => Message & { addNode(node: Message): void; setVersions(versions: Message): void };
  VersionDef: new () => Message & { setProducer(version: number): void };
  NodeDef: new () => ProtoNode;
  AttrValue: (new () => ProtoValue) & { ListValue: new () => Message & { setIList(values: number[]): void; setFList(values: number[]): void } };
  TensorShape: (new () => ProtoShape) & { Dim: new () => Message & { setSize(size: number): void } };
  Tensor: new () => Message & { setDtype(dtype: number): void; setTensorShape(shape: Message): void; setFloatValList(values: number[]): void; setIntValList(values: number[]): void; setBoolValList(values: boolean[]): void };
}
const proto = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js') as Protobuf;

/** Of TensorFlow 2.20: defaults of attributes are filled in as of this version. */
const GRAPH_VERSION = 2129;

function savedModel({ nodes }: Graph): Uint8Array {
  const versions = new proto.VersionDef();
  versions.setProducer(GRAPH_VERSION);
  const graph = new proto.GraphDef();
  graph.setVersions(versions);
  for (const node of nodes) graph.addNode(nodeDef(node));
  const info = new proto.MetaGraphDef.MetaInfoDef();
  info.addTags('serve');
  const meta = new proto.MetaGraphDef();
  meta.setMetaInfoDef(info);
  meta.setGraphDef(graph);
  const model = new proto.SavedModel();
  model.setSavedModelSchemaVersion(1);
  model.addMetaGraphs(meta);
  return model.serializeBinary();
}

function nodeDef({ name, op, inputs, after, attributes, device }: GraphNode): Message {
  const node = new proto.NodeDef();
  node.setName(name);
  node.setOp(op);
  if (device !== null) node.setDevice(device);
  for (const input of inputs) node.addInput(input);
  for (const before of after) node.addInput(`^${before}`);
  const map = node.getAttrMap();
  for (const [key, attribute] of Object.entries(attributes)) map.set(key, attrValue(attribute));
  return node;
}

function attrValue(attribute: Attribute): Message {
  const value = new proto.AttrValue();
  if ('type' in attribute) value.setType(attribute.type);
  else if ('shape' in attribute) value.setShape(shapeOf(attribute.shape));
  else if ('bool' in attribute) value.setB(attribute.bool);
  else if ('int' in attribute) value.setI(attribute.int);
  else if ('float' in attribute) value.setF(attribute.float);
  else if ('string' in attribute) value.setS(Buffer.from(attribute.string));
  else if ('tensor' in attribute) value.setTensor(tensorOf(attribute.tensor));
  else {
    const list = new proto.AttrValue.ListValue();
    if ('ints' in attribute) list.setIList([...attribute.ints]);
    else list.setFList([...attribute.floats]);
    value.setList(list);
  }
  return value;
}

function shapeOf(sizes: readonly number[]): Message {
  const shape = new proto.TensorShape();
  for (const size of sizes) {
    const dim = new proto.TensorShape.Dim();
    dim.setSize(size);
    shape.addDim(dim);
  }
  return shape;
}

function tensorOf({ dtype, shape, values }: Constant): Message {
  const tensor = new proto.Tensor();
  tensor.setDtype(dtype);
  tensor.setTensorShape(shapeOf(shape));
  if (dtype === DT.FLOAT) tensor.setFloatValList([...values]);
  else if (dtype === DT.INT32) tensor.setIntValList([...values]);
  else tensor.setBoolValList(values.map((value) => value !== 0));
  return tensor;
}

// A TensorFlow graph under construction: nodes by name, and the outputs that others refer to. Knows nothing of training.
import type { RecordedNode, Recording } from './recorder.js';
import { DT, type OpAttribute } from '../node-backend.js';

/** A node's output: `name` for the first, `name:1` for the second, as a GraphDef writes it. */
export type Output = string;

export type Attribute =
  | { type: number }
  | { shape: readonly number[] }
  | { bool: boolean }
  | { int: number }
  | { ints: readonly number[] }
  | { float: number }
  | { floats: readonly number[] }
  | { string: string }
  | { tensor: Constant };

export interface Constant {
  dtype: number;
  shape: readonly number[];
  /** Row-major; a single one of a larger constant stands for all of its elements. */
  values: readonly number[];
}

export interface GraphNode {
  name: string;
  op: string;
  inputs: readonly Output[];
  /** Nodes that have to run before this one. */
  after: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
  /** As TensorFlow names it, `/device:GPU:1`; null: TensorFlow chooses. */
  device: string | null;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  /** A node of this name; Error if there is one. Returns its first output. */
  add(name: string, op: string, inputs: readonly Output[], attributes?: Readonly<Record<string, Attribute>>, after?: readonly Output[]): Output;
  constant(name: string, value: Constant): Output;
  /** A copy of a recording. Its inputs are what `feeds` says; its results come back by name. Names start with `prefix/`. */
  inline(prefix: string, recording: Recording, feeds: ReadonlyMap<string, Output>, device?: string | null): Map<string, Output>;
}

/** The name of an output's node. */
export const nodeOf = (output: Output): string => output.split(':', 1)[0]!;
export const outputOf = (node: Output, index: number): Output => (index === 0 ? nodeOf(node) : `${nodeOf(node)}:${index}`);

export function makeGraph(attributeTypes: AttributeTypes): Graph {
  const nodes: GraphNode[] = [];
  const names = new Set<string>();
  const add: Graph['add'] = (name, op, inputs, attributes, after) => addOn(null, name, op, inputs, attributes, after);
  const addOn = (device: string | null, ...[name, op, inputs, attributes = {}, after = []]: Parameters<Graph['add']>): Output => {
    if (names.has(name)) throw new Error(`the graph already has a node "${name}"`);
    names.add(name);
    nodes.push({ name, op, inputs, after: [...new Set(after.map(nodeOf))], attributes, device });
    return name;
  };
  const constantOn = (device: string | null, name: string, value: Constant): Output => addOn(device, name, 'Const', [], { dtype: { type: value.dtype }, value: { tensor: value } });
  return {
    nodes,
    add,
    constant: (name, value) => constantOn(null, name, value),
    inline(prefix, recording, feeds, device = null) {
      const made: Output[] = [];
      recording.nodes.forEach((node, index) => {
        if (node.kind === 'input') {
          const feed = feeds.get(node.name);
          if (feed === undefined) throw new Error(`nothing is fed to "${node.name}" of ${prefix}`);
          made.push(feed);
        } else if (node.kind === 'constant') {
          made.push(constantOn(device, `${prefix}/c${index}`, constantOf(node)));
        } else {
          const inputs = node.inputs.map(({ node: from, output }) => (recording.nodes[from]!.kind === 'op' ? outputOf(made[from]!, output) : made[from]!));
          made.push(addOn(device, `${prefix}/${node.op}_${index}`, node.op, inputs, attributesOf(node, recording, attributeTypes)));
        }
      });
      return new Map([...recording.outputs].map(([name, { node, output }]) => [name, recording.nodes[node]!.kind === 'op' ? outputOf(made[node]!, output) : made[node]!]));
    },
  };
}

/** The binding's numbers for kinds of attributes. */
export type AttributeTypes = Readonly<Record<'TF_ATTR_STRING' | 'TF_ATTR_INT' | 'TF_ATTR_FLOAT' | 'TF_ATTR_BOOL' | 'TF_ATTR_TYPE' | 'TF_ATTR_SHAPE', number>>;

/** Attributes that the eager runtime infers from an input and a graph has to be told. */
const INFERRED: Readonly<Record<string, Readonly<Record<string, number>>>> = { ExpandDims: { T: 0, Tdim: 1 } };

function attributesOf(node: Extract<RecordedNode, { kind: 'op' }>, recording: Recording, types: AttributeTypes): Record<string, Attribute> {
  const attributes: Record<string, Attribute> = {};
  for (const [name, input] of Object.entries(INFERRED[node.op] ?? {})) {
    const { node: from, output } = node.inputs[input]!;
    attributes[name] = { type: recording.nodes[from]!.results[output]!.dtype };
  }
  for (const attribute of node.attributes) attributes[attribute.name] = attributeOf(node.op, attribute, types);
  return attributes;
}

function attributeOf(op: string, { name, type, value }: OpAttribute, types: AttributeTypes): Attribute {
  switch (type) {
    case types.TF_ATTR_TYPE:
      return { type: value as number };
    case types.TF_ATTR_BOOL:
      return { bool: value as boolean };
    case types.TF_ATTR_STRING:
      return { string: value as string };
    case types.TF_ATTR_SHAPE:
      return { shape: value as number[] };
    case types.TF_ATTR_INT:
      return Array.isArray(value) ? { ints: value as number[] } : { int: value as number };
    case types.TF_ATTR_FLOAT:
      return Array.isArray(value) ? { floats: value as number[] } : { float: value as number };
    default:
      throw new Error(`the attribute ${name} of ${op} is of a kind (${type}) that a graph is not written with`);
  }
}

/** A constant of many equal elements is written as one: gradients make large ones of zeros and ones. */
function constantOf({ values, results: [{ dtype, shape }] }: Extract<RecordedNode, { kind: 'constant' }>): Constant {
  const elements = shape.reduce((product, size) => product * size, 1);
  const width = elements === 0 ? 1 : values.length / elements;
  const uniform = elements > 1 && isUniform(values, width);
  return { dtype, shape, values: decode(dtype, uniform ? values.slice(0, width) : values) };
}

function decode(dtype: number, bytes: Uint8Array): number[] {
  const buffer = bytes.slice().buffer;
  if (dtype === DT.FLOAT) return [...new Float32Array(buffer)];
  if (dtype === DT.INT32) return [...new Int32Array(buffer)];
  if (dtype === DT.BOOL) return [...bytes];
  throw new Error(`a constant of type ${dtype} cannot be written to a graph`);
}

/** Whether all elements, of `width` bytes each, are the same. */
export function isUniform(bytes: Uint8Array, width: number): boolean {
  for (let index = width; index < bytes.length; index++) if (bytes[index] !== bytes[index - width]) return false;
  return true;
}

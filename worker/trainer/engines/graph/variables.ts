// The state of a job inside its graph: one resource variable a tensor, with the nodes that read and write it.
import { DT } from '../node-backend.js';
import type { Graph, Output } from './graph.js';

export interface Variable {
  handle: Output;
  /** Shares its buffer with the variable, which is copied when it is next written while this is still in use. */
  value: Output;
  shape: readonly number[];
}

export interface Variables {
  get(name: string): Variable;
  /** A node that gives the variable this value, whose buffer it takes over. */
  assign(nodeName: string, name: string, value: Output): Output;
}

/** Float32 variables of these names and shapes. */
export function makeVariables(graph: Graph, shapes: ReadonlyMap<string, readonly number[]>): Variables {
  const variables = new Map<string, Variable>();
  for (const [name, shape] of shapes) {
    // names of layers are the user's: nodes are numbered
    const node = `v${variables.size}`;
    const handle = graph.add(node, 'VarHandleOp', [], { dtype: { type: DT.FLOAT }, shape: { shape }, shared_name: { string: node }, container: { string: '' } });
    variables.set(name, { handle, value: graph.add(`${node}/read`, 'ReadVariableOp', [handle], { dtype: { type: DT.FLOAT } }), shape });
  }
  const get = (name: string): Variable => {
    const variable = variables.get(name);
    if (variable === undefined) throw new Error(`the graph has no variable "${name}"`);
    return variable;
  };
  return {
    get,
    assign: (nodeName, name, value) => graph.add(nodeName, 'AssignVariableOp', [get(name).handle, value], { dtype: { type: DT.FLOAT } }),
  };
}

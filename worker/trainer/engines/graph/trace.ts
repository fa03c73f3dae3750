// Turns a function of tensors into a recording that may be run as a graph, and refuses what may not: a function that does
// other things for other inputs, or that makes its own data on the host.
import type { Tensor } from '@tensorflow/tfjs-core';
import { AppError, messageOf } from '../../../../lib/errors.js';
import { isUniform } from './graph.js';
import { record, type HostValue, type RecordedNode, type Recording } from './recorder.js';

/** Constants of more elements than this are data, not parameters, unless all elements are the same. */
const CONSTANT_LIMIT = 64;

export type Inputs = ReadonlyMap<string, HostValue>;

/**
 * Records `compute` twice, on other inputs, and answers with the second recording.
 * AppError `engine_unavailable` if it cannot be run as a graph: said here, never half run otherwise.
 * @param what names the function in errors
 * @param draw makes inputs; called twice, with 0 and 1
 */
export function trace(what: string, draw: (round: number) => Inputs, compute: (inputs: ReadonlyMap<string, Tensor>) => ReadonlyMap<string, Tensor>): Recording {
  const run = (round: number): Recording => {
    try {
      return record(draw(round), compute);
    } catch (error) {
      throw refusal(what, messageOf(error), error);
    }
  };
  const first = run(0);
  const second = run(1);
  refuseData(what, second);
  refuseDifference(what, first, second);
  return second;
}

/** A large constant that is not all one value was made from data: the next micro-batch would need another. */
function refuseData(what: string, { nodes }: Recording): void {
  for (const node of nodes) {
    if (node.kind !== 'constant') continue;
    const elements = node.results[0].shape.reduce((product, size) => product * size, 1);
    if (elements > CONSTANT_LIMIT && !isUniform(node.values, node.values.length / elements)) {
      throw refusal(what, `it makes a constant of [${node.results[0].shape.join(', ')}] elements on the host, which would be baked in`);
    }
  }
}

/** Whatever depends on an input without being computed from it shows as a difference between two recordings. */
function refuseDifference(what: string, first: Recording, second: Recording): void {
  const refuse = (detail: string): never => {
    throw refusal(what, `it does other things for other inputs (${detail})`);
  };
  if (first.nodes.length !== second.nodes.length) refuse(`${first.nodes.length} and ${second.nodes.length} operations`);
  first.nodes.forEach((node, index) => {
    const other = second.nodes[index]!;
    const name = node.kind === 'op' ? node.op : node.kind;
    if (signature(node) !== signature(other)) refuse(`operation ${index}, ${name}`);
    if (node.kind === 'constant' && other.kind === 'constant' && Buffer.compare(node.values, other.values) !== 0) refuse(`the constant ${index} of [${node.results[0].shape.join(', ')}]`);
  });
  const outputs = ({ outputs }: Recording): string => JSON.stringify([...outputs]);
  if (outputs(first) !== outputs(second)) refuse('its results');
}

const refusal = (what: string, why: string, cause?: unknown): AppError => new AppError('engine_unavailable', `${what} cannot be compiled: ${why}`, { cause });
const signature = (node: RecordedNode): string => JSON.stringify(node.kind === 'constant' ? { ...node, values: null } : node);

// Which tensors of a state lie in which file, and under what name there. All but one are the state's own names; the moving
// averages lie among the weights without one, under the names of weights, so that the file is a model by itself.
import type { HostTensor, StateRole, TensorMap } from '../training/state.js';
import { emaName, type ExpectedTensor } from './slots.js';
import type { Shape } from './plan.js';

export interface FileEntry {
  /** In the file. */
  name: string;
  /** In the state. */
  tensor: string;
  dtype: HostTensor['dtype'];
  shape: Shape;
}

/** By role, in the state's order. Weights and slots always have a file, even an empty one. */
export function stateFiles(expected: ReadonlyMap<string, ExpectedTensor>): Map<StateRole, FileEntry[]> {
  const files = new Map<StateRole, FileEntry[]>([['weights', []], ['slots', []]]);
  for (const [tensor, { dtype, shape, role }] of expected) {
    if (!files.has(role)) files.set(role, []);
    files.get(role)!.push({ name: tensor, tensor, dtype, shape });
  }
  if (files.has('ema')) files.set('ema', files.get('weights')!.map((entry) => (expected.has(emaName(entry.name)) ? { ...entry, tensor: emaName(entry.name) } : entry)));
  return files;
}

/** A file's tensors by their names in the state. What lies in another file too is taken from there. */
export function tensorsOfFile(role: StateRole, entries: readonly FileEntry[], file: TensorMap): [string, HostTensor][] {
  return entries.filter(({ name, tensor }) => role !== 'ema' || name !== tensor).map(({ name, tensor }) => [tensor, file.get(name)!]);
}

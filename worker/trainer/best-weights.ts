// The weights of the best epoch so far (early_stopping.restore_best), on the host: kept at its end, saved with every state, and
// put in place of the last ones when training is over.
import { bestName, type ExpectedTensor } from '../../lib/model/slots.js';
import type { HostTensor, TensorMap } from '../../lib/training/state.js';
import type { CompiledProgram, StateSnapshot } from './engines/index.js';

export interface BestWeights {
  /** Takes them from the program as it is; a window may be open. */
  keep(windowOpen: boolean): void;
  /** Puts them into the program: weights and their averages; slots stay. Nothing where none were kept. */
  restore(): void;
  /** A view of a state with the kept ones beside it. */
  beside(view: StateSnapshot): StateSnapshot;
}

/**
 * @param expected the tensors of a closed state
 * @param kept of a state that training resumes from, by bestName
 */
export function makeBestWeights(program: Pick<CompiledProgram, 'snapshot' | 'restore'>, expected: ReadonlyMap<string, ExpectedTensor>, kept: TensorMap): BestWeights {
  const names = [...expected].flatMap(([name, { role }]) => (role === 'weights' || role === 'ema' ? [name] : []));
  let best = bestOf(kept, names);
  const read = (windowOpen: boolean, wanted: readonly string[]): Map<string, HostTensor> => {
    const view = program.snapshot(windowOpen);
    try {
      return new Map(wanted.map((name) => [name, copyOf(view.read(name))]));
    } finally {
      view.dispose();
    }
  };
  return {
    keep(windowOpen) {
      best = read(windowOpen, names);
    },
    restore() {
      const slots = [...expected.keys()].filter((name) => !best.has(name));
      if (best.size > 0) program.restore(new Map([...read(false, slots), ...best]), false);
    },
    beside(view) {
      // those of this moment: a later best is another map
      const beside = new Map([...best].map(([name, tensor]) => [bestName(name), tensor]));
      return beside.size === 0 ? view : { names: [...view.names, ...beside.keys()], read: (name) => beside.get(name) ?? view.read(name), dispose: () => view.dispose() };
    },
  };
}

/** By the names that the weights themselves have. Apart, so that nothing here holds on to the rest of what was kept. */
function bestOf(kept: TensorMap, names: readonly string[]): Map<string, HostTensor> {
  return new Map(names.flatMap((name): [string, HostTensor][] => (kept.has(bestName(name)) ? [[name, kept.get(bestName(name))!]] : [])));
}

/** An engine may adopt a buffer that it is given. */
const copyOf = ({ dtype, shape, data }: HostTensor): HostTensor => ({ dtype, shape, data: data.slice() });

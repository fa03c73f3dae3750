// A training program without tensors: a "gradient" is the sum of the micro-batch's first pixels, an update subtracts it.
// Small enough to follow by hand, and it writes down what it was asked to do.
import type { TrainingBatch } from '../../../../worker/trainer/batches.js';
import { runEach } from '../../../../worker/trainer/engines/each-window.js';
import type { CompiledProgram, StateSnapshot } from '../../../../worker/trainer/engines/index.js';
import type { HostTensor } from '../../../../lib/training/state.js';

export interface ToyProgram extends CompiledProgram {
  /** Every call, in order: `micro 0:1,2,3` (epoch and samples), `|` after a block, `update 0 /3`, `drop`, `evaluate`. */
  readonly calls: string[];
  weight(): number;
}

export function makeToyProgram({ poisonedMicroBatches = [], poisonedUpdate = -1, blockLimit = 1, windowLimit = 1 }: { poisonedMicroBatches?: readonly number[]; poisonedUpdate?: number; blockLimit?: number; windowLimit?: number } = {}): ToyProgram {
  const calls: string[] = [];
  let weight = 1;
  let accumulator: number | null = null;
  let microBatches = 0;
  const tensor = (value: number): HostTensor => ({ dtype: 'F32', shape: [1], data: Float32Array.of(value) });
  const program: ToyProgram = {
    calls,
    weight: () => weight,
    windowLimit,
    runWindows: (windows) => {
      calls.push(`${windows.length} windows`);
      return runEach(windows, program.runBlock);
    },
    initialise: () => undefined,
    loadWeights: () => undefined,
    restore: (state, open) => {
      weight = state.get('toy/w')!.data[0]!;
      accumulator = open ? state.get('accumulator/toy/w')!.data[0]! : null;
    },
    lanes: 1,
    blockLimit,
    runBlock: (batches, update) => {
      let finite = true;
      const rows = (batches as readonly TrainingBatch[]).map(({ epoch, sampleIds, x, y, samples }) => {
        calls.push(`micro ${epoch}:${[...sampleIds].join(',')}`);
        microBatches += 1;
        const poisoned = poisonedMicroBatches.includes(microBatches);
        finite &&= !poisoned;
        accumulator = (accumulator ?? 0) + x.reduce((sum, value) => sum + value, 0);
        return { samples, loss: poisoned ? NaN : samples * weight, correct: y.reduce((sum, value) => sum + value, 0), top_k_correct: 0 };
      });
      calls.push('|');
      if (update === null) return { rows, finite, update: null };
      calls.push(`update ${update.update} /${update.divisor}`);
      if (!finite || update.update === poisonedUpdate) return { rows, finite: false, update: null };
      weight -= (update.learningRate * accumulator!) / update.divisor;
      accumulator = null;
      return { rows, finite, update: { gradNorm: 1, regularization: 0 } };
    },
    dropWindow: () => {
      calls.push('drop');
      accumulator = null;
    },
    evaluate: ({ samples }) => {
      calls.push('evaluate');
      return { samples, loss: 2 * samples, correct: samples, top_k_correct: 0 };
    },
    snapshot: (open): StateSnapshot => {
      const state = new Map([['toy/w', tensor(weight)], ...(open ? [['accumulator/toy/w', tensor(accumulator!)] as const] : [])]);
      return { names: [...state.keys()], read: (name) => state.get(name)!, dispose: () => undefined };
    },
    close: () => undefined,
  };
  return program;
}

// What it costs to train without TensorFlow: the engine wasm, with two lanes, against the engine tensorflow as it comes.
import type { Bench, Benchmark } from '../benchmark.js';
import { makeJobMeasurement } from '../jobs.js';
import { smallNetwork, specOf } from '../networks.js';
import { startBenchSystem } from '../system.js';
import { type Side, takeTurns } from '../turns.js';

export const engines: Benchmark = {
  name: 'engines',
  title: 'the engine wasm with two lanes, against tensorflow',
  claims: [{ id: 'wasm', text: 'wasm, 2 lanes, against tensorflow', unit: 'samples/s', goal: { atLeast: 0.15 } }],
  run: async (bench: Bench) => {
    const system = await startBenchSystem(bench.undo);
    const side = async (engine: 'wasm' | 'tensorflow'): Promise<Side> => {
      const specWith = specOf(smallNetwork(8), { training: engine === 'wasm' ? { lanes: 2 } : {} });
      const measure = await makeJobMeasurement(system.client, (updates) => ({ ...specWith(updates), resources: { engine } }), bench.durations);
      return { label: engine, measure };
    };
    const [ours, theirs] = await takeTurns(bench, bench.pairs, [await side('wasm'), await side('tensorflow')]);
    bench.compared('wasm', { ours: ours!, theirs: theirs! });
    await system.close();
  },
};

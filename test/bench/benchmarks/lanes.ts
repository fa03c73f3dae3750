// Micro-batches side by side: how much faster two lanes are than one, and that they end with the same bits.
import type { Bench, Benchmark } from '../benchmark.js';
import { makeJobMeasurement, runJob } from '../jobs.js';
import { smallNetwork, specOf } from '../networks.js';
import { startBenchSystem } from '../system.js';
import { type Side, takeTurns } from '../turns.js';

/** Of the two jobs whose results are compared. */
const UPDATES = 20;

export const lanes: Benchmark = {
  name: 'lanes',
  title: 'two lanes, against one, and whether the results are equal',
  claims: [
    { id: 'speed', text: 'lanes 2, against 1', unit: 'samples/s', goal: { atLeast: 1.8 } },
    { id: 'bits', text: 'distinct results of 1 and 2 lanes', unit: '', goal: { atMost: 1 } },
  ],
  run: async (bench: Bench) => {
    const system = await startBenchSystem(bench.undo);
    const specWith = (count: number) => specOf(smallNetwork(8), { training: { lanes: count } });
    const side = async (count: number): Promise<Side> => {
      const measure = await makeJobMeasurement(system.client, specWith(count), bench.durations);
      return { label: `${count} lanes`, measure };
    };
    const [ours, theirs] = await takeTurns(bench, bench.pairs, [await side(2), await side(1)]);
    bench.compared('speed', { ours: ours!, theirs: theirs! });
    const results = [];
    for (const count of [1, 2]) results.push((await runJob(system.client, specWith(count)(UPDATES))).result!);
    bench.measured('bits', [new Set(results.map((result) => result.state_sha256)).size], `sha256 of the final state: ${results.map((result) => result.state_sha256.slice(0, 16)).join(', ')} …`);
    await system.close();
  },
};

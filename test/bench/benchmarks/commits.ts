// What committing costs: the same job with a commit every second, every half minute, and with none but the last.
import type { Bench, Benchmark, Claim } from '../benchmark.js';
import { makeJobMeasurement } from '../jobs.js';
import { smallNetwork, specOf } from '../networks.js';
import { startBenchSystem } from '../system.js';
import { takeTurns } from '../turns.js';

/** More updates than any of these jobs makes. */
const NEVER = { every_updates: 1_000_000_000 };

interface Cadence {
  claim: Claim;
  everySeconds: number;
  /** Whole periods, so that a window holds as many commits as its length says. */
  window(usual: number): number;
}

const cadences: readonly Cadence[] = [
  { everySeconds: 1, window: (usual) => usual * 2, claim: { id: 'every-1-s', text: 'a commit every second, against none', unit: 'samples/s', goal: { atLeast: 0.97 } } },
  { everySeconds: 30, window: () => 31, claim: { id: 'every-30-s', text: 'a commit every 30 seconds, against none', unit: 'samples/s', goal: { atLeast: 0.99 } } },
];

export const commits: Benchmark = {
  name: 'commits',
  title: 'what commits every second and every half minute cost',
  claims: cadences.map(({ claim }) => claim),
  run: async (bench: Bench) => {
    const system = await startBenchSystem(bench.undo);
    const network = smallNetwork(8);
    for (const { everySeconds, window, claim } of cadences) {
      const seconds = window(bench.durations.window);
      const side = async (label: string, checkpoint: Record<string, unknown>) => {
        const measure = await makeJobMeasurement(system.client, specOf(network, { checkpoint }), bench.durations, seconds);
        return { label, measure };
      };
      const [ours, theirs] = await takeTurns(bench, bench.pairs, [await side(`every ${everySeconds} s`, { every_seconds: everySeconds }), await side('none', NEVER)]);
      bench.compared(claim.id, { ours: ours!, theirs: theirs! });
    }
    await system.close();
  },
};

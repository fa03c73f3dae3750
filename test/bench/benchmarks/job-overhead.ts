// What a job costs beside its arithmetic: the throughput of a whole job, against a bare loop over the same compiled program
// with its batches gathered beforehand (bare-loop.ts), in a process with the environment of the very trainer that runs the job.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { childrenOf } from '../../support/system.js';
import type { Bench, Benchmark, Claim } from '../benchmark.js';
import { makeJobMeasurement } from '../jobs.js';
import { digitsNetwork, type Network, smallNetwork, specOf } from '../networks.js';
import { startComparator } from '../rounds.js';
import { startBenchSystem } from '../system.js';
import { takeTurns } from '../turns.js';

const subjects: readonly { network: Network; claim: Claim }[] = [
  { network: smallNetwork(8), claim: { id: 'small', text: 'a job of small, against a bare loop', unit: 'samples/s', goal: { atLeast: 0.97 } } },
  { network: digitsNetwork(5), claim: { id: 'digits', text: 'a job of digits, against a bare loop', unit: 'samples/s', goal: { atLeast: 0.97 } } },
];

/** Of the trainer that a worker keeps warm. Linux. */
async function trainerEnvironment(worker: number): Promise<Record<string, string>> {
  const [trainer] = await childrenOf(worker);
  if (trainer === undefined) throw new Error('the worker keeps no trainer warm');
  const entries = (await readFile(`/proc/${trainer}/environ`, 'utf8')).split('\0').filter((entry) => entry.includes('='));
  // What connects a forked process with its parent is not for another one.
  return Object.fromEntries(entries.map((entry): [string, string] => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]).filter(([name]) => !name.startsWith('NODE_CHANNEL_')));
}

export const jobOverhead: Benchmark = {
  name: 'job-overhead',
  title: 'a whole job, against a bare loop over its compiled program',
  claims: subjects.map(({ claim }) => claim),
  run: async (bench: Bench) => {
    const system = await startBenchSystem(bench.undo);
    for (const { network, claim } of subjects) {
      const measure = await makeJobMeasurement(system.client, specOf(network), bench.durations);
      const bare = await startComparator(bench.undo, process.execPath, [join(import.meta.dirname, 'bare-loop.js')], await trainerEnvironment(system.pids.worker));
      const { round } = await bare.prepare({ spec: specOf(network)(1_000_000_000) });
      const [ours, theirs] = await takeTurns(bench, bench.pairs, [
        { label: 'job', measure },
        { label: 'bare loop', measure: () => round(bench.durations.window) },
      ]);
      bench.compared(claim.id, { ours: ours!, theirs: theirs! });
      await bare.close();
    }
    await system.close();
  },
};

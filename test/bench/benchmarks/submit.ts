// Taking jobs in while a worker trains: how long one POST takes from a file store that syncs every write, and how many a
// second are acknowledged for some seconds on end.
import type { Client } from '../../../api/client.js';
import type { Bench, Benchmark } from '../benchmark.js';
import { poll } from '../jobs.js';
import { digitsNetwork, smallNetwork, specOf } from '../networks.js';
import { quantile } from '../statistics.js';
import { startBenchSystem } from '../system.js';

const ENDLESS = 1_000_000_000;
/** POSTs one after another, for the time of each. */
const SINGLE = 200;
/** Callers at once, for the rate. */
const CALLERS = 8;

const waiting = specOf(digitsNetwork(5))(1_000);

async function keepBusy(client: Client): Promise<void> {
  const { job } = await client.submit(specOf(smallNetwork(8))(ENDLESS));
  await poll('the worker trains', 100, async () => ((await client.job(job.id)).progress.updates > 0 ? true : null));
}

async function p95Ms(client: Client): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < SINGLE; i++) {
    const from = performance.now();
    await client.submit(waiting);
    times.push(performance.now() - from);
  }
  return quantile(times, 0.95);
}

async function perSecond(client: Client, seconds: number): Promise<number> {
  const from = performance.now();
  const until = from + seconds * 1_000;
  let count = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < until) {
      await client.submit(waiting);
      count++;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return count / ((performance.now() - from) / 1_000);
}

export const submit: Benchmark = {
  name: 'submit',
  title: 'submitting jobs while a worker trains',
  claims: [
    { id: 'p95', text: `p95 of ${SINGLE} POSTs of a job, one after another`, unit: 'ms', goal: { below: 20 } },
    { id: 'rate', text: `POSTs acknowledged, ${CALLERS} at a time`, unit: '/s', goal: { atLeast: 100 } },
  ],
  run: async (bench: Bench) => {
    const latencies: number[] = [];
    const rates: number[] = [];
    const system = await startBenchSystem(bench.undo);
    await keepBusy(system.client);
    for (let round = 1; round <= bench.pairs; round++) {
      latencies.push(await p95Ms(system.client));
      rates.push(await perSecond(system.client, bench.durations.window));
      bench.say(`  ${round} of ${bench.pairs}: p95 ${latencies.at(-1)!.toFixed(1)} ms, ${rates.at(-1)!.toFixed(0)} a second`);
    }
    bench.measured('p95', latencies, 'as the caller sees it; store: a folder, every write synced');
    bench.measured('rate', rates);
    await system.close();
  },
};

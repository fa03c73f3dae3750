// How long a program of one's own waits for its next trial, from TPE on eight parameters, by the API of a running system whose store
// syncs every write; and whether others wait with it.
import type { Client } from '../../../api/client.js';
import { openStore } from '../../../lib/store/open.js';
import { ENDLESS_TPE, fillSweep } from '../../support/filled-sweep.js';
import type { Bench, Benchmark } from '../benchmark.js';
import { quantile } from '../statistics.js';
import { startBenchSystem } from '../system.js';

const SIZES = [200, 1_000] as const;
const GOALS_MS = { 200: 10, 1000: 60 } as const;
/** A round; each is told about before the next. */
const ASKS = 40;
/** Before them: an API that has just begun compiles. */
const WARM_UP = 10;
const ENTRY = Buffer.alloc(1_000, 'x');
/** Who asks at once while others look. */
const CLIENTS = 16;

async function timeOf(call: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await call();
  return performance.now() - from;
}

async function askAndTell(client: Client, sweep: string, name: string): Promise<number> {
  let id = '';
  const ms = await timeOf(async () => (id = (await client.sweeps.ask(sweep, { client: name })).trials[0]!.id));
  await client.sweeps.tell(sweep, { id, value: Math.random() });
  return ms;
}

async function repeated(times: number, call: () => Promise<number>): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < times; n++) all.push(await call());
  return all;
}

/** How long the API takes to say that it lives, while many ask. */
async function lookMeanwhile(client: Client, sweep: string): Promise<number[]> {
  let waits = true;
  const asks = Promise.all(Array.from({ length: CLIENTS }, (_, n) => repeated(3, () => askAndTell(client, sweep, `client ${n}`)))).finally(() => void (waits = false));
  const looks: number[] = [];
  while (waits) looks.push(await timeOf(() => fetch(`${client.url}/healthz`).then((answer) => answer.text())));
  await asks;
  return looks;
}

export const sweepAsks: Benchmark = {
  name: 'sweep-asks',
  title: 'asking for trials of an external sweep',
  claims: [
    ...SIZES.map((size) => ({ id: `p95-${size}`, text: `p95 of ${ASKS} asks, one after another, after ${size} trials on eight parameters`, unit: 'ms' as const, goal: { below: GOALS_MS[size] } })),
    { id: 'write', text: `p95 of ${ASKS} writes to the same store in between, each of the size of an entry`, unit: 'ms', goal: null },
    { id: 'look', text: `p95 of /healthz while ${CLIENTS} clients ask, after 1,000 trials`, unit: 'ms', goal: null },
  ],
  run: async (bench: Bench) => {
    const system = await startBenchSystem(bench.undo);
    const store = await openStore(system.store);
    for (const size of SIZES) {
      const rounds: number[][] = [];
      const looks: number[] = [];
      const writes: number[][] = [];
      for (let round = 1; round <= bench.pairs; round++) {
        // One of its own: a sweep grows with each ask.
        const { sweep } = await system.client.sweeps.start(ENDLESS_TPE);
        await fillSweep(store, sweep.id, size);
        await repeated(WARM_UP, () => askAndTell(system.client, sweep.id, 'first'));
        const times: number[] = [];
        // What an ask cannot be quicker than, by the same disk at the same time.
        writes.push(await repeated(ASKS, async () => {
          times.push(await askAndTell(system.client, sweep.id, 'one'));
          return timeOf(() => store.putIfAbsent(`bench/${sweep.id}/${round}-${times.length}.json`, ENTRY));
        }));
        rounds.push(times);
        if (size === 1_000) looks.push(quantile(await lookMeanwhile(system.client, sweep.id), 0.95));
        bench.say(`  ${size} trials, ${round} of ${bench.pairs}: median ${quantile(rounds.at(-1)!, 0.5).toFixed(1)} ms, p95 ${quantile(rounds.at(-1)!, 0.95).toFixed(1)} ms`);
      }
      bench.measured(`p95-${size}`, rounds.map((times) => quantile(times, 0.95)), `as the caller sees it; the quickest ${Math.min(...rounds.flat()).toFixed(1)} ms; store: a folder, every write synced`);
      if (size !== 1_000) continue;
      bench.measured('write', writes.map((times) => quantile(times, 0.95)), `the quickest ${Math.min(...writes.flat()).toFixed(1)} ms`);
      bench.measured('look', looks);
    }
    await store.close();
    await system.close();
  },
};

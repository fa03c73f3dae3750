// What the standing processes hold: resident memory of API and supervisor, idle, and with a thousand jobs that were listed.
import type { Bench, Benchmark, BenchSystem, Claim } from '../benchmark.js';
import { sleep } from '../jobs.js';
import { digitsNetwork, specOf } from '../networks.js';
import { residentMib } from '../process-memory.js';
import { startBenchSystem } from '../system.js';

const JOBS = 1_000;
const CALLERS = 8;
/** For timers to run and garbage to be noticed. */
const SETTLE_MS = 3_000;

async function both({ pids }: BenchSystem): Promise<{ api: number; worker: number }> {
  await sleep(SETTLE_MS);
  return { api: await residentMib(pids.api), worker: await residentMib(pids.worker) };
}

/** Jobs whose time has not come, so that the worker stays idle. */
async function fill({ client }: BenchSystem): Promise<void> {
  const spec = { ...specOf(digitsNetwork(5))(1_000), run: { start_after: new Date(Date.now() + 86_400_000).toISOString() } };
  let left = JOBS;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await client.submit(spec);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  let listed = 0;
  for (let after: string | undefined; ; ) {
    const page = await client.jobs({ limit: 100, ...(after === undefined ? {} : { after }) });
    listed += page.data.length;
    if (!page.has_more || page.last_id === null) break;
    after = String(page.last_id);
  }
  if (listed !== JOBS) throw new Error(`${listed} jobs are listed instead of ${JOBS}`);
}

const claim = (id: string, text: string): Claim => ({ id, text, unit: 'MiB', goal: null });

export const processMemory: Benchmark = {
  name: 'memory-of-processes',
  title: `resident memory of API and supervisor, idle and with ${JOBS} jobs`,
  claims: [claim('api-idle', 'API, idle'), claim('worker-idle', 'supervisor, idle'), claim('api-jobs', `API, ${JOBS} jobs listed`), claim('worker-jobs', `supervisor, ${JOBS} jobs listed`)],
  run: async (bench: Bench) => {
    const seen = { 'api-idle': [] as number[], 'worker-idle': [] as number[], 'api-jobs': [] as number[], 'worker-jobs': [] as number[] };
    for (let round = 1; round <= bench.pairs; round++) {
      const system = await startBenchSystem(bench.undo);
      const idle = await both(system);
      await fill(system);
      const full = await both(system);
      await system.close();
      for (const [id, value] of Object.entries({ 'api-idle': idle.api, 'worker-idle': idle.worker, 'api-jobs': full.api, 'worker-jobs': full.worker })) seen[id as keyof typeof seen].push(value);
      bench.say(`  ${round} of ${bench.pairs}: API ${idle.api.toFixed(0)} → ${full.api.toFixed(0)} MiB, supervisor ${idle.worker.toFixed(0)} → ${full.worker.toFixed(0)} MiB`);
    }
    for (const [id, values] of Object.entries(seen)) bench.measured(id, values);
  },
};

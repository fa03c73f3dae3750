// Gradient accumulation's own promise: the trainer's peak memory does not grow with the window. One lane, because lanes are
// copies of a micro-batch's memory.
import { ApiError, type Client } from '../../../api/client.js';
import type { Bench, Benchmark } from '../benchmark.js';
import { runJob } from '../jobs.js';
import { smallNetwork, specOf } from '../networks.js';
import { startBenchSystem } from '../system.js';
import { takeTurns } from '../turns.js';

const WINDOW = 128;
/** Of either job. */
const MICRO_BATCHES = 2 * WINDOW;

/** `{lanes: 1}` as long as this API takes it; an engine without lanes has one anyway. */
async function oneLane(client: Client): Promise<{ training: Record<string, unknown>; note: string }> {
  try {
    await client.dryRun(specOf(smallNetwork(WINDOW), { training: { lanes: 1 } })(1));
    return { training: { lanes: 1 }, note: 'lanes: 1' };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 400) throw error;
    return { training: {}, note: `the API does not take lanes: 1 (${error.message}), so as many lanes as it chooses` };
  }
}

export const memory: Benchmark = {
  name: 'memory',
  title: `peak memory of a window of ${WINDOW} micro-batches, against 1`,
  claims: [{ id: 'accum-128', text: `peak memory, accum_iters ${WINDOW} against 1`, unit: 'MiB', goal: { atMost: 1.05 } }],
  run: async (bench: Bench) => {
    const system = await startBenchSystem(bench.undo);
    const { training, note } = await oneLane(system.client);
    const peakOf = (accumIters: number) => async (): Promise<number> => {
      const { attempts } = await runJob(system.client, specOf(smallNetwork(accumIters), { training })(MICRO_BATCHES / accumIters));
      const peak = attempts[0]?.peak_memory_mib ?? null;
      if (attempts.length !== 1 || peak === null) throw new Error(`${attempts.length} attempts, whose peak memory is ${peak}`);
      return peak;
    };
    // Programs of different windows never share a trainer, so each peak is that of a process of its own.
    const [ours, theirs] = await takeTurns(bench, bench.pairs, [
      { label: `accum_iters ${WINDOW}`, measure: peakOf(WINDOW) },
      { label: 'accum_iters 1', measure: peakOf(1) },
    ]);
    bench.compared('accum-128', { ours: ours!, theirs: theirs! }, note);
    await system.close();
  },
};

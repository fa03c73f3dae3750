// How many threads a job's trainer gets. Threads inside one operation shape bits: they are chosen once, at the job's first
// attempt, and read back from its numerics class ever after. Threads between operations carry lanes and shape nothing.
import type { TrainingSpec } from '../../lib/contract/spec.js';
import type { TrainerThreads } from '../trainer-environment.js';

/**
 * Where a window has several micro-batches they run side by side, each on one thread: the bits then do not depend on the
 * machine's cores at all. A window of one has nothing to run side by side, so its operations are spread over the cores.
 * @param numericsClass of the job's earlier attempts; null before the first
 * @param cores what a job may use of this machine
 */
export function chooseThreads({ accum_iters, lanes }: Pick<TrainingSpec, 'accum_iters' | 'lanes'>, numericsClass: string | null, cores: number): TrainerThreads {
  const pinned = /\bintra-op (\d+)\b/.exec(numericsClass ?? '')?.[1];
  return {
    intraOpThreads: pinned === undefined ? (accum_iters > 1 ? 1 : cores) : Number(pinned),
    interOpThreads: Math.min(accum_iters, lanes === 'auto' ? cores : lanes),
  };
}

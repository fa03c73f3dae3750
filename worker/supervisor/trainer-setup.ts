// What a job's trainer is started with: the engine, and how many threads it gets. The engine and the threads inside one
// operation shape bits: they are chosen once, at the job's first attempt, and read back from its numerics class ever after.
// Threads between operations carry lanes and shape nothing.
import type { JobSpec } from '../../lib/contract/spec.js';
import type { EngineChoice, TrainerSetup } from '../trainer-environment.js';

/** Slices that a micro-batch is computed in; more than 1 only with `numerics: "fast"`. */
export const partsOf = (numericsClass: string): number => Number(/\bbatch \d+ in (\d+) parts\b/.exec(numericsClass)?.[1] ?? '1');

/** CUDA_VISIBLE_DEVICES of a trainer that is to see no GPU. */
const NO_GPU = '';

export interface WorkerMeans {
  /** What a job may use of this machine's cores. */
  cores: number;
  /** PAWL_ENGINE: what this worker runs jobs on that do not say. */
  engine: EngineChoice;
  /** The GPU that is this attempt's alone; null: the worker gives out none. */
  gpu: string | null;
}

/**
 * Where a window has several micro-batches they run side by side, each on one thread: the bits then do not depend on the
 * machine's cores at all. A window of one has nothing to run side by side, so its operations are spread over the cores.
 * @param numericsClass of the job's earlier attempts; null before the first
 */
export function chooseTrainerSetup({ training: { accum_iters, lanes }, resources }: Pick<JobSpec, 'training' | 'resources'>, numericsClass: string | null, { cores, engine, gpu }: WorkerMeans): TrainerSetup {
  const pinnedThreads = /\bintra-op (\d+)\b/.exec(numericsClass ?? '')?.[1];
  const pinnedEngine = /^(tensorflow|wasm)\b/.exec(numericsClass ?? '')?.[1] as EngineChoice | undefined;
  return {
    engine: pinnedEngine ?? (resources.engine === 'auto' ? engine : resources.engine),
    intraOpThreads: pinnedThreads === undefined ? (accum_iters > 1 ? 1 : cores) : Number(pinnedThreads),
    interOpThreads: Math.min(accum_iters, lanes === 'auto' ? cores : lanes),
    gpu: resources.gpu === 'none' ? NO_GPU : gpu,
  };
}

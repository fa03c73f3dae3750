// The program of a job: of its spec and plan, everything that an engine compiles.
import type { JobSpec } from '../../lib/contract/spec.js';
import type { ModelPlan } from '../../lib/model/plan.js';
import { programKey } from '../../lib/training/program-key.js';
import { topKOf } from '../../lib/training/window.js';
import type { Program } from './engines/index.js';

/** @param sizes how many samples a micro-batch may have, and a batch of an evaluation */
export function programOf(spec: Pick<JobSpec, 'training'>, plan: ModelPlan, sizes: Program['sizes']): Omit<Program, 'lanes'> {
  const { loss, optimizer, reduction, batch_size: batchSize, accum_iters: accumIters, metrics, ema, clip_value, clip_norm } = spec.training;
  return { plan, loss, optimizer, reduction, batchSize, lossDenominator: batchSize, accumIters, topK: topKOf(metrics), ema, clip: { value: clip_value, norm: clip_norm }, sizes, key: programKey(spec, plan) };
}

// Two fingerprints of a job: of its computation (part of the numerics class) and of all that determines its result.
import { createHash } from 'node:crypto';
import type { JobSpec } from '../contract/spec.js';
import type { ModelPlan } from '../model/plan.js';
import { canonicalJson } from './canonical-json.js';
import { topKOf } from './window.js';

/** sha256 of everything that shapes the computation: layers with their shapes, loss, reduction, optimizer without its rates, sizes, and what is fetched for metrics. Not the seed. */
export function programKey(spec: Pick<JobSpec, 'training'>, plan: ModelPlan): string {
  const { metrics, ema, loss, reduction, optimizer, batch_size, accum_iters, clip_norm, clip_value } = spec.training;
  const { lr: _lr, decay: _decay, ...form } = optimizer;
  const layers = plan.layers.map((layer) => ({ spec: layer.spec, input: layer.inputShape, output: layer.outputShape }));
  return sha256Of({ version: 1, layers, input: plan.inputShape, output: plan.outputShape, loss, reduction, optimizer: form, clip_norm, clip_value, batch_size, accum_iters, ema, top_k: topKOf(metrics) });
}

/** sha256 of what determines the result: data, model and training; not name, tags, cadence, resources or the run's limits, nor where it may be computed. */
export function specSha256(spec: Pick<JobSpec, 'spec_version' | 'data' | 'model' | 'training'>): string {
  const { lanes: _lanes, allow_class_change: _allowed, ...training } = spec.training;
  return sha256Of({ spec_version: spec.spec_version, data: spec.data, model: spec.model, training });
}

function sha256Of(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

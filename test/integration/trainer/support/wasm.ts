// The wasm engine inside the test's own process, which must not have loaded another: tfjs has one active backend. Programs
// from a few lines of spec and batches, as in engine.ts, which loads TensorFlow.
import type { JobSpecInput } from '../../../../lib/contract/spec.js';
import { planModel } from '../../../../lib/model/plan-model.js';
import type { ModelPlan } from '../../../../lib/model/plan.js';
import type { TensorMap } from '../../../../lib/training/state.js';
import type { Batch, CompiledProgram, Program } from '../../../../worker/trainer/engines/index.js';
import { masksOf } from '../../../../worker/trainer/masks.js';
import { programOf as programOfSpec } from '../../../../worker/trainer/program.js';
import { resolved } from '../../../resume/support/run-training.js';

export type Layers = JobSpecInput['model']['layers'];
type Training = NonNullable<JobSpecInput['training']>;

export const SEED = 9;
export const CLASSES = 3;
export const HEAD: Layers = [{ type: 'flatten' }, { type: 'dense', units: CLASSES, activation: 'softmax' }];
/** Every kernel of the engine's own. */
export const NETWORK: Layers = [
  { type: 'conv2d', filters: 5, kernel_size: 3, padding: 'same', activation: 'relu' },
  { type: 'batch_normalization' },
  { type: 'max_pooling2d' },
  { type: 'conv2d', filters: 6, kernel_size: 2, strides: 2, padding: 'same' },
  { type: 'dropout', rate: 0.3 },
  { type: 'flatten' },
  { type: 'dense', units: 9, activation: 'relu' },
  { type: 'dense', units: CLASSES, activation: 'softmax' },
];

export function programOf(layers: Layers, inputShape: [number, number, number], training: Training): Program {
  const spec = resolved({ data: { type: 'builtin', name: 'synthetic', samples: 8, shape: inputShape, classes: CLASSES }, model: { layers }, training });
  const planned = planModel(spec.model.layers, inputShape, { classes: CLASSES });
  if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
  const { batch_size: batchSize } = spec.training;
  return { ...programOfSpec(spec, planned.plan, { training: [batchSize], evaluation: [batchSize] }), lanes: { most: 1, measured: false } };
}

/** Values in (−1, 1) that repeat nowhere near. */
export const noise = (size: number, salt: number): Float32Array => Float32Array.from({ length: size }, (_, index) => Math.sin(1 + index * 12.9898 + salt * 78.233) * 0.95);

export function batchOf(plan: ModelPlan, samples: number, salt: number): Batch {
  const y = new Float32Array(samples * CLASSES);
  for (let sample = 0; sample < samples; sample++) y[sample * CLASSES + ((sample * 5 + salt) % CLASSES)] = 1;
  const sampleIds = Int32Array.from({ length: samples }, (_, index) => index * 3 + salt);
  return { x: noise(samples * plan.inputShape.reduce((product, size) => product * size, 1), salt), y, samples, masks: masksOf(plan, SEED, { epoch: 0, sampleIds }) };
}

/** A copy of the state's tensors. */
export function stateOf(compiled: CompiledProgram, windowOpen: boolean): TensorMap {
  const view = compiled.snapshot(windowOpen);
  try {
    return new Map(view.names.map((name) => [name, view.read(name)]));
  } finally {
    view.dispose();
  }
}

/** As bytes, comparable by toEqual. */
export const bytesOf = (state: TensorMap): Record<string, string> =>
  Object.fromEntries([...state].map(([name, { data }]) => [name, Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')]));

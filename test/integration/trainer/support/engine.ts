// The real engine inside the test's own process (vitest forks one a file), programs for it from a few lines of spec,
// and deterministic batches. Every test ends with no tensor left: call `expectNoTensors`.
import { expect } from 'vitest';
import type { JobSpecInput } from '../../../../lib/contract/spec.js';
import { planModel } from '../../../../lib/model/plan-model.js';
import type { ModelPlan } from '../../../../lib/model/plan.js';
import type { HostTensor, TensorMap } from '../../../../lib/training/state.js';
import { trainerEnvironment } from '../../../../worker/trainer-environment.js';
import type { Batch, CompiledProgram, Engine, Program } from '../../../../worker/trainer/engines/index.js';
import { masksOf } from '../../../../worker/trainer/masks.js';
import { programOf as programOfSpec } from '../../../../worker/trainer/program.js';
import { resolved } from '../../../resume/support/run-training.js';

// TensorFlow reads them when it is loaded, which is why the engine is imported after this
Object.assign(process.env, trainerEnvironment({ engine: 'tensorflow', intraOpThreads: 1, interOpThreads: 2, gpu: null }));
const { loadTensorflow, loadWasm } = await import('../../../../worker/trainer/engines/load.js');
const { compileEager } = await import('../../../../worker/trainer/engines/eager.js');

/** The vitest project `wasm` runs the same tests on the other engine. */
const onWasm = process.env['PAWL_TEST_ENGINE'] === 'wasm';
export const engine: Engine = onWasm ? await loadWasm(process.env) : await loadTensorflow(process.env);
const baseline = engine.liveTensors();
export const expectNoTensors = (): void => expect(engine.liveTensors()).toBe(baseline);

/** How a program may be run: as the engine does it, and operation by operation. */
export const COMPILERS: readonly [[string, Engine['compile']], [string, Engine['compile']]] = [
  [onWasm ? 'wasm' : 'graph', engine.compile],
  ['eager', compileEager],
];

type Layers = JobSpecInput['model']['layers'];
type Training = NonNullable<JobSpecInput['training']>;

/** @param ragged sizes of micro-batches besides the full one */
export function programOf(layers: Layers, inputShape: [number, number, number], classes: number, training: Training = {}, ragged: readonly number[] = []): Program {
  const spec = resolved({ data: { type: 'builtin', name: 'synthetic', samples: 8, shape: inputShape, classes }, model: { layers }, training });
  const planned = planModel(spec.model.layers, inputShape, { classes, loss: spec.training.loss });
  if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
  const { batch_size: batchSize, lanes } = spec.training;
  return { ...programOfSpec(spec, planned.plan, { training: [batchSize, ...ragged], evaluation: [batchSize, ...ragged] }), lanes: { most: lanes === 'auto' ? 64 : lanes, measured: lanes === 'auto' } };
}

export const SEED = 9;

/** Runs `work` on a compiled program and closes it. */
export function withProgram<T>(program: Program, work: (compiled: CompiledProgram) => T, compile = engine.compile): T {
  const compiled = compile(program);
  try {
    compiled.initialise(SEED);
    return work(compiled);
  } finally {
    compiled.close();
  }
}

/** Values in (−1, 1) that repeat nowhere near. */
export const noise = (size: number, salt: number): Float32Array => Float32Array.from({ length: size }, (_, index) => Math.sin(1 + index * 12.9898 + salt * 78.233) * 0.95);

export function batchOf(plan: ModelPlan, samples: number, salt = 0, labels: 'one_hot' | 'soft' = 'one_hot'): Batch {
  const classes = plan.outputShape[0]!;
  const pixels = plan.inputShape.reduce((product, size) => product * size, 1);
  const y = new Float32Array(samples * classes);
  // a single output: the weight of the second of two classes
  if (classes === 1) y.forEach((_, sample) => (y[sample] = (sample + salt) % 2 === 0 ? (labels === 'soft' ? 0.75 : 1) : 0));
  else
  for (let sample = 0; sample < samples; sample++) {
    const hit = (sample * 5 + salt) % classes;
    y[sample * classes + hit] = labels === 'soft' ? 0.75 : 1;
    if (labels === 'soft') y[sample * classes + ((hit + 1) % classes)] = 0.25;
  }
  return withMasks(plan, { x: noise(samples * pixels, salt), y, samples }, Int32Array.from({ length: samples }, (_, index) => index * 3 + salt));
}

/** A batch with the masks of these samples. */
export const withMasks = (plan: ModelPlan, batch: Omit<Batch, 'masks'>, sampleIds: Int32Array, epoch = 0, seed = SEED): Batch => ({ ...batch, masks: masksOf(plan, seed, { epoch, sampleIds }) });

/** The state's tensors on the host. */
export function stateOf(compiled: CompiledProgram, windowOpen: boolean): Map<string, HostTensor> {
  const view = compiled.snapshot(windowOpen);
  try {
    return new Map(view.names.map((name) => [name, view.read(name)]));
  } finally {
    view.dispose();
  }
}

/** The state as bytes, comparable by toEqual. */
export const bytesOf = (state: TensorMap): Record<string, string> =>
  Object.fromEntries([...state].map(([name, { data }]) => [name, Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')]));

export const dataOf = (state: TensorMap, name: string): number[] => {
  const tensor = state.get(name);
  if (tensor === undefined) throw new Error(`no tensor ${name}`);
  return [...tensor.data];
};

// The cases of test/fixtures/keras as this project computes them: the path of a job from its files to the end of its training,
// in this process. What both sides start from is made of names alone; given.py there has the same few lines.
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import tf from '@tensorflow/tfjs-core';
import { encodeSafetensors } from '../../../../lib/checkpoints/safetensors.js';
import type { LayerSpec } from '../../../../lib/contract/layers.js';
import type { JobSpec, JobSpecInput } from '../../../../lib/contract/spec.js';
import { accumulatorName } from '../../../../lib/model/slots.js';
import type { ModelPlan } from '../../../../lib/model/plan.js';
import { planModel } from '../../../../lib/model/plan-model.js';
import { startCursor } from '../../../../lib/training/cursor.js';
import type { HostTensor, TensorMap } from '../../../../lib/training/state.js';
import { inScope } from '../../../../worker/trainer/engines/scope.js';
import { train, type Watch } from '../../../../worker/trainer/loop.js';
import { makeNetwork } from '../../../../worker/trainer/model/network.js';
import { prepare } from '../../../../worker/trainer/prepare.js';
import { resolved, sourcesOf } from '../../../resume/support/run-training.js';
import { bytesOf, npyOf, zipOf } from '../../../unit/data/npz-files.js';
import { engine, stateOf } from './engine.js';

type Layers = JobSpecInput['model']['layers'];
type Training = NonNullable<JobSpecInput['training']>;

export interface Case {
  name: string;
  samples: number;
  validation_split: number;
  input: [number, number, number];
  classes: number;
  labels: 'integer' | 'one_hot' | 'soft';
  only_inference: boolean;
  layers: Layers;
  training: Training;
}
interface CasesFile {
  common: Omit<Case, 'name' | 'layers'>;
  cases: (Partial<Case> & Pick<Case, 'name' | 'layers'>)[];
}

export const FIXTURES = join(import.meta.dirname, '../../../fixtures/keras');
const file = JSON.parse(readFileSync(join(FIXTURES, 'cases.json'), 'utf8')) as CasesFile;
const whole = (given: CasesFile['cases'][number]): Case => ({ ...file.common, ...given, training: { ...file.common.training, ...given.training } });
export const CASES = file.cases.map(whole);
/** Those whose updates have more to do than to take a gradient off. */
export const CASES_OF_UPDATES = file.cases.filter((given) => /"(optimizer|clip_norm|clip_value|ema|momentum|\w+_regularizer|\w+_constraint)"/.test(JSON.stringify(given))).map(whole);

/** As it would be sent; its data is at `folder`/data.npz. */
const specOf = ({ layers, training, validation_split: split }: Case): JobSpecInput => ({ data: { type: 'npz', path: 'data.npz', validation: { split } }, model: { layers }, training });

/** Values in [−1, 1) that depend on the name and on nothing else; float32s exactly. */
function noise(name: string, size: number): Float32Array {
  let seed = 2166136261;
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 16777619);
  return Float32Array.from({ length: size }, (_, index) => {
    let x = Math.imul(index, 0x9e3779b9) + seed;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return ((x ^ (x >>> 16)) >>> 8) / 2 ** 23 - 1;
  });
}
const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

const imagesOf = ({ samples, input }: Case): Float32Array => noise('images', samples * sizeOf(input));

async function writeData(folder: string, kase: Case): Promise<void> {
  const { samples, classes, labels, input } = kase;
  const numbers = [...noise('labels', samples)].map((value) => Math.floor(((value + 1) / 2) * classes));
  const x = npyOf({ descr: '<f4', shape: [samples, ...input], data: bytesOf(imagesOf(kase)) });
  const rows = new Float32Array(samples * classes);
  numbers.forEach((label, sample) => {
    rows[sample * classes + label] = labels === 'soft' ? 0.75 : 1;
    if (labels === 'soft') rows[sample * classes + ((label + 1) % classes)] = 0.25;
  });
  const y = labels === 'integer' ? npyOf({ descr: '<i8', shape: [samples], data: bytesOf(BigInt64Array.from(numbers.map(BigInt))) }) : npyOf({ descr: '<f4', shape: [samples, classes], data: bytesOf(rows) });
  await writeFile(join(folder, 'data.npz'), zipOf([{ name: 'x.npy', data: x }, { name: 'y.npy', data: y }]));
}

/** No bias, gamma or moving statistic is 0 or 1: nothing may hide behind a start value. */
function weightsOf({ weights }: ModelPlan): Map<string, HostTensor> {
  return new Map(weights.map(({ name, shape }) => {
    const offset = /\/(gamma|moving_variance)$/.test(name) ? 1 : 0;
    return [name, { dtype: 'F32', shape, data: noise(name, sizeOf(shape)).map((value) => value / 2 + offset) }];
  }));
}

/** The network's own output for all samples, in inference mode. */
export function outputsOf(plan: ModelPlan, spec: JobSpec, weights: TensorMap, x: Float32Array): number[] {
  // a layer after the last one, so that a final activation is not left to the loss
  const last = plan.layers.at(-1)!;
  const identity = { type: 'activation', name: 'identity', trainable: true, activation: 'linear' } satisfies LayerSpec;
  const network = makeNetwork({ ...plan, layers: [...plan.layers, { spec: identity, name: identity.name, inputShape: last.outputShape, outputShape: last.outputShape, weights: [] }] }, spec.training.loss);
  const none = (): never => {
    throw new Error('inference has no masks');
  };
  const weight = (name: string) => tf.tensor(weights.get(name)!.data, [...weights.get(name)!.shape]);
  return inScope(() => [...network.forward(tf.tensor(x, [x.length / sizeOf(plan.inputShape), ...plan.inputShape]), { training: false, weight, mask: none, observe: none }).dataSync()]);
}

/** Tensors by kind, then by name. */
export type Tensors = Record<string, Record<string, readonly number[]>>;
export type Columns = Record<string, (number | null)[]>;
export interface Computed {
  inference_loss: number;
  training_loss?: number;
  updates?: Columns;
  epochs?: Columns;
  tensors: Tensors;
  /** What the weights were. */
  first: Record<string, readonly number[]>;
}

/** @param folder an empty one @param compile how its program is run */
export async function compute(kase: Case, folder: string, compile = engine.compile): Promise<Computed> {
  const spec = resolved(specOf(kase));
  const planned = planModel(spec.model.layers, kase.input);
  if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
  await writeData(folder, kase);
  const weights = weightsOf(planned.plan);
  const initFile = join(folder, 'init.safetensors');
  await writeFile(initFile, encodeSafetensors(weights));
  const { training, plan } = await prepare({ type: 'start', attempt: '', spec, data: sourcesOf(spec, folder), initFile: { path: initFile }, resume: null, parts: 1, memoryBytes: null, lifetimeMs: 3_600_000, pauseAt: null, spoolDir: folder }, { ...engine, compile });
  const { program, batches } = training;
  try {
    const [batch] = await batches.training([startCursor()]);
    const perSample = (loss: number): number => (spec.training.reduction === 'sample' ? loss / batch!.samples : loss);
    const output = outputsOf(plan, spec, weights, imagesOf(kase));
    const look = { inference_loss: program.evaluate(batch!).loss / batch!.samples, first: plain(weights) };
    if (kase.only_inference) return { ...look, tensors: { output: { output } } };

    const { rows, finite } = program.runBlock([batch!], null);
    if (!finite) throw new Error('the first gradient is not finite');
    const open = stateOf(program, true);
    program.dropWindow();
    const trainable = plan.weights.filter((weight) => weight.trainable).map(({ name }) => name);
    const gradient = Object.fromEntries(trainable.map((name) => [name, [...open.get(accumulatorName(name))!.data]]));

    const told: { updates: object[]; epochs: object[] } = { updates: [], epochs: [] };
    const watch: Watch = { stopAsked: () => false, boundary: () => undefined, room: () => ({ microBatches: Infinity, updates: Infinity }), microBatch: () => undefined, updateRow: (row) => told.updates.push(row), epochRow: (row) => told.epochs.push(row), bestEpoch: () => undefined, nowMs: () => 0 };
    await train(training, watch);
    const end = plain(stateOf(program, false));
    const averages = Object.entries(end).filter(([name]) => name.startsWith('ema/'));
    const tensors = {
      output: { output },
      gradient,
      weights: Object.fromEntries(plan.weights.map(({ name }) => [name, end[name]!])),
      ...(averages.length === 0 ? {} : { ema: Object.fromEntries(averages) }),
    };
    return { ...look, training_loss: perSample(rows[0]!.loss), updates: columnsOf(told.updates), epochs: columnsOf(told.epochs), tensors };
  } finally {
    program.close();
    await batches.close();
  }
}

const plain = (tensors: TensorMap): Record<string, number[]> => Object.fromEntries([...tensors].map(([name, { data }]) => [name, [...data]]));
const columnsOf = (rows: object[]): Columns => Object.fromEntries(Object.keys(rows[0]!).filter((key) => key !== 'wall_time').map((key) => [key, rows.map((row) => (row as Record<string, number | null>)[key]!)]));

// A lane: a thread with an engine of its own that computes single micro-batches, on weights and inputs in shared memory.
// It holds nothing between two of them but a copy of the weights.
import { workerData } from 'node:worker_threads';
import tf from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { messageOf } from '../../../../lib/errors.js';
import { maskedLayers } from '../../masks.js';
import { makeNetwork } from '../../model/network.js';
import { loadWasm } from '../load.js';
import { microBatch } from '../micro-batch.js';
import { inScope } from '../scope.js';
import { makeTensorStore } from '../tensor-store.js';
import { trainableWeights } from '../update.js';
import { laneMemory, STATE, weightsMemory, WORD, type LaneData } from './shared-memory.js';

const { program, memory: buffer, weights: weightsBuffer, environment } = workerData as LaneData;
const { plan } = program;
const { control, message, arrays } = laneMemory(program, buffer);
const weights = weightsMemory(plan, weightsBuffer);
const network = makeNetwork(plan, program.loss);
const trainable = trainableWeights(plan);
const maskShapes = new Map(maskedLayers(plan).map(({ name, shape }) => [name, shape]));
const store = makeTensorStore();
let version = -1;

const say = (state: number): void => {
  Atomics.store(control, WORD.state, state);
  Atomics.notify(control, WORD.state);
};
function fail(error: unknown): void {
  const { written } = new TextEncoder().encodeInto(messageOf(error), message);
  control[WORD.messageBytes] = written;
  say(STATE.failed);
}

function takeWeights(): void {
  if (version === weights.control[WORD.weightsVersion]) return;
  for (const { name, shape } of plan.weights) store.put(name, tf.tensor(weights.arrays.get(name)!.slice(), [...shape]));
  version = weights.control[WORD.weightsVersion]!;
}

function compute(): void {
  const samples = control[WORD.samples]!;
  const input = (name: string, shape: readonly number[]): Tensor => {
    const size = shape.reduce((product, length) => product * length, samples);
    return tf.tensor(arrays.get(name)!.slice(0, size), [samples, ...shape]);
  };
  const output = (name: string, tensor: Tensor): void => arrays.get(name)!.set(tensor.dataSync());
  inScope(() => {
    takeWeights();
    const micro = microBatch({ x_NHWC: input('x', plan.inputShape), labels_NK: input('y', plan.outputShape), weight: store.get, mask: (layer) => input(`mask/${layer}`, maskShapes.get(layer)!) }, program, network, trainable);
    output('columns', tf.concat([...micro.columns.values()] as Tensor1D[]));
    for (const [name, tensor] of micro.gradients) output(`gradient/${name}`, tensor);
    for (const [layer, { mean_C, m2_C }] of micro.statistics) {
      output(`mean/${layer}`, mean_C);
      output(`m2/${layer}`, m2_C);
    }
  });
}

loadWasm(environment).then(() => {
  say(STATE.idle);
  for (;;) {
    for (const state of [STATE.idle, STATE.done, STATE.failed]) Atomics.wait(control, WORD.state, state);
    const state = Atomics.load(control, WORD.state);
    if (state === STATE.closed) break;
    if (state !== STATE.working) continue;
    try {
      compute();
      say(STATE.done);
    } catch (error) {
      fail(error);
    }
  }
  store.close();
}, fail);

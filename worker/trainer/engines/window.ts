// The open window inside the state: the accumulated gradient, a float32 left fold in the micro-batches' order, and the
// merged batch statistics. The first micro-batch is copied, not added to zeros, so a window of one is no accumulation at all.
import tf from '@tensorflow/tfjs-core';
import { accumulatorName, STATISTICS, statisticName } from '../../../lib/model/slots.js';
import type { BatchStatistics } from '../model/pass.js';
import { mergeStatistics } from '../model/statistics.js';
import type { MicroBatch } from './micro-batch.js';
import type { TensorStore } from './tensor-store.js';

/** Values of one channel that a state can count. */
const MAX_COUNT = 2 ** 31 - 1;

/** What of the state belongs to a window. */
export interface WindowNames {
  /** Weights that are accumulated. */
  trainable: readonly string[];
  /** Layers that gather statistics. */
  layers: readonly string[];
}

/** Adds a micro-batch; `open` says whether it is not the window's first. Inside the caller's scope. */
export function foldMicroBatch(store: TensorStore, { trainable, layers }: WindowNames, open: boolean, micro: MicroBatch): void {
  for (const [index, name] of trainable.entries()) {
    const gradient = micro.gradients[index]!;
    store.put(accumulatorName(name), open ? tf.add(store.get(accumulatorName(name)), gradient) : gradient);
  }
  for (const layer of layers) {
    const batch = micro.statistics.get(layer)!;
    const { count, mean_C, m2_C } = open ? mergeStatistics(windowStatistics(store, layer), batch) : batch;
    if (count > MAX_COUNT) throw new Error(`the window's statistics of "${layer}" are of ${count} values, more than ${MAX_COUNT}`);
    store.put(statisticName(layer, 'count'), tf.scalar(count, 'int32'));
    store.put(statisticName(layer, 'mean'), mean_C);
    store.put(statisticName(layer, 'm2'), m2_C);
  }
}

/** The merged statistics of a layer so far. */
export function windowStatistics(store: TensorStore, layer: string): BatchStatistics {
  // the count was made on the host and no operation takes it: reading it asks nothing of the device
  const [count] = store.get(statisticName(layer, 'count')).dataSync();
  return { count: count!, mean_C: store.get(statisticName(layer, 'mean')), m2_C: store.get(statisticName(layer, 'm2')) };
}

export function emptyWindow(store: TensorStore, { trainable, layers }: WindowNames): void {
  for (const name of trainable) store.delete(accumulatorName(name));
  for (const layer of layers) {
    for (const statistic of STATISTICS) store.delete(statisticName(layer, statistic));
  }
}

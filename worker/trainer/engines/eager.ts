// A training program run operation by operation. Nothing is compiled: the state is tensors by name, and every call of
// the seam is a few lines over the functions beside this one (micro-batch, update).
import tf from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { accumulatorName, checkState, emaName, expectedState, expectedWeights, initialSlotValue, slotName, slotNames, STATISTICS, statisticName, type ExpectedTensor } from '../../../lib/model/slots.js';
import { AppError } from '../../../lib/errors.js';
import type { TensorMap } from '../../../lib/training/state.js';
import { maskedLayers } from '../masks.js';
import { initialWeight } from '../model/initializers.js';
import { makeNetwork } from '../model/network.js';
import { mergeFactors, mergeStatistics } from '../model/statistics.js';
import { batchRow, ofEvaluation } from './batch-row.js';
import { runEach } from './each-window.js';
import type { Batch, BatchRow, CompiledProgram, Program, UpdateResult, UpdateScalars } from './index.js';
import type { Lanes } from './lanes/lanes.js';
import { inference, microBatch, type Inference, type MicroBatch, type MicroBatchInputs } from './micro-batch.js';
import { inScope } from './scope.js';
import { assertHostTensor, makeTensorStore, toTensor } from './tensor-store.js';
import { layersWithStatistics, prepareGradients, preparesGradients, trainableWeights, updateMovingStatistics, updateNumbers, updateWeights, valuesPerSample } from './update.js';

/** @param lanes threads that compute micro-batches beside this one; null for none */
export function compileEager(program: Program, lanes: Lanes | null = null): CompiledProgram {
  const { plan, optimizer } = program;
  const network = makeNetwork(plan, program.loss);
  const store = makeTensorStore();
  const trainable = trainableWeights(plan);
  const layers = layersWithStatistics(plan);
  const maskShapes = new Map(maskedLayers(plan).map(({ name, shape }) => [name, shape]));
  const count = lanes?.count ?? 1;
  let windowOpen = false;

  const load = (tensors: TensorMap, expected: ReadonlyMap<string, ExpectedTensor>, code: 'checkpoint_corrupt' | 'invalid_data'): void => {
    checkTensors(tensors, expected, code);
    for (const name of expected.keys()) store.put(name, toTensor(tensors.get(name)!));
    stale = true;
  };
  /** The lanes have other weights than the state. */
  let stale = true;
  function reset(): void {
    store.close();
    windowOpen = false;
    stale = true;
  }
  function dropWindow(): void {
    for (const name of trainable) store.delete(accumulatorName(name));
    for (const { name } of layers) for (const statistic of STATISTICS) store.delete(statisticName(name, statistic));
    windowOpen = false;
  }

  /** What an evaluation takes for a weight. */
  const averaged = (name: string): Tensor => store.get(store.has(emaName(name)) ? emaName(name) : name);
  const startAverage = (): void => {
    if (program.ema !== null) for (const name of trainable) store.put(emaName(name), tf.clone(store.get(name)));
  };

  /** TensorFlow adopts the batch's buffers: they are never touched again. */
  const inputsOf = (batch: Batch, weight = store.get): MicroBatchInputs => ({
    x_NHWC: tf.tensor(batch.x, [batch.samples, ...plan.inputShape]),
    labels_NK: tf.tensor2d(batch.y, [batch.samples, batch.y.length / batch.samples]),
    weight,
    mask: (layer) => tf.tensor(batch.masks.get(layer)!, [batch.samples, ...maskShapes.get(layer)!]),
  });

  interface Computed extends Pick<MicroBatch, 'gradients' | 'statistics'> {
    columns: Float32Array;
  }
  function computeHere(batch: Batch): Computed {
    const { columns, gradients, statistics } = microBatch(inputsOf(batch), program, network, trainable);
    return { columns: readColumns(columns), gradients, statistics };
  }
  function computedBy(lane: number): Computed {
    const arrays = lanes!.result(lane);
    const tensor = (name: string, shape: readonly number[]): Tensor => tf.tensor(arrays.get(name)!.slice(), [...shape]);
    return {
      columns: arrays.get('columns')!,
      gradients: new Map(trainable.map((name) => [name, tensor(`gradient/${name}`, store.get(name).shape)])),
      statistics: new Map(layers.map(({ name, inputShape }) => [name, { mean_C: tensor(`mean/${name}`, inputShape.slice(-1)), m2_C: tensor(`m2/${name}`, inputShape.slice(-1)) }])),
    };
  }
  /** At most as many as there are lanes: computed side by side, folded in their order. */
  function runGroup(batches: readonly Batch[]): BatchRow[] {
    if (lanes !== null && batches.length > 1) {
      if (stale) lanes.setWeights((name) => store.get(name).dataSync());
      stale = false;
      lanes.start(batches.slice(1));
    }
    try {
      return batches.map((batch, index) =>
        inScope(() => {
          const computed = index === 0 ? computeHere(batch) : computedBy(index - 1);
          fold(computed, batch.samples);
          return batchRow(computed.columns, batch, program);
        }),
      );
    } finally {
      lanes?.settle();
    }
  }

  /** A float32 left fold, in the micro-batches' order; the first one is taken as it is, so a window of one is no accumulation at all. */
  function fold(micro: Pick<MicroBatch, 'gradients' | 'statistics'>, samples: number): void {
    for (const [name, gradient] of micro.gradients) store.put(accumulatorName(name), windowOpen ? tf.add(store.get(accumulatorName(name)), gradient) : gradient);
    for (const layer of layers) {
      const name = (statistic: (typeof STATISTICS)[number]): string => statisticName(layer.name, statistic);
      const batch = micro.statistics.get(layer.name)!;
      const before = windowOpen ? countOf(layer.name) : 0;
      const count = before + samples * valuesPerSample(layer);
      const window = { mean_C: windowOpen ? store.get(name('mean')) : batch.mean_C, m2_C: windowOpen ? store.get(name('m2')) : batch.m2_C };
      const factors = mergeFactors(before, count - before);
      const merged = windowOpen ? mergeStatistics(window, batch, { share: tf.scalar(factors.share), weight: tf.scalar(factors.weight) }) : batch;
      store.put(name('count'), tf.scalar(count, 'int32'));
      store.put(name('mean'), merged.mean_C);
      store.put(name('m2'), merged.m2_C);
    }
    windowOpen = true;
  }
  const countOf = (layer: string): number => store.get(statisticName(layer, 'count')).dataSync()[0]!;

  /** Σx² of each accumulated gradient, and Σ of what else may not be infinite. */
  const norms = (): Tensor => tf.stack([...trainable.map((name) => tf.sum(tf.square(store.get(accumulatorName(name))))), ...layers.map(({ name }) => tf.sum(store.get(statisticName(name, 'm2'))))]);

  /** Null, and nothing is changed, if the gradient is not finite. @param squares Σx² of the accumulated gradients */
  function applyUpdate({ update, divisor, learningRate }: UpdateScalars, squares: readonly number[]): UpdateResult | null {
    const sum = (name: string): Tensor => store.get(accumulatorName(name));
    const prepared = preparesGradients(program) ? prepareGradients(program, store.get, sum, tf.scalar(divisor)) : null;
    const figures = prepared === null ? null : [...prepared.figures.dataSync()];
    if (figures !== null && !figures.every(Number.isFinite)) return null;
    const numbers = Object.entries(updateNumbers(program, { update, learningRate })).map(([name, value]): [string, Tensor] => [name, tf.scalar(value)]);
    const gradient = (name: string): Tensor => prepared?.gradients.get(name) ?? tf.div(sum(name), divisor);
    const next = updateWeights({ program, state: store.get, gradient, numbers: Object.fromEntries(numbers) });
    for (const layer of layers) {
      const window = { mean_C: store.get(statisticName(layer.name, 'mean')), m2_C: store.get(statisticName(layer.name, 'm2')) };
      for (const [name, tensor] of updateMovingStatistics(layer, store.get, window, tf.scalar(countOf(layer.name)))) next.set(name, tensor);
    }
    for (const [name, tensor] of next) store.put(name, tensor);
    stale = true;
    return updateResult(squares, divisor, figures);
  }

  const compiled: CompiledProgram = {
    lanes: count,
    blockLimit: count,
    windowLimit: 1,
    runWindows: (windows) => runEach(windows, compiled.runBlock),
    initialise(seed) {
      reset();
      for (const weight of plan.weights) store.put(weight.name, tf.tensor(initialWeight(seed, weight), [...weight.shape]));
      for (const slot of slotNames(optimizer)) {
        for (const name of trainable) store.put(slotName(name, slot), tf.fill(store.get(name).shape, initialSlotValue(optimizer)));
      }
      startAverage();
    },
    loadWeights(weights) {
      load(weights, expectedWeights(plan), 'invalid_data');
      startAverage();
    },
    restore(state, open) {
      reset();
      load(state, expectedState(plan, program, open), 'checkpoint_corrupt');
      windowOpen = open;
    },
    runBlock(batches, update) {
      return inScope(() => {
        const rows: BatchRow[] = [];
        for (let from = 0; from < batches.length; from += count) rows.push(...runGroup(batches.slice(from, from + count)));
        const sums = [...norms().dataSync()];
        const finite = [...rows.map((row) => row.loss), ...sums].every(Number.isFinite);
        if (!finite || update === null) return { rows, finite, update: null };
        const result = applyUpdate(update, sums.slice(0, trainable.length));
        if (result !== null) dropWindow();
        return { rows, finite: result !== null, update: result };
      });
    },
    dropWindow,
    evaluate: (batch) =>
      inScope(() => batchRow(readColumns(inference(inputsOf(batch, averaged), program, network).columns), batch, ofEvaluation(program))),
    snapshot(open) {
      if (open !== windowOpen) throw new Error(`a snapshot ${open ? 'with' : 'without'} a window was asked for, but it is ${windowOpen ? 'open' : 'empty'}`);
      return store.view([...expectedState(plan, program, open).keys()]);
    },
    close() {
      reset();
      lanes?.close();
    },
  };
  return compiled;
}

const readColumns = (columns: Inference['columns']): Float32Array => tf.concat([...columns.values()] as Tensor1D[]).dataSync() as Float32Array;

/** AppError with this code if a tensor is missing, extra, mis-shaped or mis-typed. */
export function checkTensors(tensors: TensorMap, expected: ReadonlyMap<string, ExpectedTensor>, code: 'checkpoint_corrupt' | 'invalid_data'): void {
  const problems = checkState(expected, tensors);
  if (problems[0] !== undefined) throw new AppError(code, problems[0].message, { param: problems[0].param, details: problems });
  for (const [name, declared] of expected) assertHostTensor(name, tensors.get(name)!, declared);
}

/**
 * @param squares Σx² of each weight's accumulated gradient: added up in float64
 * @param figures those of prepareGradients; null where there was nothing to prepare
 */
export function updateResult(squares: readonly number[], divisor: number, figures: readonly number[] | null): UpdateResult {
  const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((total, value) => total + value, 0));
  return figures === null ? { gradNorm: norm(squares) / divisor, regularization: 0 } : { gradNorm: norm(figures.slice(0, -1)), regularization: figures.at(-1)! };
}

// The parts of a training program as recordings: each is written once, in tfjs operations (../micro-batch.ts, ../update.ts,
// ../../model), and traced here with inputs of the right shapes.
import type { Tensor } from '@tensorflow/tfjs-core';
import type { ConstraintSpec } from '../../../../lib/contract/layers.js';
import type { ModelPlan, WeightPlan } from '../../../../lib/model/plan.js';
import { emaName, slotName, slotNames } from '../../../../lib/model/slots.js';
import { fillUniform, keyOf } from '../../../../lib/training/random.js';
import { maskedLayers } from '../../masks.js';
import { constrain } from '../../model/constraints.js';
import { makeNetwork } from '../../model/network.js';
import { mergeStatistics } from '../../model/statistics.js';
import type { Program } from '../index.js';
import { inference, microBatch } from '../micro-batch.js';
import { layersWithStatistics, moveWeightAverage, prepareGradients, preparesGradients, trainableWeights, updateMovingStatistics, updateNumbers, updateWeights } from '../update.js';
import { nativeUpdate } from './native-update.js';
import type { HostValue, Recording } from './recorder.js';
import { trace, type Inputs } from './trace.js';

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Values in [low, low + width), other ones for every name and round. */
function drawn(shape: readonly number[], purpose: string, round: number, low = 0, width = 1): HostValue {
  const data = fillUniform(keyOf(1, `trace/${purpose}`, round), new Float32Array(sizeOf(shape)));
  return { shape, data: data.map((value) => low + width * value) };
}

/**
 * Weights that a forward of any depth bears, whether they are trained or not: what a layer gives is about as large as what it is given
 * (LeCun et al., "Efficient BackProp", 1998, section 4.6). Scales and variances are near 1, and positive.
 */
const drawnWeights = (plan: ModelPlan, round: number): [string, HostValue][] =>
  plan.weights.map(({ name, shape, fanIn }) => {
    if (/\/(gamma|moving_variance)$/.test(name)) return [name, drawn(shape, name, round, 0.5, 1)];
    const bound = Math.sqrt(3 / fanIn);
    return [name, drawn(shape, name, round, -bound, 2 * bound)];
  });

const drawnBatch = ({ plan }: Program, samples: number, round: number): [string, HostValue][] => [
  ['x', drawn([samples, ...plan.inputShape], 'x', round)],
  ['y', drawn([samples, sizeOf(plan.outputShape)], 'y', round, 0.1, 1)],
];

/** Everything that is written in tfjs operations: traced once, and the same for any number of lanes. */
export interface JobTraces {
  /** By number of samples. */
  microBatch: ReadonlyMap<number, Recording>;
  inference: ReadonlyMap<number, Recording>;
  /** By channels. */
  merge: ReadonlyMap<number, Recording>;
  /** Null where the optimizer is one operation of TensorFlow's. */
  weightUpdate: Recording | null;
  /** By weight, where the optimizer is one operation and so leaves its constraint to another. */
  constraints: ReadonlyMap<string, Recording>;
  /** Null without a moving average of the weights, or where it is in the weight update. */
  averages: Recording | null;
  /** Null where the gradient is only divided. */
  gradients: Recording | null;
  movingStatistics: Recording | null;
}

export function traceJob(program: Program): JobTraces {
  const { plan, sizes, batchSize } = program;
  const layers = layersWithStatistics(plan);
  const native = nativeUpdate(program.optimizer);
  return {
    microBatch: new Map([...new Set([batchSize, ...sizes.training])].map((samples) => [samples, traceMicroBatch(program, samples)])),
    inference: new Map(sizes.evaluation.map((samples) => [samples, traceInference(program, samples)])),
    merge: new Map([...new Set(layers.map((layer) => layer.inputShape.at(-1)!))].map((channels) => [channels, traceMerge(channels)])),
    weightUpdate: native === null ? traceWeightUpdate(program) : null,
    constraints: new Map(native === null ? [] : plan.weights.flatMap((weight): [string, Recording][] => (weight.trainable && weight.constraint !== undefined ? [[weight.name, traceConstraint(weight, weight.constraint)]] : []))),
    averages: native === null || program.ema === null ? null : traceAverages(program),
    gradients: preparesGradients(program) ? traceGradients(program) : null,
    movingStatistics: layers.length === 0 ? null : traceMovingStatistics(program),
  };
}

/** Inputs x, y, mask/<layer>, and every weight; results those of columnsOf, gradient/<weight>, mean/<layer>, m2/<layer>. */
function traceMicroBatch(program: Program, samples: number): Recording {
  const { plan } = program;
  const network = makeNetwork(plan, program.loss);
  const trainable = trainableWeights(plan);
  const draw = (round: number): Inputs =>
    new Map([...drawnBatch(program, samples, round), ...maskedLayers(plan).map(({ name, shape }): [string, HostValue] => [`mask/${name}`, drawn([samples, ...shape], `mask/${name}`, round, 0.5, 1)]), ...drawnWeights(plan, round)]);
  return trace(`a micro-batch of ${samples}`, draw, (inputs) => {
    const get = getter(inputs);
    const micro = microBatch({ x_NHWC: get('x'), labels_NK: get('y'), weight: get, mask: (layer) => get(`mask/${layer}`) }, program, network, trainable);
    return new Map([
      ...micro.columns,
      ...[...micro.gradients].map(([name, tensor]): [string, Tensor] => [`gradient/${name}`, tensor]),
      ...[...micro.statistics].flatMap(([layer, { mean_C, m2_C }]): [string, Tensor][] => [[`mean/${layer}`, mean_C], [`m2/${layer}`, m2_C]]),
    ]);
  });
}

/** Inputs x, y and every weight; results those of columnsOf. */
function traceInference(program: Program, samples: number): Recording {
  const network = makeNetwork(program.plan, program.loss);
  const draw = (round: number): Inputs => new Map([...drawnBatch(program, samples, round), ...drawnWeights(program.plan, round)]);
  return trace(`an evaluation of ${samples}`, draw, (inputs) => {
    const get = getter(inputs);
    const { columns } = inference({ x_NHWC: get('x'), labels_NK: get('y'), weight: get, mask: (layer) => get(`mask/${layer}`) }, program, network);
    return columns;
  });
}

/** Inputs window/mean, window/m2, batch/mean, batch/m2 of `channels`, share, weight; results mean, m2. */
function traceMerge(channels: number): Recording {
  const names = ['window/mean', 'window/m2', 'batch/mean', 'batch/m2'];
  const draw = (round: number): Inputs => new Map([...names.map((name): [string, HostValue] => [name, drawn([channels], name, round)]), ['share', drawn([], 'share', round)], ['weight', drawn([], 'weight', round)]]);
  return trace('the merging of batch statistics', draw, (inputs) => {
    const get = getter(inputs);
    const merged = mergeStatistics({ mean_C: get('window/mean'), m2_C: get('window/m2') }, { mean_C: get('batch/mean'), m2_C: get('batch/m2') }, { share: get('share'), weight: get('weight') });
    return new Map([['mean', merged.mean_C], ['m2', merged.m2_C]]);
  });
}

/** Inputs every trainable weight, sum/<weight>, divisor; results gradient/<weight>, figures (prepareGradients). */
function traceGradients(program: Program): Recording {
  const trainable = program.plan.weights.filter((weight) => weight.trainable);
  const draw = (round: number): Inputs =>
    new Map([...trainable.flatMap(({ name, shape }): [string, HostValue][] => [[name, drawn(shape, name, round, -0.5)], [`sum/${name}`, drawn(shape, `sum/${name}`, round, -0.5)]]), ['divisor', drawn([], 'divisor', round, 1)]]);
  return trace('the clipping and regularization of the gradient', draw, (inputs) => {
    const get = getter(inputs);
    const { gradients, figures } = prepareGradients(program, get, (name) => get(`sum/${name}`), get('divisor'));
    return new Map([...[...gradients].map(([name, tensor]): [string, Tensor] => [`gradient/${name}`, tensor]), ['figures', figures]]);
  });
}

/** Input weight; result weight. */
function traceConstraint({ name, shape }: WeightPlan, constraint: ConstraintSpec): Recording {
  const draw = (round: number): Inputs => new Map([['weight', drawn(shape, name, round, -0.5)]]);
  return trace(`the constraint of ${name}`, draw, (inputs) => new Map([['weight', constrain(getter(inputs)('weight'), constraint)]]));
}

/** Inputs every trainable weight and its average, number/<name>; results the averages by name. */
function traceAverages(program: Program): Recording {
  const trainable = program.plan.weights.filter((weight) => weight.trainable);
  const numbers = numberNames(program);
  const draw = (round: number): Inputs => new Map([...trainable.flatMap(({ name, shape }) => [name, emaName(name)].map((input): [string, HostValue] => [input, drawn(shape, input, round)])), ...numbers.map((name): [string, HostValue] => [`number/${name}`, drawn([], name, round)])]);
  return trace('the moving average of the weights', draw, (inputs) => {
    const get = getter(inputs);
    const given = Object.fromEntries(numbers.map((name) => [name, get(`number/${name}`)]));
    return new Map(trainable.map(({ name }) => [emaName(name), moveWeightAverage(get(emaName(name)), get(name), given)]));
  });
}

/** Names of what an update is fed beside its divisor. */
export const numberNames = (program: Program): string[] => Object.keys(updateNumbers(program, { update: 0, learningRate: 0 }));

/** Inputs every trainable weight, its slots and its average, gradient/<weight>, number/<name>; results all of them by name. */
function traceWeightUpdate(program: Program): Recording {
  const trainable = program.plan.weights.filter((weight) => weight.trainable);
  const numbers = numberNames(program);
  const draw = (round: number): Inputs =>
    new Map([
      ...trainable.flatMap(({ name, shape }): [string, HostValue][] => [[name, drawn(shape, name, round)], [`gradient/${name}`, drawn(shape, `gradient/${name}`, round)], ...slotNames(program.optimizer).map((slot): [string, HostValue] => [slotName(name, slot), drawn(shape, slotName(name, slot), round, 0.5)]), ...(program.ema === null ? [] : [[emaName(name), drawn(shape, emaName(name), round)] as [string, HostValue]])]),
      ...numbers.map((name): [string, HostValue] => [`number/${name}`, drawn([], name, round)]),
    ]);
  return trace(`an update by ${program.optimizer.type}`, draw, (inputs) => {
    const get = getter(inputs);
    return updateWeights({ program, state: get, gradient: (name) => get(`gradient/${name}`), numbers: Object.fromEntries(numbers.map((name) => [name, get(`number/${name}`)])) });
  });
}

/** Inputs the moving statistics of all layers by name, mean/<layer>, m2/<layer>, count/<layer>; results the moving statistics. */
function traceMovingStatistics(program: Program): Recording {
  const layers = layersWithStatistics(program.plan);
  const draw = (round: number): Inputs =>
    new Map(
      layers.flatMap(({ name, inputShape }): [string, HostValue][] => {
        const channels = inputShape.slice(-1);
        return [...['moving_mean', 'moving_variance'].map((weight) => `${name}/${weight}`), `mean/${name}`, `m2/${name}`].map((input): [string, HostValue] => [input, drawn(channels, input, round)]).concat([[`count/${name}`, drawn([], `count/${name}`, round, 1)]]);
      }),
    );
  return trace('the move of the moving statistics', draw, (inputs) => {
    const get = getter(inputs);
    return new Map(layers.flatMap((layer) => [...updateMovingStatistics(layer, get, { mean_C: get(`mean/${layer.name}`), m2_C: get(`m2/${layer.name}`) }, get(`count/${layer.name}`))]));
  });
}

function getter(inputs: ReadonlyMap<string, Tensor>): (name: string) => Tensor {
  return (name) => {
    const tensor = inputs.get(name);
    if (tensor === undefined) throw new Error(`there is no input "${name}"`);
    return tensor;
  };
}

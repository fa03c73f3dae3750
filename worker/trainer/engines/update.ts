// One update as functions of tensors: what the optimizer sees of the window's gradient, its step with decay before and
// constraints after, the moving statistics. They read nothing to the host. Checking the gradient and emptying the window are the engine's.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayerSpecOf } from '../../../lib/contract/layers.js';
import { AppError } from '../../../lib/errors.js';
import { emaName, gathersStatistics, slotName, slotNames } from '../../../lib/model/slots.js';
import type { LayerPlan, ModelPlan } from '../../../lib/model/plan.js';
import { constrain } from '../model/constraints.js';
import type { Statistics } from '../model/pass.js';
import { addPenaltyGradient, penalty } from '../model/regularizers.js';
import { moveAverage } from '../model/statistics.js';
import { optimizerRule, stepNumbers } from '../optimizers/index.js';
import type { StepNumbers, StepScalars } from '../optimizers/optimizer.js';
import type { Program } from './index.js';

type StatisticsPlan = LayerPlan<LayerSpecOf<'batch_normalization'>>;

/** AppError `invalid_spec` if there is none. */
export function trainableWeights(plan: ModelPlan): string[] {
  const names = plan.weights.filter((weight) => weight.trainable).map((weight) => weight.name);
  if (names.length === 0) throw new AppError('invalid_spec', 'the model has no trainable weight: there is nothing to train', { param: 'model.layers' });
  return names;
}
export const layersWithStatistics = (plan: ModelPlan): StatisticsPlan[] => plan.every.filter((layer): layer is StatisticsPlan => gathersStatistics(layer));

/** Values of each channel that one sample has at a layer that gathers statistics. */
export const valuesPerSample = (layer: StatisticsPlan): number => layer.inputShape.slice(0, -1).reduce((product, size) => product * size, 1);

/** Whether the optimizer sees more than the divided sum: regularizers, or something clipped. */
export const preparesGradients = ({ plan, clip }: Program): boolean => clip.norm !== null || clip.value !== null || plan.weights.some(({ trainable, regularizer }) => trainable && regularizer !== undefined);

export interface PreparedGradients {
  /** By weight. */
  gradients: Map<string, Tensor>;
  /** Σx² of each weight's gradient before clipping, in the order of trainableWeights, then the regularizers' penalty. */
  figures: Tensor;
}

/** The window's gradient: divided, the regularizers' added, then clipped by value and by its global norm. */
export function prepareGradients(program: Program, weight: (name: string) => Tensor, sum: (weight: string) => Tensor, divisor: Tensor): PreparedGradients {
  const { plan, clip } = program;
  const planned = new Map(plan.weights.map((each) => [each.name, each]));
  const names = trainableWeights(plan);
  const penalties: Tensor[] = [];
  const whole = names.map((name) => {
    // one true division: n·g/(n·k) and g·(1/k) are other bits
    const gradient = tf.div(sum(name), divisor);
    const { regularizer } = planned.get(name)!;
    if (regularizer === undefined) return gradient;
    penalties.push(penalty(weight(name), regularizer));
    return addPenaltyGradient(gradient, weight(name), regularizer);
  });
  const squaresOf = (gradients: readonly Tensor[]): Tensor => tf.stack(gradients.map((gradient) => tf.sum(tf.square(gradient))));
  const squares = squaresOf(whole);
  const cut = clip.value === null ? whole : whole.map((gradient) => tf.clipByValue(gradient, -clip.value!, clip.value!));
  const gradients = clip.norm === null ? cut : scaledToNorm(cut, clip.value === null ? squares : squaresOf(cut), clip.norm);
  const total = penalties.length === 0 ? tf.zeros([1]) : tf.reshape(tf.addN(penalties), [1]);
  return { gradients: new Map(names.map((name, index) => [name, gradients[index]!])), figures: tf.concat([squares, total]) };
}

/** Untouched, to the bit, where the global norm is no more than `most`. */
function scaledToNorm(gradients: readonly Tensor[], squares: Tensor, most: number): Tensor[] {
  const norm = tf.sqrt(tf.sum(squares));
  const scale = tf.where(tf.greater(norm, most), tf.div(tf.scalar(most), norm), tf.onesLike(norm));
  return gradients.map((gradient) => tf.mul(gradient, scale));
}

/** What an update asks of the host beside its divisor, by name: the optimizer's numbers and the average's. Float32. */
export function updateNumbers({ optimizer, ema }: Pick<Program, 'optimizer' | 'ema'>, step: { update: number; learningRate: number }, optimizerNumbers = stepNumbers): StepNumbers {
  if (ema === null) return optimizerNumbers(optimizer, step);
  // the first update's average is the weight itself
  const momentum = step.update === 0 ? 0 : Math.fround(ema.momentum);
  return { ...optimizerNumbers(optimizer, step), averageMomentum: momentum, averageRest: Math.fround(1 - momentum) };
}

/** average·momentum + weight·(1 − momentum), as Keras. */
export const moveWeightAverage = (average: Tensor, weight: Tensor, { averageMomentum, averageRest }: StepScalars): Tensor => tf.add(tf.mul(average, averageMomentum!), tf.mul(weight, averageRest!));

export interface WeightUpdate {
  program: Program;
  /** Weights and slots by name. */
  state(name: string): Tensor;
  /** The window's gradient as the optimizer sees it, by weight. */
  gradient(weight: string): Tensor;
  /** updateNumbers of this update. */
  numbers: StepScalars;
}

/** The next values of the trainable weights, constraints applied, of their slots and of their averages, by name. */
export function updateWeights({ program, state, gradient, numbers }: WeightUpdate): Map<string, Tensor> {
  const rule = optimizerRule(program.optimizer, numbers);
  const slots = slotNames(program.optimizer);
  const constraints = new Map(program.plan.weights.map((weight) => [weight.name, weight.constraint]));
  const next = new Map<string, Tensor>();
  for (const name of trainableWeights(program.plan)) {
    const before = Object.fromEntries(slots.map((slot) => [slot, state(slotName(name, slot))]));
    const after = rule(state(name), gradient(name), before);
    const constraint = constraints.get(name);
    next.set(name, constraint === undefined ? after.weight : constrain(after.weight, constraint));
    for (const slot of slots) next.set(slotName(name, slot), after.slots[slot]!);
    if (program.ema !== null) next.set(emaName(name), moveWeightAverage(state(emaName(name)), next.get(name)!, numbers));
  }
  return next;
}

/** The next values of the moving statistics of one layer, by name. @param count values of each channel in the window */
export function updateMovingStatistics({ name, spec }: StatisticsPlan, state: (name: string) => Tensor, window: Statistics, count: Tensor): Map<string, Tensor> {
  const moved = (weight: string, value_C: Tensor): [string, Tensor] => [`${name}/${weight}`, moveAverage(state(`${name}/${weight}`), value_C, spec.momentum)];
  // population variance
  return new Map([moved('moving_mean', window.mean_C), moved('moving_variance', tf.div(window.m2_C, count))]);
}

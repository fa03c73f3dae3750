// One update as a function of tensors: decay the weights, let the optimizer step, move the moving statistics. Reads nothing
// to the host. Dividing the accumulated gradient, checking it and emptying the window are the engine's.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayerSpecOf } from '../../../lib/contract/spec.js';
import { AppError } from '../../../lib/errors.js';
import { gathersStatistics, slotName, slotNames } from '../../../lib/model/slots.js';
import type { LayerPlan, ModelPlan } from '../../../lib/model/plan.js';
import type { Statistics } from '../model/pass.js';
import { moveAverage } from '../model/statistics.js';
import { optimizerRule } from '../optimizers/index.js';
import type { Program } from './index.js';

type StatisticsPlan = LayerPlan<LayerSpecOf<'batch_normalization'>>;

/** AppError `invalid_spec` if there is none. */
export function trainableWeights(plan: ModelPlan): string[] {
  const names = plan.weights.filter((weight) => weight.trainable).map((weight) => weight.name);
  if (names.length === 0) throw new AppError('invalid_spec', 'the model has no trainable weight: there is nothing to train', { param: 'model.layers' });
  return names;
}
export const layersWithStatistics = (plan: ModelPlan): StatisticsPlan[] => plan.layers.filter((layer): layer is StatisticsPlan => gathersStatistics(layer));

/** Values of each channel that one sample has at a layer that gathers statistics. */
export const valuesPerSample = (layer: StatisticsPlan): number => layer.inputShape.slice(0, -1).reduce((product, size) => product * size, 1);

export interface WeightUpdate {
  program: Program;
  /** Weights and slots by name. */
  state(name: string): Tensor;
  /** The window's gradient, divided, by weight. */
  gradient(weight: string): Tensor;
  /** stepNumbers of this update (../optimizers). */
  numbers: Readonly<Record<string, Tensor>>;
}

/** The next values of the trainable weights and their slots, by name. */
export function updateWeights({ program, state, gradient, numbers }: WeightUpdate): Map<string, Tensor> {
  const rule = optimizerRule(program.optimizer, numbers);
  const slots = slotNames(program.optimizer);
  const next = new Map<string, Tensor>();
  for (const name of trainableWeights(program.plan)) {
    const before = Object.fromEntries(slots.map((slot) => [slot, state(slotName(name, slot))]));
    const after = rule(state(name), gradient(name), before);
    next.set(name, after.weight);
    for (const slot of slots) next.set(slotName(name, slot), after.slots[slot]!);
  }
  return next;
}

/** The next values of the moving statistics of one layer, by name. @param count values of each channel in the window */
export function updateMovingStatistics({ name, spec }: StatisticsPlan, state: (name: string) => Tensor, window: Statistics, count: Tensor): Map<string, Tensor> {
  const moved = (weight: string, value_C: Tensor): [string, Tensor] => [`${name}/${weight}`, moveAverage(state(`${name}/${weight}`), value_C, spec.momentum)];
  // population variance
  return new Map([moved('moving_mean', window.mean_C), moved('moving_variance', tf.div(window.m2_C, count))]);
}

// Names and shapes of everything a training state holds beside its counters: weights, optimizer slots, and an open
// window's accumulator and batch statistics. A state is matched by name; nothing is matched by position or left out.
import type { EmaSpec, OptimizerSpec } from '../contract/training.js';
import type { Problem } from '../errors.js';
import type { HostTensor, StateRole } from '../training/state.js';
import type { LayerPlan, ModelPlan, Shape } from './plan.js';

export interface ExpectedTensor {
  dtype: HostTensor['dtype'];
  shape: Shape;
  role: StateRole;
}

/** The optimizer's slots for each trainable weight, by Keras's names or, for moments, the papers' letters. */
export function slotNames(optimizer: OptimizerSpec): readonly string[] {
  switch (optimizer.type) {
    case 'adam':
    case 'adamw':
      return optimizer.amsgrad ? ['m', 'v', 'vhat'] : ['m', 'v'];
    case 'lamb':
      return ['m', 'v'];
    case 'rmsprop':
      return optimizer.momentum > 0 ? ['velocity', 'momentum'] : ['velocity'];
    case 'adagrad':
      return ['accumulator'];
    case 'sgd':
      return optimizer.momentum > 0 ? ['momentum'] : [];
  }
}

/** What all elements of a slot start at. */
export const initialSlotValue = (optimizer: OptimizerSpec): number => (optimizer.type === 'adagrad' ? optimizer.initial_accumulator_value : 0);

export const slotName = (weight: string, slot: string) => `optimizer/${weight}/${slot}`;
export const emaName = (weight: string) => `ema/${weight}`;
export const bestName = (tensor: string) => `best/${tensor}`;
export const accumulatorName = (weight: string) => `accumulator/${weight}`;
export const STATISTICS = ['count', 'mean', 'm2'] as const;
export const statisticName = (layer: string, statistic: (typeof STATISTICS)[number]) => `statistics/${layer}/${statistic}`;

/** Of a training, what shapes its state beside the model. */
export interface StateForm {
  optimizer: OptimizerSpec;
  ema: EmaSpec | null;
}

/** Whether a layer gathers batch statistics over a window. */
export const gathersStatistics = (layer: LayerPlan) => layer.spec.type === 'batch_normalization' && layer.spec.trainable;

/** The weights alone: what an export and a file of first weights hold. */
export function expectedWeights(plan: ModelPlan): Map<string, ExpectedTensor> {
  return new Map(plan.weights.map(({ name, shape }) => [name, { dtype: 'F32', shape, role: 'weights' }]));
}

/**
 * Every tensor of a state, in a fixed order: with a window's where one is open, with the best epoch's where they are kept. Slots and accumulators belong to trainable weights only. Statistics are of
 * [channels]; their `count`, the values of each channel so far (samples × height × width), is a scalar I32: exact to
 * 2³¹ − 1 where a float32 ends at 2²⁴.
 */
export function expectedState(plan: ModelPlan, { optimizer, ema }: StateForm, windowOpen: boolean, withBest = false): Map<string, ExpectedTensor> {
  const expected = expectedWeights(plan);
  const trainable = plan.weights.filter((weight) => weight.trainable);
  for (const slot of slotNames(optimizer)) {
    for (const { name, shape } of trainable) expected.set(slotName(name, slot), { dtype: 'F32', shape, role: 'slots' });
  }
  if (ema !== null) for (const { name, shape } of trainable) expected.set(emaName(name), { dtype: 'F32', shape, role: 'ema' });
  if (withBest) for (const [name, { dtype, shape, role }] of [...expected]) if (role === 'weights' || role === 'ema') expected.set(bestName(name), { dtype, shape, role: 'best' });
  if (!windowOpen) return expected;
  for (const { name, shape } of trainable) expected.set(accumulatorName(name), { dtype: 'F32', shape, role: 'window' });
  for (const layer of plan.every.filter(gathersStatistics)) {
    const channels = layer.inputShape.slice(-1);
    expected.set(statisticName(layer.name, 'count'), { dtype: 'I32', shape: [], role: 'window' });
    expected.set(statisticName(layer.name, 'mean'), { dtype: 'F32', shape: channels, role: 'window' });
    expected.set(statisticName(layer.name, 'm2'), { dtype: 'F32', shape: channels, role: 'window' });
  }
  return expected;
}

/** Missing, extra, mis-shaped or wrongly typed tensors, each by name. `actual` is what a file's header (or a state) says. */
export function checkState(
  expected: ReadonlyMap<string, Pick<ExpectedTensor, 'dtype' | 'shape'>>,
  actual: ReadonlyMap<string, { readonly dtype: string; readonly shape: readonly number[] }>,
): Problem[] {
  const problems: Problem[] = [];
  for (const [name, { dtype, shape }] of expected) {
    const found = actual.get(name);
    if (found === undefined) problems.push({ param: name, message: `the tensor "${name}" (${dtype} [${shape.join(', ')}]) is missing` });
    else if (found.dtype !== dtype) problems.push({ param: name, message: `the tensor "${name}" is ${found.dtype}, but has to be ${dtype}` });
    else if (found.shape.length !== shape.length || found.shape.some((size, axis) => size !== shape[axis])) {
      problems.push({ param: name, message: `the tensor "${name}" has shape [${shortened(found.shape)}], but has to have [${shape.join(', ')}]` });
    }
  }
  for (const name of actual.keys()) {
    if (!expected.has(name)) problems.push({ param: name, message: `the tensor "${name.length > NAME_CHARACTERS ? `${name.slice(0, NAME_CHARACTERS)}…` : name}" does not belong to this state` });
  }
  return problems;
}

/** A file may claim any name and shape: so much of them is told. */
const NAME_CHARACTERS = 200;
const SHAPE_SIZES = 8;
const shortened = (shape: readonly number[]): string => `${shape.slice(0, SHAPE_SIZES).join(', ')}${shape.length > SHAPE_SIZES ? ', …' : ''}`;

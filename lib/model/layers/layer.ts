// What a layer type has to say about itself, without a tensor: checks, output shape, weights and memory.
import type { ConstraintSpec, Initializer, LayerSpec, LayerSpecOf, RegularizerSpec } from '../../contract/layers.js';
import type { Shape, WeightPlan } from '../plan.js';

/** A problem of one layer; `field` is a key of it (`units`), or empty for the layer as a whole. */
export interface LayerProblem {
  field: string;
  message: string;
}

export interface LayerOutline {
  outputShape: Shape;
  /** In Keras's order. */
  weights: WeightPlan[];
  /** Floats of one sample that forward keeps for backward: outputs, and what an activation or a mask adds. */
  keptFloats: number;
}

/** One layer type. Its spec is resolved: every key present, sizes as [height, width]. */
export interface LayerKind<T extends LayerSpec['type']> {
  /** Problems that can be told without knowing a shape. */
  check?(spec: LayerSpecOf<T>): LayerProblem[];
  /** Called only if check found nothing. */
  outline(spec: LayerSpecOf<T>, input: Shape): LayerOutline | LayerProblem[];
}

export const sizeOf = (shape: Shape) => shape.reduce((product, size) => product * size, 1);
export const showShape = (shape: Shape) => `[${shape.join(', ')}]`;

/** Kept by an activation besides its output: its input, unless there is none. */
export const activationFloats = (activation: string | null, size: number) => (activation === null || activation === 'linear' ? 0 : size);

interface Owner {
  name: string;
  trainable: boolean;
}

/** What layers with one kernel say about it. */
interface WithKernel extends Owner {
  kernel_initializer: Initializer;
  kernel_regularizer: RegularizerSpec | null;
  kernel_constraint: ConstraintSpec | null;
}

interface WithBias extends Owner {
  use_bias: boolean;
  bias_initializer: Initializer;
  bias_regularizer: RegularizerSpec | null;
}

interface KernelRules {
  initializer: Initializer;
  regularizer: RegularizerSpec | null;
  constraint: ConstraintSpec | null;
}

/** A kernel and a bias of so many channels, the kernel's outputs if nothing else is said. */
export function kernelAndBias(spec: WithKernel & WithBias, shape: Shape, channels = shape.at(-1) ?? 1): WeightPlan[] {
  const { kernel_initializer: initializer, kernel_regularizer: regularizer, kernel_constraint: constraint } = spec;
  return [kernel(spec, 'kernel', shape, { initializer, regularizer, constraint }), ...bias(spec, channels)];
}

/** Fans are Keras's: the receptive field × the last axis but one, × the last. */
export function kernel({ name: layer, trainable }: Owner, name: string, shape: Shape, { initializer, regularizer, constraint }: KernelRules): WeightPlan {
  const inputs = shape.at(-2) ?? 1;
  const outputs = shape.at(-1) ?? 1;
  const field = sizeOf(shape) / (inputs * outputs);
  return { name: `${layer}/${name}`, shape, trainable, initializer, fanIn: field * inputs, fanOut: field * outputs, ...regularized(regularizer), ...(constraint === null ? {} : { constraint }) };
}

/** None where the layer does without. A vector's fans are its length, as in Keras. */
export function bias({ name, trainable, use_bias, bias_initializer: initializer, bias_regularizer }: WithBias, channels: number): WeightPlan[] {
  return use_bias ? [{ name: `${name}/bias`, shape: [channels], trainable, initializer, fanIn: channels, fanOut: channels, ...regularized(bias_regularizer) }] : [];
}

/** One of zeros is none. */
const regularized = (regularizer: RegularizerSpec | null): { regularizer?: RegularizerSpec } => (regularizer === null || (regularizer.l1 === 0 && regularizer.l2 === 0) ? {} : { regularizer });

/** What is wrong with a constraint, the layer's key `field`, on a kernel of so many axes. */
export function checkConstraint(field: string, constraint: ConstraintSpec | null, rank: number): LayerProblem[] {
  if (constraint === null || constraint.type === 'non_neg') return [];
  const beyond = [constraint.axis].flat().find((axis) => axis >= rank);
  const problems = beyond === undefined ? [] : [{ field: `${field}.axis`, message: `must be an axis of the kernel, 0 to ${rank - 1}; got ${beyond}` }];
  if (constraint.type === 'min_max_norm' && constraint.min_value > constraint.max_value) problems.push({ field: `${field}.min_value`, message: `must not be above max_value, ${constraint.max_value}; got ${constraint.min_value}` });
  return problems;
}

/** Scale and offset of a normalization layer, as far as it has them. */
export function gammaAndBeta(spec: { name: string; trainable: boolean; center: boolean; scale: boolean }, channels: number): WeightPlan[] {
  const weight = (name: string, initializer: Initializer): WeightPlan => ({ name: `${spec.name}/${name}`, shape: [channels], trainable: spec.trainable, initializer, fanIn: channels, fanOut: channels });
  return [...(spec.scale ? [weight('gamma', 'ones')] : []), ...(spec.center ? [weight('beta', 'zeros')] : [])];
}

/** [height, width, channels], or the problem that the input is something else. */
export function spatial(type: string, input: Shape): [number, number, number] | LayerProblem {
  const [height, width, channels] = input;
  if (input.length === 3 && height !== undefined && width !== undefined && channels !== undefined) return [height, width, channels];
  return { field: '', message: `${type} needs [height, width, channels], but its input is ${showShape(input)}; it has to stand before flatten and dense` };
}

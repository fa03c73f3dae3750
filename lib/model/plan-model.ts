// Builds a model's plan from its layers and the input's shape, or says everything that is wrong with it.
import type { LayerSpec } from '../contract/layers.js';
import type { Problem } from '../errors.js';
import { checkLayerNames } from './layer-names.js';
import { checkLayer, outlineLayer } from './layers/index.js';
import { type LayerProblem, showShape, sizeOf } from './layers/layer.js';
import type { LayerPlan, ModelPlan, Shape } from './plan.js';

/** Elements of the largest tensor that can be made: sizes are 32-bit integers in the kernels. */
export const MAX_TENSOR_ELEMENTS = 2 ** 31 - 1;

export interface PlanOptions {
  /** Classes of the data: what the last layer has to give. Not checked without. */
  classes?: number;
}

/**
 * The plan of a model on an input of [height, width, channels], or all its problems at once, as `model.layers.2.units`.
 * @param layers resolved: names are final, sizes are [height, width]
 */
export function planModel(layers: readonly LayerSpec[], inputShape: Shape, options: PlanOptions = {}): { plan: ModelPlan } | { problems: Problem[] } {
  const problems = structuralProblems(layers);
  const plans: LayerPlan[] = [];
  // null once a layer is impossible: later ones are then only checked without a shape
  let shape: Shape | null = inputShape;
  let keptFloats = sizeOf(inputShape);
  let largest = keptFloats;
  for (const [index, spec] of layers.entries()) {
    if (shape === null || checkLayer(spec).length > 0) {
      shape = null;
      continue;
    }
    const outline = outlineLayer(spec, shape);
    const found = Array.isArray(outline) ? outline : oversized(outline);
    problems.push(...found.map((problem) => locate(problem, index)));
    if (Array.isArray(outline) || found.length > 0) {
      shape = null;
      continue;
    }
    plans.push({ spec, name: spec.name, inputShape: shape, outputShape: outline.outputShape, weights: outline.weights });
    shape = outline.outputShape;
    keptFloats += outline.keptFloats;
    largest = Math.max(largest, sizeOf(shape));
  }
  if (shape !== null) problems.push(...misfit(layers, shape, options.classes));
  if (shape === null || problems.length > 0) return { problems };

  const weights = plans.flatMap((layer) => layer.weights);
  const count = (trainable: boolean) => weights.reduce((sum, weight) => sum + (weight.trainable === trainable ? sizeOf(weight.shape) : 0), 0);
  return {
    plan: {
      inputShape,
      outputShape: shape,
      layers: plans,
      weights,
      parameters: { trainable: count(true), nonTrainable: count(false) },
      // what forward keeps, and the gradients of one layer's output and input that backward holds at a time
      activationFloatsPerSample: keptFloats + 2 * largest,
    },
  };
}

/** What can be said about layers when the input's shape is not known. */
export function structuralProblems(layers: readonly LayerSpec[]): Problem[] {
  return [...checkLayerNames(layers.map((layer) => layer.name)), ...layers.flatMap((spec, index) => checkLayer(spec).map((problem) => locate(problem, index)))];
}

function locate({ field, message }: LayerProblem, index: number): Problem {
  return { param: field === '' ? `model.layers.${index}` : `model.layers.${index}.${field}`, message };
}

function oversized(outline: { outputShape: Shape; weights: readonly { name: string; shape: Shape }[] }): LayerProblem[] {
  const tensors = [{ name: 'its output for one sample', shape: outline.outputShape }, ...outline.weights];
  return tensors
    .filter(({ shape }) => sizeOf(shape) > MAX_TENSOR_ELEMENTS)
    .map(({ name, shape }) => ({ field: '', message: `${name} ${showShape(shape)} has ${sizeOf(shape)} elements; a tensor holds at most ${MAX_TENSOR_ELEMENTS}` }));
}

/** The last layer against the data's classes. */
function misfit(layers: readonly LayerSpec[], output: Shape, classes: number | undefined): Problem[] {
  const index = layers.length - 1;
  const last = layers[index];
  if (classes === undefined || last === undefined || (output.length === 1 && output[0] === classes)) return [];
  if (output.length !== 1) {
    return [{ param: `model.layers.${index}`, message: `the last layer "${last.name}" gives ${showShape(output)}, but the data has ${classes} classes: it has to give [${classes}]; add flatten and a dense layer of ${classes} units` }];
  }
  const param = last.type === 'dense' ? `model.layers.${index}.units` : `model.layers.${index}`;
  return [{ param, message: `the last layer "${last.name}" gives ${output[0]} values, but the data has ${classes} classes` }];
}

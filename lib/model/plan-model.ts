// Builds a model's plan from its layers and the input's shape, or says everything that is wrong with it.
import type { LayerSpec, ResidualSpec } from '../contract/layers.js';
import type { LossSpec } from '../contract/training.js';
import type { Problem } from '../errors.js';
import { checkLayerNames } from './layer-names.js';
import { checkLayer, outlineLayer } from './layers/index.js';
import { type LayerProblem, showShape, sizeOf } from './layers/layer.js';
import type { LayerPlan, ModelPlan, Shape } from './plan.js';
import { walkLayers } from './walk-layers.js';

/** Elements of the largest tensor that can be made: sizes are 32-bit integers in the kernels. */
export const MAX_TENSOR_ELEMENTS = 2 ** 31 - 1;

export interface PlanOptions {
  /** Classes of the data: what the last layer has to give. Not checked without. */
  classes?: number;
  /** binary_crossentropy and mean_squared_error take a single value too, for two classes. */
  loss?: Pick<LossSpec, 'type'>;
}

const ROOT = 'model.layers';

/**
 * The plan of a model on an input of [height, width, channels], or all its problems at once, as `model.layers.2.units`.
 * @param layers resolved: names are final, sizes are [height, width]
 */
export function planModel(layers: readonly LayerSpec[], inputShape: Shape, options: PlanOptions = {}): { plan: ModelPlan } | { problems: Problem[] } {
  const chain = planChain(layers, inputShape, ROOT);
  const problems = [...structuralProblems(layers), ...chain.problems];
  const { plans, outputShape } = chain;
  if (outputShape !== null) problems.push(...misfit(layers, outputShape, options));
  if (outputShape === null || problems.length > 0) return { problems };

  const every = plans.flatMap(withInner);
  const weights = every.flatMap((layer) => layer.weights);
  const count = (trainable: boolean) => weights.reduce((sum, weight) => sum + (weight.trainable === trainable ? sizeOf(weight.shape) : 0), 0);
  return {
    plan: {
      inputShape,
      outputShape,
      layers: plans,
      every,
      weights,
      parameters: { trainable: count(true), nonTrainable: count(false) },
      // what forward keeps, and the gradients of one layer's output and input that backward holds at a time
      activationFloatsPerSample: sizeOf(inputShape) + chain.keptFloats + 2 * Math.max(sizeOf(inputShape), ...every.map((layer) => sizeOf(layer.outputShape))),
    },
  };
}

const withInner = (layer: LayerPlan): LayerPlan[] => [layer, ...[...(layer.branches?.body ?? []), ...(layer.branches?.shortcut ?? [])].flatMap(withInner)];

interface Chain {
  plans: LayerPlan[];
  /** Null once a layer is impossible: those after it cannot be planned. */
  outputShape: Shape | null;
  keptFloats: number;
  problems: Problem[];
}

/** Layers one after another. What is wrong whatever the shape is left to structuralProblems. */
function planChain(layers: readonly LayerSpec[], inputShape: Shape, path: string): Chain {
  const chain: Chain = { plans: [], outputShape: inputShape, keptFloats: 0, problems: [] };
  for (const [index, spec] of layers.entries()) {
    if (chain.outputShape === null) break;
    const planned = planLayer(spec, chain.outputShape, `${path}.${index}`);
    if ('problems' in planned) {
      chain.problems.push(...planned.problems);
      chain.outputShape = null;
      break;
    }
    chain.plans.push(planned.plan);
    chain.outputShape = planned.plan.outputShape;
    chain.keptFloats += planned.keptFloats;
  }
  return chain;
}

type Planned = { plan: LayerPlan; keptFloats: number } | { problems: Problem[] };

function planLayer(spec: LayerSpec, inputShape: Shape, path: string): Planned {
  if (spec.type === 'residual') return planResidual(spec, inputShape, path);
  if (checkLayer(spec).length > 0) return { problems: [] };
  const outline = outlineLayer(spec, inputShape);
  const found = Array.isArray(outline) ? outline : oversized(outline);
  if (Array.isArray(outline) || found.length > 0) return { problems: found.map((problem) => locate(problem, path)) };
  return { plan: { spec, name: spec.name, inputShape, outputShape: outline.outputShape, weights: outline.weights }, keptFloats: outline.keptFloats };
}

/** shortcut(x) + F(x): both of one shape. */
function planResidual(spec: ResidualSpec, inputShape: Shape, path: string): Planned {
  const body = planChain(spec.layers, inputShape, `${path}.layers`);
  const shortcut = planChain(spec.shortcut?.layers ?? [], inputShape, `${path}.shortcut.layers`);
  const problems = [...body.problems, ...shortcut.problems];
  if (body.outputShape === null || shortcut.outputShape === null || problems.length > 0) return { problems };
  const [given, added] = [showShape(body.outputShape), showShape(shortcut.outputShape)];
  if (given !== added) {
    const hint = spec.shortcut === null ? 'give it a shortcut whose layers do the same' : 'they have to be alike';
    return { problems: [{ param: path, message: `the layers of "${spec.name}" give ${given} and its shortcut ${added}, but the two are added: ${hint}` }] };
  }
  const plan = { spec, name: spec.name, inputShape, outputShape: body.outputShape, weights: [], branches: { body: body.plans, shortcut: shortcut.plans } };
  return { plan, keptFloats: body.keptFloats + shortcut.keptFloats + sizeOf(body.outputShape) };
}

/** What can be said about layers when the input's shape is not known. */
export function structuralProblems(layers: readonly LayerSpec[]): Problem[] {
  const every = walkLayers(layers, ROOT);
  return [...checkLayerNames(every.map(({ layer, path }) => ({ path, name: layer.name }))), ...every.flatMap(({ layer, path }) => (layer.type === 'residual' ? [] : checkLayer(layer).map((problem) => locate(problem, path))))];
}

function locate({ field, message }: LayerProblem, path: string): Problem {
  return { param: field === '' ? path : `${path}.${field}`, message };
}

function oversized(outline: { outputShape: Shape; weights: readonly { name: string; shape: Shape }[] }): LayerProblem[] {
  const tensors = [{ name: 'its output for one sample', shape: outline.outputShape }, ...outline.weights];
  return tensors
    .filter(({ shape }) => sizeOf(shape) > MAX_TENSOR_ELEMENTS)
    .map(({ name, shape }) => ({ field: '', message: `${name} ${showShape(shape)} has ${sizeOf(shape)} elements; a tensor holds at most ${MAX_TENSOR_ELEMENTS}` }));
}

/** The last layer against the data's classes. */
function misfit(layers: readonly LayerSpec[], output: Shape, { classes, loss }: PlanOptions): Problem[] {
  const index = layers.length - 1;
  const last = layers[index];
  if (classes === undefined || last === undefined || (output.length === 1 && output[0] === classes)) return [];
  if (output.length === 1 && output[0] === 1 && classes === 2 && (loss?.type === 'binary_crossentropy' || loss?.type === 'mean_squared_error')) return [];
  if (output.length !== 1) {
    return [{ param: `${ROOT}.${index}`, message: `the last layer "${last.name}" gives ${showShape(output)}, but the data has ${classes} classes: it has to give [${classes}]; add flatten and a dense layer of ${classes} units` }];
  }
  const param = last.type === 'dense' ? `${ROOT}.${index}.units` : `${ROOT}.${index}`;
  return [{ param, message: `the last layer "${last.name}" gives ${output[0]} values, but the data has ${classes} classes` }];
}

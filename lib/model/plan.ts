// What a model is before any tensor exists: each layer with its name, shapes and weights. Types only;
// plan-model.ts builds a plan from layers and an input shape, layers/ has one file a layer type.
import type { ConstraintSpec, Initializer, LayerSpec, RegularizerSpec } from '../contract/layers.js';

/** [height, width, channels] or [features]; the batch dimension is left out everywhere. */
export type Shape = readonly number[];

export interface WeightPlan {
  /** `<layer>/<weight>`, Keras's names: kernel, depthwise_kernel, pointwise_kernel, bias, gamma, beta, moving_mean, moving_variance. */
  name: string;
  shape: Shape;
  /** Updated by the optimizer. Moving statistics and frozen weights are not. */
  trainable: boolean;
  initializer: Initializer;
  /** Glorot's and He's fans: receptive field × in, receptive field × out. */
  fanIn: number;
  fanOut: number;
  /** Its gradient is added to the window's, once. */
  regularizer?: RegularizerSpec;
  /** Applied to the weight after every update. */
  constraint?: ConstraintSpec;
}

export interface LayerPlan<L extends LayerSpec = LayerSpec> {
  /** The resolved layer; its name is final. */
  spec: L;
  name: string;
  inputShape: Shape;
  outputShape: Shape;
  /** In Keras's order. A residual has none itself. */
  weights: readonly WeightPlan[];
  /** Of a residual: what is added. No layers on the shortcut's side are the input as it is. */
  branches?: { body: readonly LayerPlan[]; shortcut: readonly LayerPlan[] };
}

export interface ModelPlan {
  inputShape: Shape;
  outputShape: Shape;
  layers: readonly LayerPlan[];
  /** Those inside of residuals too: depth first, a residual before its layers, these before its shortcut's. */
  every: readonly LayerPlan[];
  /** Every weight, in the order of `every`. */
  weights: readonly WeightPlan[];
  parameters: { trainable: number; nonTrainable: number };
  /** Floats of activations one sample needs for forward and backward: for the memory estimate. */
  activationFloatsPerSample: number;
}

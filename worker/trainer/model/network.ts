// The whole forward: which layer type is computed by which file, one layer after another, and a residual as two such chains. A final softmax or
// sigmoid is left out where its cross-entropy follows, which is exact on its logits.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Activation, LayerSpec } from '../../../lib/contract/layers.js';
import type { LossSpec } from '../../../lib/contract/training.js';
import type { LayerPlan, ModelPlan } from '../../../lib/model/plan.js';
import { activation } from './activation.js';
import { batchNormalization } from './batch-normalization.js';
import { conv2d } from './conv2d.js';
import { dense } from './dense.js';
import { depthwiseConv2d } from './depthwise-conv2d.js';
import { dropout } from './dropout.js';
import { flatten } from './flatten.js';
import { globalAveragePooling2d, globalMaxPooling2d } from './global-pooling2d.js';
import { undoneBy, type OutputKind } from './loss.js';
import type { ForwardPass, LayerForward } from './pass.js';
import { averagePooling2d, maxPooling2d } from './pooling2d.js';
import { groupNormalization, layerNormalization } from './sample-normalization.js';
import { separableConv2d } from './separable-conv2d.js';

/** shortcut(x) + F(x) */
const residual: LayerForward<'residual'> = (x, { branches }, pass) => tf.add(forward(branches!.shortcut, x, pass), forward(branches!.body, x, pass));

const FORWARDS: { [T in LayerSpec['type']]: LayerForward<T> } = {
  conv2d,
  depthwise_conv2d: depthwiseConv2d,
  separable_conv2d: separableConv2d,
  max_pooling2d: maxPooling2d,
  average_pooling2d: averagePooling2d,
  global_average_pooling2d: globalAveragePooling2d,
  global_max_pooling2d: globalMaxPooling2d,
  flatten,
  dense,
  activation,
  dropout,
  spatial_dropout2d: dropout,
  batch_normalization: batchNormalization,
  group_normalization: groupNormalization,
  layer_normalization: layerNormalization,
  residual,
};

/** Layers one after another. */
const forward = (layers: readonly LayerPlan[], x: Tensor, pass: ForwardPass): Tensor => layers.reduce((value, layer) => forwardOf(layer)(value, layer, pass), x);

export interface Network {
  /** What the last tensor is. */
  output: OutputKind;
  forward(x: Tensor, pass: ForwardPass): Tensor;
}

export function makeNetwork(plan: ModelPlan, loss: LossSpec): Network {
  const undone = undoneBy[loss.type];
  const { layers, stripped } = undone === null ? { layers: plan.layers, stripped: false } : withoutFinal(undone, plan.layers);
  return {
    output: stripped || loss.from_logits ? 'logits' : 'values',
    forward: (x, pass) => forward(layers, x, pass),
  };
}

// the table has a function for exactly its layer's type, which the type of an indexed record cannot say
const forwardOf = (layer: LayerPlan) => FORWARDS[layer.spec.type] as (x: Tensor, layer: LayerPlan, pass: ForwardPass) => Tensor;

/** The layers without this activation at their end, and whether there was one. */
function withoutFinal(activation: Activation, layers: readonly LayerPlan[]): { layers: readonly LayerPlan[]; stripped: boolean } {
  const last = layers.at(-1);
  if (last === undefined || !('activation' in last.spec) || last.spec.activation !== activation) return { layers, stripped: false };
  const before = layers.slice(0, -1);
  if (last.spec.type === 'activation') return { layers: before, stripped: true };
  return { layers: [...before, { ...last, spec: { ...last.spec, activation: null } }], stripped: true };
}

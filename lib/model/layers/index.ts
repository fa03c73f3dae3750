// Every layer type there is, but for residual, which is made of others (../plan-model.ts). A new one is a file beside this, a line here, and its forward in the trainer.
import type { PlainLayerSpec } from '../../contract/layers.js';
import type { Shape } from '../plan.js';
import { activation } from './activation.js';
import { batchNormalization } from './batch-normalization.js';
import { conv2d } from './conv2d.js';
import { dense } from './dense.js';
import { depthwiseConv2d } from './depthwise-conv2d.js';
import { dropout } from './dropout.js';
import { flatten } from './flatten.js';
import { globalPooling2d } from './global-pooling2d.js';
import { groupNormalization } from './group-normalization.js';
import { layerNormalization } from './layer-normalization.js';
import type { LayerKind, LayerOutline, LayerProblem } from './layer.js';
import { pooling2d } from './pooling2d.js';
import { separableConv2d } from './separable-conv2d.js';
import { spatialDropout2d } from './spatial-dropout2d.js';

const LAYER_KINDS: { [T in PlainLayerSpec['type']]: LayerKind<T> } = {
  conv2d,
  depthwise_conv2d: depthwiseConv2d,
  separable_conv2d: separableConv2d,
  max_pooling2d: pooling2d,
  average_pooling2d: pooling2d,
  global_average_pooling2d: globalPooling2d,
  global_max_pooling2d: globalPooling2d,
  flatten,
  dense,
  activation,
  dropout,
  spatial_dropout2d: spatialDropout2d,
  batch_normalization: batchNormalization,
  group_normalization: groupNormalization,
  layer_normalization: layerNormalization,
};

/** Problems of a layer that can be told without knowing a shape. */
export function checkLayer(spec: PlainLayerSpec): LayerProblem[] {
  return kindOf(spec).check?.(spec) ?? [];
}

/** A layer's output, weights and memory on an input; or what makes it impossible. Only for layers that passed checkLayer. */
export function outlineLayer(spec: PlainLayerSpec, input: Shape): LayerOutline | LayerProblem[] {
  return kindOf(spec).outline(spec, input);
}

/** The compiler cannot see that a spec and the kind found by its type belong together. */
function kindOf(spec: PlainLayerSpec): LayerKind<PlainLayerSpec['type']> {
  return LAYER_KINDS[spec.type] as unknown as LayerKind<PlainLayerSpec['type']>;
}

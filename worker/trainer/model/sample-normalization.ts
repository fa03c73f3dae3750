// layer_normalization and group_normalization: by mean and population variance within a sample, so training and inference are
// the same and a micro-batch may be cut anywhere.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayerSpecOf } from '../../../lib/contract/layers.js';
import type { LayerPlan } from '../../../lib/model/plan.js';
import type { ForwardPass, LayerForward } from './pass.js';

/** Over the last axis: every pixel's channels. */
export const layerNormalization: LayerForward<'layer_normalization'> = (x, layer, pass) => scaleAndShift(normaliseOver(x, [-1], layer.spec.epsilon), layer, pass);

/** Over all pixels and the channels of a group, which lie side by side. */
export const groupNormalization: LayerForward<'group_normalization'> = (x, layer, pass) => {
  const { groups, epsilon } = layer.spec;
  const channels = layer.inputShape.at(-1)!;
  const pixels = layer.inputShape.slice(0, -1).reduce((product, size) => product * size, 1);
  const x_NPGC = tf.reshape(x, [-1, pixels, groups, channels / groups]);
  return scaleAndShift(tf.reshape(normaliseOver(x_NPGC, [1, 3], epsilon), x.shape), layer, pass);
};

/** (x − mean) / √(variance + ε), both over these axes. */
export function normaliseOver(x: Tensor, axes: number[], epsilon: number): Tensor {
  const centred = tf.sub(x, tf.mean(x, axes, true));
  return tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), axes, true), epsilon)));
}

function scaleAndShift(x: Tensor, { name, spec }: LayerPlan<LayerSpecOf<'layer_normalization' | 'group_normalization'>>, pass: ForwardPass): Tensor {
  const scaled = spec.scale ? tf.mul(x, pass.weight(`${name}/gamma`)) : x;
  return spec.center ? tf.add(scaled, pass.weight(`${name}/beta`)) : scaled;
}

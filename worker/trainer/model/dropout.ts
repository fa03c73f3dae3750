// dropout, inverted: kept values are scaled by 1/(1 − rate). The mask is made on the host from one key a sample
// (lib/training/random.ts), so it depends neither on what was drawn before nor on which samples share a micro-batch.
import tf from '@tensorflow/tfjs-core';
import { dropoutKey, fillDropoutMask } from '../../../lib/training/random.js';
import type { LayerForward } from './pass.js';

export const dropout: LayerForward<'dropout'> = (x, layer, pass) => {
  const { rate } = layer.spec;
  if (!pass.training || rate === 0) return x;
  const { seed, epoch, sampleIds } = pass.samples;
  const mask = fillDropoutMask(dropoutKey(seed, layer.name, epoch), sampleIds, rate, new Float32Array(x.size));
  return tf.mul(x, tf.tensor(mask, x.shape));
};

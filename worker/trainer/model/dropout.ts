// dropout, inverted: kept values are scaled by 1/(1 − rate). The mask comes with the batch, made from one key a sample
// (../masks.ts), so it depends neither on what was drawn before nor on which samples share a micro-batch.
import tf from '@tensorflow/tfjs-core';
import type { LayerForward } from './pass.js';

export const dropout: LayerForward<'dropout'> = (x, layer, pass) => (pass.training && layer.spec.rate > 0 ? tf.mul(x, pass.mask(layer.name)) : x);

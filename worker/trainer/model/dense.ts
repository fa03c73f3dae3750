// dense: kernel [in, units] on flat input.
import tf from '@tensorflow/tfjs-core';
import { biasAndActivation } from './bias-and-activation.js';
import type { LayerForward } from './pass.js';

export const dense: LayerForward<'dense'> = (x, layer, pass) => biasAndActivation(tf.matMul(x, pass.weight(`${layer.name}/kernel`)), layer, pass);

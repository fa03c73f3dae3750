// flatten: [batch, height, width, channels] → [batch, features], row-major.
import tf from '@tensorflow/tfjs-core';
import type { LayerForward } from './pass.js';

export const flatten: LayerForward<'flatten'> = (x, layer) => tf.reshape(x, [-1, ...layer.outputShape]);

// dense: kernel [in, units] on flat input.
import tf from '@tensorflow/tfjs-core';
import { biasAdd } from '../engines/kernels.js';
import { activate } from './activation.js';
import type { LayerForward } from './pass.js';

export const dense: LayerForward<'dense'> = (x, layer, pass) => {
  const { use_bias: useBias, activation } = layer.spec;
  const y_NU = tf.matMul(x, pass.weight(`${layer.name}/kernel`));
  return activate(useBias ? biasAdd(y_NU, pass.weight(`${layer.name}/bias`)) : y_NU, activation);
};

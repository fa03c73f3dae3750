// batch_normalization over the last axis: statistics of each micro-batch, moving statistics once a window.
// A frozen layer runs in inference mode, by its moving statistics, and gathers none.
import type { Initializer } from '../../contract/layers.js';
import { gammaAndBeta, type LayerKind, sizeOf } from './layer.js';

export const batchNormalization: LayerKind<'batch_normalization'> = {
  outline(spec, input) {
    const channels = input.at(-1) ?? 1;
    const moving = (name: string, initializer: Initializer) => ({ name: `${spec.name}/${name}`, shape: [channels], trainable: false, initializer, fanIn: channels, fanOut: channels });
    const weights = [...gammaAndBeta(spec, channels), moving('moving_mean', 'zeros'), moving('moving_variance', 'ones')];
    // the output and the normalised input
    return { outputShape: input, weights, keptFloats: 2 * sizeOf(input) };
  },
};

// batch_normalization over the last axis: statistics of each micro-batch, moving statistics once a window.
// A frozen layer runs in inference mode, by its moving statistics, and gathers none.
import type { Initializer } from '../../contract/spec.js';
import { type LayerKind, sizeOf } from './layer.js';

export const batchNormalization: LayerKind<'batch_normalization'> = {
  outline(spec, input) {
    const channels = input.at(-1) ?? 1;
    const weight = (weightName: string, initializer: Initializer, trainable: boolean) => ({
      name: `${spec.name}/${weightName}`,
      shape: [channels],
      trainable: trainable && spec.trainable,
      initializer,
      fanIn: channels,
      fanOut: channels,
    });
    const weights = [
      ...(spec.scale ? [weight('gamma', 'ones', true)] : []),
      ...(spec.center ? [weight('beta', 'zeros', true)] : []),
      weight('moving_mean', 'zeros', false),
      weight('moving_variance', 'ones', false),
    ];
    // the output and the normalised input
    return { outputShape: input, weights, keptFloats: 2 * sizeOf(input) };
  },
};

// layer_normalization over the last axis: every pixel's channels by their own mean and variance.
import { gammaAndBeta, type LayerKind, sizeOf } from './layer.js';

export const layerNormalization: LayerKind<'layer_normalization'> = {
  // the output, the centred and the normalised input
  outline: (spec, input) => ({ outputShape: input, weights: gammaAndBeta(spec, input.at(-1) ?? 1), keptFloats: 3 * sizeOf(input) }),
};

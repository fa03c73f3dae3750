// spatial_dropout2d: whole channels of a sample are dropped in training; the identity in inference.
import { type LayerKind, sizeOf, spatial } from './layer.js';

export const spatialDropout2d: LayerKind<'spatial_dropout2d'> = {
  outline(spec, input) {
    const space = spatial('spatial_dropout2d', input);
    if (!Array.isArray(space)) return [space];
    // the output and the mask
    return { outputShape: input, weights: [], keptFloats: spec.rate === 0 ? 0 : sizeOf(input) + space[2] };
  },
};

// dropout: a mask of one value an element in training, the identity in inference.
import { type LayerKind, sizeOf } from './layer.js';

export const dropout: LayerKind<'dropout'> = {
  // the output and the mask
  outline: (spec, input) => ({ outputShape: input, weights: [], keptFloats: spec.rate === 0 ? 0 : 2 * sizeOf(input) }),
};

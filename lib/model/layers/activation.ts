// activation: element by element, except softmax, which runs over the last axis.
import { type LayerKind, sizeOf } from './layer.js';

export const activation: LayerKind<'activation'> = {
  outline: (spec, input) => ({ outputShape: input, weights: [], keptFloats: spec.activation === 'linear' ? 0 : sizeOf(input) }),
};

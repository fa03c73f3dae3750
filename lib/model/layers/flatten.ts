// flatten: all features of a sample in one row, row-major.
import { type LayerKind, sizeOf } from './layer.js';

export const flatten: LayerKind<'flatten'> = {
  // a view: nothing is kept
  outline: (_spec, input) => ({ outputShape: [sizeOf(input)], weights: [], keptFloats: 0 }),
};

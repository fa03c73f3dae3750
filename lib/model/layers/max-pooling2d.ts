// max_pooling2d: channels last; padding "same" pads with nothing that could be a maximum.
import { type LayerKind, showShape, sizeOf, spatial } from './layer.js';
import { outputSize } from './sliding-window.js';

export const maxPooling2d: LayerKind<'max_pooling2d'> = {
  outline(spec, input) {
    const space = spatial('max_pooling2d', input);
    if (!Array.isArray(space)) return [space];
    const [height, width, channels] = space;
    const window = (axis: 0 | 1) => ({ size: spec.pool_size[axis], stride: spec.strides[axis], dilation: 1, padding: spec.padding });
    const outputShape = [outputSize(height, window(0)), outputSize(width, window(1)), channels];
    if (Math.min(...outputShape) < 1) {
      return [{ field: 'pool_size', message: `the pool ${showShape(spec.pool_size)} does not fit into the input ${showShape(input)}; use padding "same" or a smaller pool` }];
    }
    return { outputShape, weights: [], keptFloats: sizeOf(outputShape) };
  },
};

// max_pooling2d and average_pooling2d: channels last; padding "same" pads with nothing that counts.
import type { LayerSpecOf } from '../../contract/layers.js';
import type { Shape } from '../plan.js';
import { type LayerOutline, type LayerProblem, showShape, sizeOf, spatial } from './layer.js';
import { outputSize } from './sliding-window.js';

export const pooling2d = {
  outline(spec: LayerSpecOf<'max_pooling2d' | 'average_pooling2d'>, input: Shape): LayerOutline | LayerProblem[] {
    const space = spatial(spec.type, input);
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

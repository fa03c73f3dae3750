// global_average_pooling2d and global_max_pooling2d: one value a channel, [height, width, channels] → [channels].
import type { LayerSpecOf } from '../../contract/layers.js';
import type { Shape } from '../plan.js';
import { type LayerOutline, type LayerProblem, sizeOf, spatial } from './layer.js';

export const globalPooling2d = {
  outline(spec: LayerSpecOf<'global_average_pooling2d' | 'global_max_pooling2d'>, input: Shape): LayerOutline | LayerProblem[] {
    const space = spatial(spec.type, input);
    if (!Array.isArray(space)) return [space];
    const [, , channels] = space;
    // the largest values' places are as many numbers as the input
    return { outputShape: [channels], weights: [], keptFloats: channels + (spec.type === 'global_max_pooling2d' ? sizeOf(input) : 0) };
  },
};

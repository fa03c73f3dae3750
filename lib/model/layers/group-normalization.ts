// group_normalization: every group of neighbouring channels of a sample by its own mean and variance.
import { gammaAndBeta, type LayerKind, sizeOf } from './layer.js';

export const groupNormalization: LayerKind<'group_normalization'> = {
  outline(spec, input) {
    const channels = input.at(-1) ?? 1;
    if (channels % spec.groups !== 0) return [{ field: 'groups', message: `must divide the input's ${channels} channels, got ${spec.groups}` }];
    // the output, the centred and the normalised input
    return { outputShape: input, weights: gammaAndBeta(spec, channels), keptFloats: 3 * sizeOf(input) };
  },
};

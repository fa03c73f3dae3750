// conv2d: channels last, kernel [height, width, in, out].
import { checkDilation, convolved } from './convolution.js';
import { activationFloats, checkConstraint, kernelAndBias, type LayerKind } from './layer.js';

export const conv2d: LayerKind<'conv2d'> = {
  check: (spec) => [...checkConstraint('kernel_constraint', spec.kernel_constraint, 4), ...checkDilation(spec)],
  outline(spec, input) {
    const space = convolved(spec, input);
    if (!Array.isArray(space)) return [space];
    const [height, width, channels] = space;
    const outputs = height * width * spec.filters;
    return {
      outputShape: [height, width, spec.filters],
      weights: kernelAndBias(spec, [...spec.kernel_size, channels, spec.filters]),
      keptFloats: outputs + activationFloats(spec.activation, outputs),
    };
  },
};

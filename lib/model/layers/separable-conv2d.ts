// separable_conv2d: a depthwise convolution, then a convolution of single pixels, which mixes the channels; nothing between
// them. Kernels [height, width, in, multiplier] and [1, 1, in · multiplier, out].
import { checkDilation, checkStrides, convolved } from './convolution.js';
import { activationFloats, bias, checkConstraint, kernel, type LayerKind } from './layer.js';

export const separableConv2d: LayerKind<'separable_conv2d'> = {
  check: (spec) => [
    ...checkConstraint('depthwise_constraint', spec.depthwise_constraint, 4),
    ...checkConstraint('pointwise_constraint', spec.pointwise_constraint, 4),
    ...checkStrides(spec),
    ...checkDilation(spec),
  ],
  outline(spec, input) {
    const space = convolved(spec, input);
    if (!Array.isArray(space)) return [space];
    const [height, width, channels] = space;
    const multiplied = channels * spec.depth_multiplier;
    const outputs = height * width * spec.filters;
    return {
      outputShape: [height, width, spec.filters],
      weights: [
        kernel(spec, 'depthwise_kernel', [...spec.kernel_size, channels, spec.depth_multiplier], { initializer: spec.depthwise_initializer, regularizer: spec.depthwise_regularizer, constraint: spec.depthwise_constraint }),
        kernel(spec, 'pointwise_kernel', [1, 1, multiplied, spec.filters], { initializer: spec.pointwise_initializer, regularizer: spec.pointwise_regularizer, constraint: spec.pointwise_constraint }),
        ...bias(spec, spec.filters),
      ],
      // what lies between the two as well
      keptFloats: height * width * multiplied + outputs + activationFloats(spec.activation, outputs),
    };
  },
};

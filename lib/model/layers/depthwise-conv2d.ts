// depthwise_conv2d: every channel by itself, channels last; kernel [height, width, in, multiplier], channel c's outputs from
// c · multiplier on.
import { checkDilation, checkStrides, convolved } from './convolution.js';
import { activationFloats, checkConstraint, kernelAndBias, type LayerKind } from './layer.js';

export const depthwiseConv2d: LayerKind<'depthwise_conv2d'> = {
  check: (spec) => [...checkConstraint('kernel_constraint', spec.kernel_constraint, 4), ...checkStrides(spec), ...checkDilation(spec)],
  outline(spec, input) {
    const space = convolved(spec, input);
    if (!Array.isArray(space)) return [space];
    const [height, width, channels] = space;
    const multiplied = channels * spec.depth_multiplier;
    const outputs = height * width * multiplied;
    return {
      outputShape: [height, width, multiplied],
      weights: kernelAndBias(spec, [...spec.kernel_size, channels, spec.depth_multiplier], multiplied),
      keptFloats: outputs + activationFloats(spec.activation, outputs),
    };
  },
};

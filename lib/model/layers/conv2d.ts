// conv2d: channels last, kernel [height, width, in, out].
import { activationFloats, checkConstraint, kernelAndBias, type LayerKind, showShape, sizeOf, spatial } from './layer.js';
import { outputSize, spanOf } from './sliding-window.js';

export const conv2d: LayerKind<'conv2d'> = {
  check(spec) {
    const { strides, dilation_rate } = spec;
    const problems = checkConstraint(spec, 4);
    if (Math.max(...strides) === 1 || Math.max(...dilation_rate) === 1) return problems;
    return [...problems, { field: 'dilation_rate', message: `strides ${showShape(strides)} and dilation_rate ${showShape(dilation_rate)} cannot both be larger than 1` }];
  },
  outline(spec, input) {
    const space = spatial('conv2d', input);
    if (!Array.isArray(space)) return [space];
    const [height, width, channels] = space;
    const window = (axis: 0 | 1) => ({ size: spec.kernel_size[axis], stride: spec.strides[axis], dilation: spec.dilation_rate[axis], padding: spec.padding });
    const outputShape = [outputSize(height, window(0)), outputSize(width, window(1)), spec.filters];
    if (Math.min(...outputShape) < 1) {
      const span = [spanOf(window(0)), spanOf(window(1))];
      const dilated = Math.max(...spec.dilation_rate) > 1 ? `, which spans ${showShape(span)} with its dilation` : '';
      return [{ field: 'kernel_size', message: `the kernel ${showShape(spec.kernel_size)}${dilated}, does not fit into the input ${showShape(input)}; use padding "same" or a smaller kernel` }];
    }
    const outputs = sizeOf(outputShape);
    return {
      outputShape,
      weights: kernelAndBias(spec, [...spec.kernel_size, channels, spec.filters]),
      keptFloats: outputs + activationFloats(spec.activation, outputs),
    };
  },
};

// dense: kernel [in, out]. Only on flat input: Keras would apply it to the last axis, which in a CNN is nearly
// always a forgotten flatten.
import { activationFloats, checkConstraint, kernelAndBias, type LayerKind, showShape } from './layer.js';

export const dense: LayerKind<'dense'> = {
  check: (spec) => checkConstraint('kernel_constraint', spec.kernel_constraint, 2),
  outline(spec, input) {
    const [features] = input;
    if (input.length !== 1 || features === undefined) {
      return [{ field: '', message: `dense needs a flat input, but its input is ${showShape(input)}; add a flatten layer before it` }];
    }
    return {
      outputShape: [spec.units],
      weights: kernelAndBias(spec, [features, spec.units]),
      keptFloats: spec.units + activationFloats(spec.activation, spec.units),
    };
  },
};

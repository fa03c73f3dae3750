// The same values under another name, not copied: tensors never change. The package copies, and tfjs clones whatever it
// keeps for a gradient.
import type { Kernels } from './kernel.js';

export const identityKernels: Kernels = {
  Identity({ backend, inputs }) {
    const { dataId, shape, dtype } = inputs.x!;
    backend.incRef(dataId);
    return { dataId, shape, dtype };
  },
};

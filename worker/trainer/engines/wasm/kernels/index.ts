// All kernels that are not the package's own, and their registration over those.
import tf from '@tensorflow/tfjs-core';
import { registerGradients } from '../../kernels.js';
import type { WasmBackend } from '../backend.js';
import type { MemoryGuard } from '../memory-guard.js';
import type { Loops } from '../simd/loops.js';
import { averagePoolingKernels } from './average-pooling.js';
import { batchNormalizationKernels } from './batch-normalization.js';
import { biasKernels } from './bias.js';
import { convolutionKernels } from './convolution.js';
import { crossEntropyKernels } from './cross-entropy.js';
import { depthwiseConvolutionKernels } from './depthwise-convolution.js';
import { identityKernels } from './identity.js';
import type { KernelCall, Kernels } from './kernel.js';
import { matMulKernels } from './mat-mul.js';
import { maxPoolingKernels } from './max-pooling.js';
import { reluKernels } from './relu.js';

/** Changes when a change in this folder or in simd/ may change bits: part of the numerics class. */
export const WASM_KERNEL_SET = 1;

const KERNELS: Kernels = {
  ...averagePoolingKernels,
  ...batchNormalizationKernels,
  ...biasKernels,
  ...convolutionKernels,
  ...crossEntropyKernels,
  ...depthwiseConvolutionKernels,
  ...identityKernels,
  ...matMulKernels,
  ...maxPoolingKernels,
  ...reluKernels,
};

/** Once a process, after the backend was made active. Every kernel, the package's too, is all or nothing from then on. */
export function registerWasmKernels({ guarded }: MemoryGuard, loops: Loops): void {
  registerGradients();
  for (const config of tf.getKernelsForBackend('wasm')) {
    tf.unregisterKernel(config.kernelName, 'wasm');
    if (!(config.kernelName in KERNELS)) tf.registerKernel({ ...config, kernelFunc: guarded(config.kernelFunc) });
  }
  for (const [kernelName, kernel] of Object.entries(KERNELS)) {
    const kernelFunc = guarded(({ inputs, backend, attrs = {} }) => kernel({ inputs: inputs as KernelCall['inputs'], backend: backend as WasmBackend, attrs, loops }));
    tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc });
  }
}

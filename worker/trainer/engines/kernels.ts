// Native TensorFlow kernels that tfjs lacks, registered in tfjs's own registry together with their gradients: a bias,
// the gradient of relu, the fused softmax cross-entropy and batch normalization by batch statistics. Each replaces
// several eager calls by one, and an eager call costs more than its arithmetic.
import tf from '@tensorflow/tfjs-core';
import type { NamedAttrMap, NamedTensorMap, Tensor, TensorInfo } from '@tensorflow/tfjs-core';

/** Changes when a change here, in model/ or in optimizers/ may change bits: part of the numerics class. */
export const KERNEL_SET = 1;

/** What is used of tfjs-node's backend; its own types hide it. */
export interface NodeBackend {
  isUsingGpuDevice: boolean;
  binding: {
    TF_Version: string;
    TF_ATTR_TYPE: number;
    TF_ATTR_FLOAT: number;
    TF_ATTR_BOOL: number;
    TF_ATTR_STRING: number;
    TF_FLOAT: number;
    getNumOfTensors(): number;
  };
  executeSingleOutput(name: string, attributes: OpAttribute[], inputs: TensorInfo[]): Tensor;
  executeMultipleOutputs(name: string, attributes: OpAttribute[], inputs: TensorInfo[], outputs: number): Tensor[];
}
interface OpAttribute {
  name: string;
  type: number;
  value: number | boolean | string;
}

export const nodeBackend = (): NodeBackend => tf.backend() as unknown as NodeBackend;

const runOne = (kernel: string, inputs: NamedTensorMap, attributes: NamedAttrMap = {}) => tf.engine().runKernel<Tensor>(kernel, inputs, attributes);
const runMany = (kernel: string, inputs: NamedTensorMap, attributes: NamedAttrMap = {}) => tf.engine().runKernel<Tensor[]>(kernel, inputs, attributes);

/** x[…, c] + bias[c] */
export const biasAdd = <T extends Tensor>(x: T, bias_C: Tensor): T => runOne('BiasAdd', { x, bias: bias_C }) as T;

/** ℓ[n] = −Σₖ labels[n,k] · log softmax(logits)[n,k]; its gradient, softmax − labels, comes out of the same call. */
export function softmaxCrossEntropy(logits_NK: Tensor, labels_NK: Tensor): Tensor {
  return runMany('SoftmaxCrossEntropyWithLogits', { logits: logits_NK, labels: labels_NK })[0]!;
}

/** Normalises by the statistics of this batch. `variance` is the unbiased one: Σ(x−mean)²/(n−1), 0 for n = 1. */
export function batchNormTraining(x_NHWC: Tensor, gamma_C: Tensor, beta_C: Tensor, epsilon: number): { y: Tensor; mean_C: Tensor; variance_C: Tensor } {
  const [y, mean_C, variance_C] = runMany('FusedBatchNormV3', { x: x_NHWC, scale: gamma_C, offset: beta_C }, { epsilon, isTraining: true }) as [Tensor, Tensor, Tensor];
  return { y, mean_C, variance_C };
}

const attribute = {
  type: (backend: NodeBackend, name = 'T'): OpAttribute => ({ name, type: backend.binding.TF_ATTR_TYPE, value: backend.binding.TF_FLOAT }),
  float: (backend: NodeBackend, name: string, value: number): OpAttribute => ({ name, type: backend.binding.TF_ATTR_FLOAT, value }),
  bool: (backend: NodeBackend, name: string, value: boolean): OpAttribute => ({ name, type: backend.binding.TF_ATTR_BOOL, value }),
  string: (backend: NodeBackend, name: string, value: string): OpAttribute => ({ name, type: backend.binding.TF_ATTR_STRING, value }),
};

/** Registers a kernel whose TensorFlow operation takes float tensors in this order. */
function register(kernelName: string, inputs: readonly string[], outputs: number, attributes: (backend: NodeBackend, attrs: NamedAttrMap) => OpAttribute[] = () => []): void {
  tf.registerKernel({
    kernelName,
    backendName: 'tensorflow',
    kernelFunc: ({ inputs: given, backend, attrs = {} }) => {
      const node = backend as NodeBackend;
      const operands = inputs.map((name) => given[name] as TensorInfo);
      const all = [attribute.type(node), ...attributes(node, attrs)];
      return outputs === 1 ? node.executeSingleOutput(kernelName, all, operands) : node.executeMultipleOutputs(kernelName, all, operands, outputs);
    },
  });
}

/** Once a process, after the backend was loaded. */
export function registerNativeKernels(): void {
  if (tf.getKernel('BiasAdd', 'tensorflow')) return;

  register('BiasAdd', ['x', 'bias'], 1);
  register('BiasAddGrad', ['dy'], 1);
  tf.registerGradient({ kernelName: 'BiasAdd', // a clone: tfjs disposes of a gradient that it adds to another one
  gradFunc: (dy) => ({ x: () => tf.clone(dy as Tensor), bias: () => runOne('BiasAddGrad', { dy: dy as Tensor }) }) });

  // tfjs composes this gradient of five operations
  register('ReluGrad', ['dy', 'y'], 1);
  tf.unregisterGradient('Relu');
  tf.registerGradient({ kernelName: 'Relu', outputsToSave: [true], gradFunc: (dy, [y]) => ({ x: () => runOne('ReluGrad', { dy: dy as Tensor, y: y! }) }) });

  register('SoftmaxCrossEntropyWithLogits', ['logits', 'labels'], 2);
  tf.registerGradient({
    kernelName: 'SoftmaxCrossEntropyWithLogits',
    outputsToSave: [false, true],
    // the loss has no gradient to labels: they are data
    gradFunc: (dys, [difference_NK]) => ({ logits: () => tf.mul(tf.reshape((dys as Tensor[])[0]!, [-1, 1]), difference_NK!) }),
  });

  const batchNormAttributes = (node: NodeBackend, attrs: NamedAttrMap): OpAttribute[] => [
    attribute.type(node, 'U'),
    attribute.float(node, 'epsilon', attrs.epsilon as number),
    attribute.string(node, 'data_format', 'NHWC'),
    attribute.bool(node, 'is_training', true),
  ];
  registerBatchNorm(batchNormAttributes);
}

function registerBatchNorm(attributes: (node: NodeBackend, attrs: NamedAttrMap) => OpAttribute[]): void {
  tf.registerKernel({
    kernelName: 'FusedBatchNormV3',
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, backend, attrs = {} }) => {
      const node = backend as NodeBackend;
      // the operation's own running averages are not used: training hands it empty ones
      const none = tf.tensor1d([], 'float32');
      const { x, scale, offset } = inputs as NamedTensorMap;
      const outputs = node.executeMultipleOutputs('FusedBatchNormV3', [attribute.type(node), ...attributes(node, attrs)], [x!, scale!, offset!, none, none], 6);
      none.dispose();
      return outputs;
    },
  });
  register('FusedBatchNormGradV3', ['dy', 'x', 'scale', 'r1', 'r2', 'r3'], 5, attributes);
  tf.registerGradient({
    kernelName: 'FusedBatchNormV3',
    inputsToSave: ['x', 'scale'],
    outputsToSave: [false, false, false, true, true, true],
    gradFunc: (dys, [x, scale, r1, r2, r3], attrs) => {
      const [dx, dscale, doffset] = runMany('FusedBatchNormGradV3', { dy: (dys as Tensor[])[0]!, x: x!, scale: scale!, r1: r1!, r2: r2!, r3: r3! }, attrs) as [Tensor, Tensor, Tensor];
      return { x: () => dx, scale: () => dscale, offset: () => doffset };
    },
  });
}

// Operations that tfjs lacks: a bias, the gradient of relu, the fused softmax cross-entropy and batch normalization by
// batch statistics. Each replaces several eager calls by one, and an eager call costs more than its arithmetic. The
// functions and their gradients are every engine's; below them, TensorFlow's own kernels for them (wasm's: wasm/kernels/).
import tf from '@tensorflow/tfjs-core';
import type { GradConfig, NamedAttrMap, NamedTensorMap, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import type { NodeBackend, OpAttribute } from './node-backend.js';

/** Changes when a change here, in model/ or in optimizers/ may change bits: part of the numerics class. */
export const KERNEL_SET = 1;

const runOne = (kernel: string, inputs: NamedTensorMap, attributes: NamedAttrMap = {}) => tf.engine().runKernel<Tensor>(kernel, inputs, attributes);
const runMany = (kernel: string, inputs: NamedTensorMap, attributes: NamedAttrMap = {}) => tf.engine().runKernel<Tensor[]>(kernel, inputs, attributes);

/** x[…, c] + bias[c] */
export const biasAdd = <T extends Tensor>(x: T, bias_C: Tensor): T => runOne('BiasAdd', { x, bias: bias_C }) as T;

/** ℓ[n] = −Σₖ labels[n,k] · log softmax(logits)[n,k]; its gradient, softmax − labels, comes out of the same call. */
export function softmaxCrossEntropy(logits_NK: Tensor, labels_NK: Tensor): Tensor {
  return runMany('SoftmaxCrossEntropyWithLogits', { logits: logits_NK, labels: labels_NK })[0]!;
}

/** −labels·log σ(x) − (1 − labels)·log(1 − σ(x)) of each element, without overflow; its gradient is σ(x) − labels. No gradient to the labels. */
export const sigmoidCrossEntropy = (logits: Tensor, labels: Tensor): Tensor =>
  tf.customGrad((...given) => {
    const [x, save] = given as unknown as [Tensor, (tensors: Tensor[]) => void];
    save([x, labels]);
    const value = tf.add(tf.sub(tf.relu(x), tf.mul(x, labels)), tf.log1p(tf.exp(tf.neg(tf.abs(x)))));
    return { value, gradFunc: (dy: Tensor, [logits, targets]: Tensor[]) => tf.mul(dy, tf.sub(tf.sigmoid(logits!), targets!)) };
  })(logits);

/** Normalises by the statistics of this batch. `variance` is the unbiased one: Σ(x−mean)²/(n−1), 0 for n = 1. */
export function batchNormTraining(x_NHWC: Tensor, gamma_C: Tensor, beta_C: Tensor, epsilon: number): { y: Tensor; mean_C: Tensor; variance_C: Tensor } {
  // the operation can keep running averages; empty ones say that it shall not
  const none = tf.tensor1d([], 'float32');
  const [y, mean_C, variance_C] = runMany('FusedBatchNormV3', { x: x_NHWC, scale: gamma_C, offset: beta_C, mean: none, variance: none }, { epsilon }) as [Tensor, Tensor, Tensor];
  return { y, mean_C, variance_C };
}

/** Once a process: tfjs knows gradients by the kernel's name alone, whatever the backend. */
export function registerGradients(): void {
  if (tf.getGradient('BiasAdd')) return;

  registerGradient('BiasAdd', {}, ([dy]) => ({
    // a clone: tfjs disposes of a gradient that it adds to another one
    x: () => tf.clone(dy),
    bias: () => runOne('BiasAddGrad', { dy }),
  }));

  // tfjs composes this gradient of five operations
  tf.unregisterGradient('Relu');
  registerGradient('Relu', { outputsToSave: [true] }, ([dy], [y]) => ({ x: () => runOne('ReluGrad', { dy, y: y! }) }));

  // no gradient to the labels: they are data
  registerGradient('SoftmaxCrossEntropyWithLogits', { outputsToSave: [false, true] }, ([dloss_N], [difference_NK]) => ({
    logits: () => tf.mul(tf.reshape(dloss_N, [-1, 1]), difference_NK!),
  }));

  // y, mean, variance, and three tensors that only its gradient understands
  registerGradient('FusedBatchNormV3', { inputsToSave: ['x', 'scale'], outputsToSave: [false, false, false, true, true, true] }, ([dy], [x, scale, r1, r2, r3], attrs) => {
    const [dx, dscale, doffset] = runMany('FusedBatchNormGradV3', { dy, x: x!, scale: scale!, r1: r1!, r2: r2!, r3: r3! }, attrs) as [Tensor, Tensor, Tensor];
    return { x: () => dx, scale: () => dscale, offset: () => doffset };
  });
}

/** TensorFlow's kernels and the gradients; once a process, after the backend was loaded. */
export function registerNativeKernels(): void {
  registerGradients();
  if (tf.getKernel('BiasAdd', 'tensorflow')) return;
  registerKernel('BiasAdd', ['x', 'bias'], 1);
  registerKernel('BiasAddGrad', ['dy'], 1);
  registerKernel('ReluGrad', ['dy', 'y'], 1);
  registerKernel('SoftmaxCrossEntropyWithLogits', ['logits', 'labels'], 2);
  registerKernel('FusedBatchNormV3', ['x', 'scale', 'offset', 'mean', 'variance'], 6, batchNormAttributes);
  registerKernel('FusedBatchNormGradV3', ['dy', 'x', 'scale', 'r1', 'r2', 'r3'], 5, batchNormAttributes);
}

const typeAttribute = ({ binding }: NodeBackend, name: string): OpAttribute => ({ name, type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT });

const batchNormAttributes = (backend: NodeBackend, attrs: NamedAttrMap): OpAttribute[] => [
  typeAttribute(backend, 'U'),
  { name: 'epsilon', type: backend.binding.TF_ATTR_FLOAT, value: attrs.epsilon as number },
  { name: 'data_format', type: backend.binding.TF_ATTR_STRING, value: 'NHWC' },
  { name: 'is_training', type: backend.binding.TF_ATTR_BOOL, value: true },
];

/** A kernel for TensorFlow of the name of its operation, which takes these inputs in this order, all of them floats. */
function registerKernel(kernelName: string, inputNames: readonly string[], outputs: number, attributes: (backend: NodeBackend, attrs: NamedAttrMap) => OpAttribute[] = () => []): void {
  tf.registerKernel({
    kernelName,
    backendName: 'tensorflow',
    kernelFunc: ({ inputs, backend, attrs = {} }) => {
      const node = backend as NodeBackend;
      const operands = inputNames.map((name) => inputs[name] as TensorInfo);
      const all = [typeAttribute(node, 'T'), ...attributes(node, attrs)];
      return outputs === 1 ? node.executeSingleOutput(kernelName, all, operands) : node.executeMultipleOutputs(kernelName, all, operands, outputs);
    },
  });
}

/** The gradient of a kernel to some of its inputs, from the gradients of its outputs and what was saved: inputs first, then outputs. */
function registerGradient(
  kernelName: string,
  saved: Pick<GradConfig, 'inputsToSave' | 'outputsToSave'>,
  gradient: (dys: [Tensor, ...Tensor[]], saved: Tensor[], attrs: NamedAttrMap) => Record<string, () => Tensor>,
): void {
  tf.registerGradient({ kernelName, ...saved, gradFunc: (dy, kept, attrs) => gradient(Array.isArray(dy) ? (dy as [Tensor, ...Tensor[]]) : [dy], kept, attrs) });
}

// The computation of one micro-batch as a function of tensors: forward, loss, gradient and batch statistics. It touches
// nothing of the state and reads nothing to the host, so an engine may run it or compile it.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { predictedClasses, ranksOfLabels, sampleLosses } from '../model/loss.js';
import type { Network } from '../model/network.js';
import type { ForwardPass, Statistics } from '../model/pass.js';
import type { Column } from './batch-row.js';
import type { Program } from './index.js';

export interface MicroBatchInputs {
  /** [samples, height, width, channels] */
  x_NHWC: Tensor;
  /** Rows of class weights, [samples, classes]. */
  labels_NK: Tensor;
  weight: ForwardPass['weight'];
  mask: ForwardPass['mask'];
}

export interface Inference {
  /** Those of columnsOf, by name: a float of every sample, [samples]. */
  columns: Map<Column, Tensor>;
}

export interface MicroBatch extends Inference {
  /** Of Σℓ / batch_size (reduction `sample`) or of the mean (`batch`), by weight. */
  gradients: Map<string, Tensor>;
  /** Of the layers that gather them. */
  statistics: Map<string, Statistics>;
}

/** Tensors belong to the caller's scope. `trainable` are the weights to differentiate by. */
export function microBatch(inputs: MicroBatchInputs, program: Program, network: Network, trainable: readonly string[]): MicroBatch {
  const samples = inputs.x_NHWC.shape[0];
  // made inside the forward's own tidy, so they are kept by hand
  const observed = new Map<string, Statistics>();
  const judged = new Map<Column, Tensor>();
  const forward = (): Tensor => {
    const output_NK = network.forward(inputs.x_NHWC, {
      training: true,
      weight: inputs.weight,
      mask: inputs.mask,
      observe: (layer, { mean_C, m2_C }) => observed.set(layer, { mean_C: tf.keep(mean_C), m2_C: tf.keep(m2_C) }),
    });
    for (const [column, tensor_N] of judge(output_NK, inputs.labels_NK, program, network)) judged.set(column, tf.keep(tensor_N));
    return sampleLosses(output_NK, inputs.labels_NK, program.loss, network.output);
  };
  // `sample` divides a ragged micro-batch by the full size too: its samples weigh as much as any other
  const denominator = program.reduction === 'sample' ? program.lossDenominator : samples;
  const dloss_N = tf.tensor1d(new Float32Array(samples).fill(1 / denominator));
  try {
    const { value: losses_N, grads } = tf.engine().gradients(forward, trainable.map(inputs.weight), dloss_N);
    return {
      columns: new Map([['losses', losses_N], ...[...judged].map(([column, tensor_N]): [Column, Tensor] => [column, tf.clone(tensor_N)])]),
      gradients: new Map(trainable.map((name, index) => [name, grads[index]!])),
      statistics: new Map([...observed].map(([layer, { mean_C, m2_C }]) => [layer, { mean_C: tf.clone(mean_C), m2_C: tf.clone(m2_C) }])),
    };
  } finally {
    tf.dispose([...judged.values()]);
    for (const { mean_C, m2_C } of observed.values()) tf.dispose([mean_C, m2_C]);
  }
}

/** The columns beside the losses: no gradient goes through them. */
function judge(output_NK: Tensor, labels_NK: Tensor, { topK }: Program, network: Network): [Column, Tensor][] {
  return [['predicted', predictedClasses(output_NK, network.output)], ...(topK === null ? [] : [['ranks', ranksOfLabels(output_NK, labels_NK)] as [Column, Tensor]])];
}

/** Loss and predictions in inference mode. */
export function inference({ x_NHWC, labels_NK, weight, mask }: MicroBatchInputs, program: Program, network: Network): Inference {
  const output_NK = network.forward(x_NHWC, { training: false, weight, mask, observe: () => undefined });
  return { columns: new Map([['losses', sampleLosses(output_NK, labels_NK, program.loss, network.output)], ...judge(output_NK, labels_NK, program, network)]) };
}

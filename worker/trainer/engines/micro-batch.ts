// One micro-batch: forward, loss, gradient and batch statistics, and the one small tensor that is read back to the host:
// every sample's loss and predicted class, and what tells whether all of it is finite. Touches nothing of the state.
import tf from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { predictedClasses, sampleLosses } from '../model/loss.js';
import type { Network } from '../model/network.js';
import type { BatchStatistics, ForwardPass } from '../model/pass.js';
import type { Batch, BatchRow, Program } from './index.js';
import { isFiniteWithSum } from './finite.js';
import { inScope } from './scope.js';

export interface MicroBatch {
  row: BatchRow;
  /** Of Σℓ / batch_size (reduction `sample`) or of the mean (`batch`), in the order of the weights asked for. */
  gradients: Tensor[];
  /** By layer. */
  statistics: Map<string, BatchStatistics>;
}

type WeightOf = ForwardPass['weight'];

/** Its tensors belong to the caller's scope. `trainable` are the weights to differentiate by. */
export function runMicroBatch(batch: Batch, program: Program, network: Network, weightOf: WeightOf, trainable: readonly string[]): MicroBatch {
  const { x_NHWC, labels_NK } = upload(batch, program);
  // made inside the forward's own tidy, so they are kept by hand
  const observed = new Map<string, BatchStatistics>();
  const predicted: Tensor[] = [];
  const forward = (): Tensor => {
    const output_NK = network.forward(x_NHWC, {
      training: true,
      weight: weightOf,
      samples: { seed: program.seed, epoch: batch.epoch, sampleIds: batch.sampleIds },
      observe: (layer, { count, mean_C, m2_C }) => observed.set(layer, { count, mean_C: tf.keep(mean_C), m2_C: tf.keep(m2_C) }),
    });
    predicted.push(tf.keep(predictedClasses(output_NK)));
    return sampleLosses(output_NK, labels_NK, program.loss, network.output);
  };
  // `sample` divides a ragged micro-batch by the full size too: its samples weigh as much as any other
  const denominator = program.reduction === 'sample' ? program.batchSize : batch.samples;
  const dloss_N = tf.tensor1d(new Float32Array(batch.samples).fill(1 / denominator));
  try {
    const { value: losses_N, grads: gradients } = tf.engine().gradients(forward, trainable.map(weightOf), dloss_N);
    const statistics = new Map([...observed].map(([layer, { count, mean_C, m2_C }]) => [layer, { count, mean_C: tf.clone(mean_C), m2_C: tf.clone(m2_C) }]));
    const suspects = [...gradients, ...[...statistics.values()].flatMap(({ mean_C, m2_C }) => [mean_C, m2_C])];
    return { row: readRow(losses_N, predicted[0]!, suspects, batch, program), gradients, statistics };
  } finally {
    tf.dispose(predicted);
    for (const { mean_C, m2_C } of observed.values()) tf.dispose([mean_C, m2_C]);
  }
}

/** Loss and correctness in inference mode. */
export function evaluateBatch(batch: Batch, program: Program, network: Network, weightOf: WeightOf): BatchRow {
  return inScope(() => {
    const { x_NHWC, labels_NK } = upload(batch, program);
    const output_NK = network.forward(x_NHWC, {
      training: false,
      weight: weightOf,
      samples: { seed: program.seed, epoch: batch.epoch, sampleIds: batch.sampleIds },
      observe: () => undefined,
    });
    return readRow(sampleLosses(output_NK, labels_NK, program.loss, network.output), predictedClasses(output_NK), [], batch, program);
  });
}

/** TensorFlow adopts the batch's buffers: they are never touched again. */
function upload(batch: Batch, program: Program): { x_NHWC: Tensor; labels_NK: Tensor2D } {
  return {
    x_NHWC: tf.tensor(batch.x, [batch.samples, ...program.plan.inputShape]),
    labels_NK: tf.tensor2d(batch.y, [batch.samples, batch.y.length / batch.samples]),
  };
}

/** One read from the device. Sums over samples are made here, in float64 and in the samples' order. */
function readRow(losses_N: Tensor, predicted_N: Tensor, suspects: readonly Tensor[], { y, samples }: Batch, program: Program): BatchRow {
  const parts = [losses_N, predicted_N];
  if (suspects.length > 0) parts.push(tf.stack(suspects.map((suspect) => tf.sum(suspect))));
  const values = tf.concat(parts as Tensor1D[]).dataSync();
  const classes = y.length / samples;
  let loss = 0;
  let correct = 0;
  for (let sample = 0; sample < samples; sample++) {
    loss += values[sample]!;
    if (values[samples + sample] === largestLabel(y, sample * classes, classes)) correct += 1;
  }
  const finite = Number.isFinite(loss) && suspects.every((suspect, index) => isFiniteWithSum(suspect, values[2 * samples + index]!));
  return { samples, loss: program.reduction === 'sample' ? loss : loss / samples, correct, finite };
}

/** The class of the largest label, the first of equals. */
function largestLabel(y: Float32Array, start: number, classes: number): number {
  let largest = 0;
  for (let label = 1; label < classes; label++) {
    if (y[start + label]! > y[start + largest]!) largest = label;
  }
  return largest;
}

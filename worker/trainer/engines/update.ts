// One update: divide the accumulated gradient, check it, decay the weights, let the optimizer step, move the moving
// statistics. A gradient that is not finite changes nothing. Emptying the window is the caller's.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { accumulatorName, gathersStatistics, slotName, slotNames } from '../../../lib/model/slots.js';
import { moveAverage, varianceOf } from '../model/statistics.js';
import { optimizerRule } from '../optimizers/index.js';
import type { Program, UpdateResult, UpdateScalars } from './index.js';
import { isFiniteWithSum } from './finite.js';
import type { TensorStore } from './tensor-store.js';
import { windowStatistics } from './window.js';

/** Inside the caller's scope. */
export function applyUpdate(store: TensorStore, program: Program, trainable: readonly string[], { update, divisor, learningRate }: UpdateScalars): UpdateResult {
  // one true division: n·g/(n·k) and g·(1/k) are other bits; x/1 is x
  const gradients = trainable.map((name) => {
    const sum = store.get(accumulatorName(name));
    return divisor === 1 ? sum : tf.div(sum, divisor);
  });
  const { gradNorm, finite } = readNorm(gradients);
  if (!finite) return { gradNorm, regularization: 0, finite };

  const step = optimizerRule(program.optimizer, { update, learningRate });
  const slots = slotNames(program.optimizer);
  for (const [index, name] of trainable.entries()) {
    const before = Object.fromEntries(slots.map((slot) => [slot, store.get(slotName(name, slot))]));
    const next = step(store.get(name), gradients[index]!, before);
    store.put(name, next.weight);
    for (const slot of slots) store.put(slotName(name, slot), next.slots[slot]!);
  }
  for (const layer of program.plan.layers) {
    if (layer.spec.type !== 'batch_normalization' || !gathersStatistics(layer)) continue;
    const { momentum } = layer.spec;
    const statistics = windowStatistics(store, layer.name);
    move(store, `${layer.name}/moving_mean`, statistics.mean_C, momentum);
    move(store, `${layer.name}/moving_variance`, varianceOf(statistics), momentum);
  }
  return { gradNorm, regularization: 0, finite };
}

function move(store: TensorStore, name: string, value_C: Tensor, momentum: number): void {
  store.put(name, moveAverage(store.get(name), value_C, momentum));
}

/** The global norm, added up in float64 from each weight's float32 sum of squares; and whether every element is finite. */
function readNorm(gradients: readonly Tensor[]): { gradNorm: number; finite: boolean } {
  const squares = tf.stack(gradients.map((gradient) => tf.sum(tf.square(gradient)))).dataSync() as Float32Array;
  const gradNorm = Math.sqrt(squares.reduce((total, square) => total + square, 0));
  return { gradNorm, finite: gradients.every((gradient, index) => isFiniteWithSum(gradient, squares[index]!)) };
}

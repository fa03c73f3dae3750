// What the host makes of a micro-batch's results: sums over its samples, in float64 and in the samples' order.
import type { Batch, BatchRow, Program } from './index.js';

/** @param losses ℓ of each sample @param predicted the predicted class of each */
export function batchRow(losses: ArrayLike<number>, predicted: ArrayLike<number>, { y, samples }: Batch, reduction: Program['reduction']): BatchRow {
  const classes = y.length / samples;
  let loss = 0;
  let correct = 0;
  for (let sample = 0; sample < samples; sample++) {
    loss += losses[sample]!;
    if (predicted[sample] === largestLabel(y, sample * classes, classes)) correct += 1;
  }
  return { samples, loss: reduction === 'sample' ? loss : loss / samples, correct };
}

/** The class of the largest label, the first of equals. */
function largestLabel(y: Float32Array, start: number, classes: number): number {
  let largest = 0;
  for (let label = 1; label < classes; label++) {
    if (y[start + label]! > y[start + largest]!) largest = label;
  }
  return largest;
}

// What the host makes of a micro-batch's results: sums over its samples, in float64 and in the samples' order.
import type { Batch, BatchRow, Program } from './index.js';

/** Results of a micro-batch with one number a sample, in this order: ℓ, the predicted class, and where it is asked for how many outputs are above that of the label's class. */
export const columnsOf = ({ topK }: Pick<Program, 'topK'>): readonly Column[] => (topK === null ? ['losses', 'predicted'] : ['losses', 'predicted', 'ranks']);
export type Column = 'losses' | 'predicted' | 'ranks';

/** An evaluation weighs every sample alike, as Keras's `evaluate` does, whatever the windows' reduction is. */
export const ofEvaluation = ({ topK }: Pick<Program, 'topK'>): Pick<Program, 'reduction' | 'topK'> => ({ reduction: 'sample', topK });

/** @param columns one after another, each of the batch's samples */
export function batchRow(columns: Float32Array, { y, samples }: Batch, { reduction, topK }: Pick<Program, 'reduction' | 'topK'>): BatchRow {
  const width = y.length / samples;
  let loss = 0;
  let correct = 0;
  let topKCorrect = 0;
  for (let sample = 0; sample < samples; sample++) {
    loss += columns[sample]!;
    if (columns[samples + sample] === labelOf(y, sample * width, width)) correct += 1;
    if (topK !== null && columns[2 * samples + sample]! < topK) topKCorrect += 1;
  }
  return { samples, loss: reduction === 'sample' ? loss : loss / samples, correct, top_k_correct: topKCorrect };
}

/** The class of the largest label, the first of equals; of a single label, whether it is the likelier one. */
function labelOf(y: Float32Array, start: number, width: number): number {
  if (width === 1) return y[start]! > 0.5 ? 1 : 0;
  let largest = 0;
  for (let label = 1; label < width; label++) {
    if (y[start + label]! > y[start + largest]!) largest = label;
  }
  return largest;
}

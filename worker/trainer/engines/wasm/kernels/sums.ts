// Sums over rows, a channel at a time: in float32 over a block of rows, in float64 over the blocks. A single float32 sum
// over all the pixels of a batch would lose four digits.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressOf, floats, makeFloats, type KernelCall } from './kernel.js';

export const BLOCK_ROWS = 256;

/** @param add adds `rows` rows, from row `first` on, to the channels' sums at `sums` */
export function sumByBlocks({ backend }: Pick<KernelCall, 'backend'>, rows: number, channels: number, add: (first: number, rows: number, sums: number) => void): Float64Array {
  const totals = new Float64Array(channels);
  const block = makeFloats(backend, [channels]);
  const view = floats(backend, block);
  for (let first = 0; first < rows; first += BLOCK_ROWS) {
    view.fill(0);
    add(first, Math.min(BLOCK_ROWS, rows - first), addressOf(backend, block));
    for (let channel = 0; channel < channels; channel++) totals[channel]! += view[channel]!;
  }
  backend.disposeData(block.dataId);
  return totals;
}

/** Σ over all but the last axis. */
export function sumRows({ backend, loops }: KernelCall, x: TensorInfo): Float64Array {
  const channels = x.shape.at(-1)!;
  const start = addressOf(backend, x);
  const rows = x.shape.slice(0, -1).reduce((product, size) => product * size, 1);
  return sumByBlocks({ backend }, rows, channels, (first, count, sums) => loops.sumRows(start + 4 * first * channels, sums, count, channels));
}

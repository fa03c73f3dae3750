// Weights packed for `multiply`: tiles of columns one after another, in each of them one row of the tile after another.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { TILE_COLUMNS } from '../simd/products.js';
import { addressOf, makeFloats, type KernelCall } from './kernel.js';

/** A matrix somewhere in the heap: rows in `runs` runs of `run` rows each. Steps and pitches are in bytes and may be negative. */
export interface Matrix {
  from: number;
  runs: number;
  runPitch: number;
  run: number;
  step: number;
  columns: number;
  columnStep: number;
}

export function packColumns({ backend, loops }: Pick<KernelCall, 'backend' | 'loops'>, { from, runs, runPitch, run, step, columns, columnStep }: Matrix): TensorInfo {
  const packed = makeFloats(backend, [runs * run * columns]);
  let to = addressOf(backend, packed);
  let column = 0;
  for (const width of TILE_COLUMNS) {
    for (; columns - column >= width; column += width) {
      for (let index = 0; index < runs; index++, to += 4 * run * width) loops.pack(from + index * runPitch + column * columnStep, step, columnStep, run, width, to);
    }
  }
  return packed;
}

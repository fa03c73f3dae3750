// A program whose micro-batches are larger than memory: each is computed in slices, one after another, whose gradients add up
// to the micro-batch's. Other additions than those of the whole, so another numerics class (`numerics: "fast"`); the loop,
// its cursor and every checkpoint know micro-batches only.
import type { Masks } from '../masks.js';
import { runEach } from './each-window.js';
import { addMicroBatch, emptySums } from '../../../lib/training/window.js';
import type { Batch, BatchRow, CompiledProgram, Program, Window } from './index.js';
import { layersWithStatistics } from './update.js';

/** Why micro-batches of this program cannot be computed in slices; null if they can. */
export function whyNoSlices({ plan, reduction }: Pick<Program, 'plan' | 'reduction'>): string | null {
  if (reduction !== 'sample') return `the reduction "${reduction}" is over whole micro-batches`;
  const [layer] = layersWithStatistics(plan);
  return layer === undefined ? null : `the layer "${layer.name}" takes its statistics over whole micro-batches`;
}

/** Samples in a slice: equal slices, but for the last. */
export const sliceSize = (batchSize: number, parts: number): number => Math.ceil(batchSize / parts);

/** The sizes of the batches that this many samples make. */
export function batchSizes(samples: number, batchSize: number): number[] {
  const ragged = samples % batchSize;
  return [...(samples >= batchSize ? [batchSize] : []), ...(ragged > 0 ? [ragged] : [])];
}

/** The program with slices in place of micro-batches. */
export function slicedProgram(program: Program, parts: number): Program {
  const size = sliceSize(program.batchSize, parts);
  const sizesOf = (sizes: readonly number[]): number[] => [...new Set(sizes.flatMap((samples) => batchSizes(samples, size)))];
  return { ...program, batchSize: size, accumIters: program.accumIters * parts, sizes: { training: sizesOf(program.sizes.training), evaluation: sizesOf(program.sizes.evaluation) } };
}

/**
 * Micro-batches on a program that was compiled for slices of `size` samples.
 * @param parts slices of a full micro-batch
 */
export function joinSlices(compiled: CompiledProgram, size: number, parts: number): CompiledProgram {
  const joinedProgram = Object.create(compiled, {
    windowLimit: { value: 1 },
    runWindows: { value: (windows: readonly Window[]) => runEach(windows, joinedProgram.runBlock) },
    blockLimit: { get: () => Math.max(1, Math.floor(compiled.blockLimit / parts)) },
    runBlock: {
      value(...[batches, update]: Parameters<CompiledProgram['runBlock']>) {
        const slices = batches.map((batch) => slicesOf(batch, size));
        const all = slices.flat();
        const result = compiled.runBlock(all, update);
        const ofSlices = [...result.rows];
        const rows: BatchRow[] = [];
        for (let index = 0, from = 0; index < slices.length && from < ofSlices.length; index++) {
          const to = from + slices[index]!.length;
          // what is not finite may end the block inside a micro-batch; that one is executed to its end, for its row
          while (ofSlices.length < to) {
            compiled.dropWindow();
            ofSlices.push(...compiled.runBlock(all.slice(ofSlices.length, to), null).rows);
          }
          rows.push(joined(ofSlices.slice(from, to)));
          from = to;
        }
        return { ...result, rows };
      },
    },
    evaluate: { value: (batch: Batch) => joined(slicesOf(batch, size).map((slice) => compiled.evaluate(slice))) },
  }) as CompiledProgram;
  return joinedProgram;
}

function slicesOf({ x, y, samples, masks }: Batch, size: number): Batch[] {
  const [pixels, classes] = [x.length / samples, y.length / samples];
  const slices: Batch[] = [];
  for (let from = 0; from < samples; from += size) {
    const to = Math.min(from + size, samples);
    const sliced: Masks = new Map([...masks].map(([layer, mask]) => [layer, mask.subarray((from * mask.length) / samples, (to * mask.length) / samples)]));
    slices.push({ x: x.subarray(from * pixels, to * pixels), y: y.subarray(from * classes, to * classes), samples: to - from, masks: sliced });
  }
  return slices;
}

function joined(rows: readonly BatchRow[]): BatchRow {
  const { micro_batches: _slices, ...sums } = rows.reduce(addMicroBatch, emptySums());
  return sums;
}

// Before training begins: whether it fits into memory, and how many micro-batches side by side do. An estimate: what a
// kernel takes for itself is not in it, so running out of memory stays possible, and has an ending of its own.
import { AppError } from '../../lib/errors.js';
import { estimateMemory } from '../../lib/model/memory.js';
import type { ModelPlan } from '../../lib/model/plan.js';
import type { StateForm } from '../../lib/model/slots.js';

const MIB = 2 ** 20;

/**
 * What an engine may take: what the job's data leaves of its share, and not more than the engine has.
 * @param engineBytes null if it cannot be told, as with a GPU's own memory
 * @param shareBytes what the job may take of the machine's memory
 * @param dataBytes what its data has taken of that
 */
export const engineShare = (engineBytes: number | null, shareBytes: number, dataBytes: number): number | null => (engineBytes === null ? null : Math.min(engineBytes, Math.max(0, shareBytes - dataBytes)));

/**
 * The most lanes whose estimate fits, at most `wanted`. AppError `oom` with the numbers if not even one does.
 * @param memoryBytes what the engine may use
 */
export function lanesThatFit(plan: ModelPlan, { batchSize, form }: { batchSize: number; form: StateForm }, wanted: number, memoryBytes: number): number {
  const needed = (samples: number, lanes: number): number => estimateMemory(plan, samples, form, lanes);
  if (needed(batchSize, 1) > memoryBytes) throw new AppError('oom', tooLarge(needed(batchSize, 1), largest((samples) => needed(samples, 1) <= memoryBytes, batchSize)));
  return largest((lanes) => needed(batchSize, lanes) <= memoryBytes, wanted);

  function tooLarge(bytes: number, fits: number): string {
    const advice = fits > 0 ? `a batch_size of ${fits} would fit (with a larger accum_iters for the same effective batch)` : 'not even a batch_size of 1 would fit';
    return `micro-batches of ${batchSize} samples need about ${Math.ceil(bytes / MIB)} MiB, and there are ${Math.floor(memoryBytes / MIB)} MiB; ${advice}`;
  }
}

/** The largest count from 1 to `most` that fits, of counts that need the more the larger they are; 0 if none does. */
function largest(fits: (count: number) => boolean, most: number): number {
  let [low, high] = [0, most];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

// Whether a training fits into memory, before it begins.
import { expect, test } from 'vitest';
import { isAppError } from '../../../lib/errors.js';
import { estimateMemory } from '../../../lib/model/memory.js';
import { planModel } from '../../../lib/model/plan-model.js';
import { processMemoryBytes } from '../../../lib/process-memory.js';
import { lanesThatFit } from '../../../worker/trainer/memory-check.js';
import { resolved } from '../../resume/support/run-training.js';

const spec = resolved({
  data: { type: 'builtin', name: 'synthetic', samples: 64, shape: [32, 32, 3], classes: 10 },
  model: { layers: [{ type: 'conv2d', filters: 32, kernel_size: 3 }, { type: 'flatten' }, { type: 'dense', units: 10 }] },
  training: { batch_size: 64, accum_iters: 8 },
});
const planned = planModel(spec.model.layers, [32, 32, 3], { classes: 10 });
if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
const { plan } = planned;
const needs = (lanes: number, samples = 64): number => estimateMemory(plan, samples, spec.training, lanes);

test('as many lanes as fit, and no more than are wanted', () => {
  expect(needs(2)).toBeGreaterThan(needs(1) * 1.5);
  for (const [memory, lanes] of [[needs(1), 1], [needs(2) - 1, 1], [needs(2), 2], [needs(5), 5], [2 ** 50, 8]] as const) expect(lanesThatFit(plan, { batchSize: spec.training.batch_size, form: spec.training }, 8, memory)).toBe(lanes);
});

test('a micro-batch that does not fit is refused with the numbers, and with what would fit', () => {
  const memory = needs(1, 20);
  let error: unknown;
  try {
    lanesThatFit(plan, { batchSize: spec.training.batch_size, form: spec.training }, 1, memory);
  } catch (thrown) {
    error = thrown;
  }
  expect(isAppError(error, 'oom')).toBe(true);
  expect((error as Error).message).toBe(`micro-batches of 64 samples need about ${Math.ceil(needs(1) / 2 ** 20)} MiB, and there are ${Math.floor(memory / 2 ** 20)} MiB; a batch_size of 20 would fit (with a larger accum_iters for the same effective batch)`);
  expect(() => lanesThatFit(plan, { batchSize: spec.training.batch_size, form: spec.training }, 1, 1000)).toThrow(/not even a batch_size of 1 would fit/);
});

test('what a process may use is a number that a machine can have', () => {
  expect(processMemoryBytes()).toBeGreaterThan(2 ** 28);
  expect(processMemoryBytes()).toBeLessThan(2 ** 46);
});

// What a compiled program keeps in memory: not what it was compiled from.
import { afterEach, expect, test, vi } from 'vitest';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { JobTraces } from '../../../worker/trainer/engines/graph/traces.js';

const traced: WeakRef<JobTraces>[] = [];
vi.mock(import('../../../worker/trainer/engines/graph/traces.js'), async (original) => {
  const { traceJob, ...rest } = await original();
  return {
    ...rest,
    traceJob(...given) {
      const traces = traceJob(...given);
      traced.push(new WeakRef(traces));
      return traces;
    },
  };
});
const { batchOf, expectNoTensors, programOf, withProgram } = await import('./support/engine.js');

afterEach(expectNoTensors);

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

test('traces, which hold a job’s weights several times, are let go', async () => {
  const program = programOf([{ type: 'conv2d', filters: 4, kernel_size: 3 }, { type: 'flatten' }, { type: 'dense', units: 3, activation: 'softmax' }], [8, 8, 1], 3, { batch_size: 4, accum_iters: 2 }, [3]);
  await withProgram(program, async (compiled) => {
    expect(traced.length).toBeGreaterThan(0);
    compiled.runBlock([batchOf(program.plan, 4)], null);
    // a WeakRef holds what it refers to until its turn is over
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(traced.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    compiled.dropWindow();
  });
});

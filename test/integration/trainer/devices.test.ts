// Lanes on devices of their own: what the graph says, and that TensorFlow goes by it. A machine's CPU is one device, so
// that a second one can only be seen to be asked for.
import { afterEach, expect, test } from 'vitest';
import { buildJobGraph } from '../../../worker/trainer/engines/graph/job-graph.js';
import { compileGraph } from '../../../worker/trainer/engines/graph/compiled.js';
import { traceJob } from '../../../worker/trainer/engines/graph/traces.js';
import type { Program } from '../../../worker/trainer/engines/index.js';
import { batchOf, bytesOf, expectNoTensors, programOf, SEED, stateOf } from './support/engine.js';

afterEach(expectNoTensors);

const program = programOf([
  { type: 'conv2d', filters: 2, kernel_size: 2, activation: 'relu' },
  { type: 'batch_normalization' },
  { type: 'flatten' },
  { type: 'dense', units: 3, activation: 'softmax' },
], [6, 6, 1], 3, { batch_size: 4, accum_iters: 4, seed: 3, lanes: 3 }, [2]);

test('a micro-batch is computed on its lane\'s device; all else is left to TensorFlow', () => {
  const { graph } = buildJobGraph(program, traceJob(program), { blockSize: 4, lanes: 3, chain: 2, devices: ['/device:GPU:0', '/device:GPU:1'] });
  const devicesOf = (prefix: string): (string | null)[] => [...new Set(graph.nodes.filter(({ name, op }) => name.startsWith(`${prefix}/`) && op !== 'Snapshot').map(({ device }) => device))];
  // lanes 0, 1, 2 and again 0
  expect(['m0', 'm1', 'm2', 'm3'].map(devicesOf)).toEqual([['/device:GPU:0'], ['/device:GPU:1'], ['/device:GPU:0'], ['/device:GPU:0']]);
  expect(['m1_0', 'm1_1', 'm1_2', 'm1_3'].map(devicesOf)).toEqual([['/device:GPU:0'], ['/device:GPU:1'], ['/device:GPU:0'], ['/device:GPU:0']]);
  const placed = graph.nodes.filter(({ device }) => device !== null);
  expect(placed.every(({ name }) => /^m(\d+_)?\d+\//.test(name))).toBe(true);
  expect(placed.length).toBeGreaterThan(0);
});

test('TensorFlow refuses a device that is not there, and takes one that is', () => {
  const compile = (devices: string[]) => compileGraph(program, { threads: 2, devices });
  expect(() => compile(['/device:CPU:0', '/device:GPU:7'])).toThrow(/GPU:7/);
  const end = (given: Program, devices: string[]) => {
    const compiled = compileGraph(given, { threads: 2, devices });
    try {
      compiled.initialise(SEED);
      compiled.runBlock([0, 1, 2, 3].map((salt) => batchOf(given.plan, 4, salt)), { update: 0, learningRate: 0.1, divisor: 4 });
      return bytesOf(stateOf(compiled, false));
    } finally {
      compiled.close();
    }
  };
  expect(end(program, ['/device:CPU:0', '/device:CPU:0'])).toEqual(end(program, []));
});

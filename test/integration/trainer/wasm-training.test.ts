// The wasm engine as the loop uses it: loaded only when asked for, right, the same bits every time, and resumable at every
// micro-batch. Single kernels: wasm-kernels.test.ts; memory: wasm-memory.test.ts.
import { createRequire } from 'node:module';
import { afterEach, describe, expect, test } from 'vitest';
import { accumulatorName } from '../../../lib/model/slots.js';
import type { TensorMap } from '../../../lib/training/state.js';
import type { BatchRow, CompiledProgram } from '../../../worker/trainer/engines/index.js';
import { loadWasm } from '../../../worker/trainer/engines/load.js';
import { numericGradients, values, type Values } from '../../unit/trainer/support/naive.js';
import { naiveLosses } from './support/naive-network.js';
import { batchOf, bytesOf, HEAD, NETWORK, noise, programOf, SEED, stateOf, type Layers } from './support/wasm.js';

const loadedPackages = (): string[] => Object.keys(createRequire(import.meta.url).cache).flatMap((path) => /node_modules\/@tensorflow\/([^/]+)/.exec(path)?.[1] ?? []);
const lastResorts = (): number => process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection');
const before = { packages: loadedPackages(), lastResorts: lastResorts() };

const engine = await loadWasm({});
const baseline = engine.liveTensors();
afterEach(() => expect(engine.liveTensors()).toBe(baseline));

describe('the engine', () => {
  test('is loaded when it is asked for, and brings no other one along', () => {
    expect(before.packages).toEqual([]);
    expect(loadedPackages()).toContain('tfjs-backend-wasm');
    expect(loadedPackages()).not.toContain('tfjs-node-gpu');
  });

  test('leaves uncaught errors to whom they were left before', () => {
    expect(lastResorts()).toBe(before.lastResorts);
  });

  test('says what it is', () => {
    expect(engine.name).toBe('wasm');
    expect(engine.device).toMatch(/^wasm \(simd(, fused)?, 1 thread\)$/);
    expect(engine.numerics).toMatch(/^wasm; tfjs-backend-wasm 4\.22\.0; kernels \d+\.\d+; simd(, fused)?; \w+$/);
  });

  test('refuses a budget that is none', async () => {
    for (const budget of ['0', '-1', 'much', '5000']) await expect(loadWasm({ PAWL_WASM_MEMORY_MIB: budget })).rejects.toMatchObject({ code: 'engine_unavailable' });
  });

  test('takes an empty budget for none that is given', async () => {
    await expect(loadWasm({ PAWL_WASM_MEMORY_MIB: '' })).resolves.toMatchObject({ name: 'wasm' });
  });
});

const BATCH = 4;
const WINDOW = 3;
const STEPS = 2 * WINDOW;
const program = programOf(NETWORK, [7, 6, 2], { batch_size: BATCH, accum_iters: WINDOW });

/** Micro-batches `from` to the end of two windows, calling `between` before each with the number of those that were run. */
function run(compiled: CompiledProgram, from: number, between: (step: number) => void = () => undefined): BatchRow[] {
  const rows: BatchRow[] = [];
  for (let step = from; step < STEPS; step++) {
    between(step);
    const update = (step + 1) % WINDOW === 0 ? { update: Math.floor(step / WINDOW), divisor: WINDOW, learningRate: 1e-2 } : null;
    const result = compiled.runBlock([batchOf(program.plan, BATCH, step)], update);
    expect(result.finite).toBe(true);
    rows.push(...result.rows);
  }
  return rows;
}

function withProgram<T>(start: (compiled: CompiledProgram) => void, work: (compiled: CompiledProgram) => T): T {
  const compiled = engine.compile(program);
  try {
    start(compiled);
    return work(compiled);
  } finally {
    compiled.close();
  }
}

describe('a program run twice', () => {
  const states: TensorMap[] = [];
  const whole = withProgram((compiled) => compiled.initialise(SEED), (compiled) => {
    const rows = run(compiled, 0, (step) => states.push(stateOf(compiled, step % WINDOW !== 0)));
    return { rows, end: bytesOf(stateOf(compiled, false)) };
  });

  test('gives the same bytes', () => {
    const again = withProgram((compiled) => compiled.initialise(SEED), (compiled) => ({ rows: run(compiled, 0), end: bytesOf(stateOf(compiled, false)) }));
    expect(again).toEqual(whole);
  });

  test('learns something in its windows', () => {
    expect(whole.rows.every(({ loss }) => loss > 0)).toBe(true);
    const [first, second] = [bytesOf(states[0]!), bytesOf(states[WINDOW]!)];
    expect(Object.keys(first).filter((name) => first[name] === second[name])).toEqual([]);
  });

  test.each(Array.from({ length: STEPS }, (_, step) => step))('goes on with the same bytes in a fresh program after %i micro-batches', (step) => {
    withProgram((compiled) => compiled.restore(states[step]!, step % WINDOW !== 0), (compiled) => {
      expect(run(compiled, step)).toEqual(whole.rows.slice(step));
      expect(bytesOf(stateOf(compiled, false))).toEqual(whole.end);
    });
  });
});

describe.each<[string, Layers]>([
  ['all kernels', NETWORK],
  ['pooling of overlapping windows', [{ type: 'conv2d', filters: 3, kernel_size: 2 }, { type: 'max_pooling2d', pool_size: 3, strides: 2, padding: 'same' }, ...HEAD]],
  ['convolutions of many channels', [{ type: 'conv2d', filters: 15, kernel_size: [3, 2] }, { type: 'max_pooling2d' }, { type: 'conv2d', filters: 11, kernel_size: 2, strides: [1, 2], padding: 'same' }, ...HEAD]],
])('%s', (_, layers) => {
  test('have the naive loss and gradients', () => {
    const inspected = programOf(layers, [7, 6, 2], { batch_size: BATCH });
    const { plan } = inspected;
    const weights = new Map(plan.weights.map(({ name, shape }, index) => {
      const positive = name.endsWith('moving_variance') || name.endsWith('gamma');
      return [name, { dtype: 'F32' as const, shape, data: noise(shape.reduce((product, length) => product * length, 1), index + 2).map((value) => (positive ? 1 + value / 2 : value)) }];
    }));
    const batch = batchOf(plan, BATCH, 1);
    const compiled = engine.compile(inspected);
    try {
      compiled.initialise(SEED);
      compiled.loadWeights(weights);
      const { rows } = compiled.runBlock([batch], null);
      const state = stateOf(compiled, true);
      const inputs = new Map([...weights].map(([name, { shape, data }]): [string, Values] => [name, values(shape, data)]));
      const loss = (): number => naiveLosses({ ...inspected, training: true }, inputs, batch).reduce((sum, each) => sum + each, 0);
      expect(rows[0]!.loss).toBeCloseTo(loss(), 4);
      const trainable = plan.weights.filter((weight) => weight.trainable).map(({ name }) => name);
      const gradients = numericGradients(() => loss() / BATCH, trainable.map((name) => inputs.get(name)!));
      for (const [index, name] of trainable.entries()) {
        const worst = [...state.get(accumulatorName(name))!.data].reduce((most, value, at) => Math.max(most, Math.abs(value - gradients[index]![at]!)), 0);
        expect(worst, name).toBeLessThan(2e-5);
      }
    } finally {
      compiled.close();
    }
  });
});

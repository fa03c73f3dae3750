// Whole windows in one call of the graph: the bits of one call a window, at a fraction of its price.
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import type { StateCounters } from '../../../lib/training/state.js';
import type { UpdateRow } from '../../../lib/contract/rows.js';
import { gatherInputs } from '../../../worker/supervisor/inputs.js';
import type { CompiledProgram, Program, Window } from '../../../worker/trainer/engines/index.js';
import { nodeBackend } from '../../../worker/trainer/engines/node-backend.js';
import { train } from '../../../worker/trainer/loop.js';
import { prepare } from '../../../worker/trainer/prepare.js';
import { resolved } from '../../resume/support/run-training.js';
import { batchOf, bytesOf, engine, expectNoTensors, programOf, SEED, stateOf } from './support/engine.js';

afterEach(expectNoTensors);

type Training = NonNullable<JobSpecInput['training']>;
/** Updates after which chains are used. */
const WARM = 1_000;
const LAYERS: JobSpecInput['model']['layers'] = [
  { type: 'conv2d', filters: 2, kernel_size: 2 },
  { type: 'batch_normalization' },
  { type: 'dropout', rate: 0.3 },
  { type: 'flatten' },
  { type: 'dense', units: 3, activation: 'softmax', kernel_regularizer: { l2: 1e-3 }, kernel_constraint: { type: 'max_norm', max_value: 1, axis: 0 } },
];

const windowOf = ({ plan, accumIters }: Program, update: number): Window => ({
  batches: Array.from({ length: accumIters }, (_, index) => batchOf(plan, 4, update * accumIters + index)),
  update: { update, divisor: accumIters, learningRate: 0.01 / (1 + update / 100) },
});

/** So many updates, one call each from there on. */
function warmedUp(program: Program, work: (compiled: CompiledProgram) => void): void {
  const compiled = engine.compile(program);
  try {
    compiled.initialise(SEED);
    for (let update = 0; compiled.blockLimit < program.accumIters || compiled.windowLimit === 1; update++) {
      expect(update, 'updates before chains').toBeLessThan(WARM + 10);
      const { batches, update: numbers } = windowOf(program, update);
      expect(compiled.runBlock(batches, numbers).finite).toBe(true);
    }
    work(compiled);
  } finally {
    compiled.close();
  }
}

/** Updates before a chain: by then no tensor is what it was at first. */
const BEFORE = 3;
function begin(compiled: CompiledProgram, program: Program, updates = BEFORE): void {
  compiled.initialise(SEED);
  for (let index = 0; index < updates; index++) {
    const { batches, update } = windowOf(program, index);
    compiled.runBlock(batches, update);
  }
}

describe.each<[string, Training]>([
  ['adam, windows of 4, two lanes, clipped, averaged', { accum_iters: 4, ema: { momentum: 0.9 }, optimizer: { type: 'adam', amsgrad: true, weight_decay: 0.01 }, clip_norm: 1, lanes: 2 }],
  ['sgd with momentum, windows of 4, one lane', { accum_iters: 4, optimizer: { type: 'sgd', lr: 0.05, momentum: 0.9 }, lanes: 1 }],
  ['rmsprop, windows of one micro-batch, averaged', { accum_iters: 1, ema: {}, optimizer: { type: 'rmsprop' } }],
])('%s', (_, training) => {
  const program = programOf(LAYERS, [6, 6, 1], 3, { batch_size: 4, seed: 3, ...training });

  test('a chain gives the rows and the state of one call a window, in bits', () => {
    warmedUp(program, (compiled) => {
      const length = compiled.windowLimit;
      expect(length).toBe(Math.min(16, 64 / program.accumIters));
      const windows = (): Window[] => Array.from({ length }, (_, index) => windowOf(program, BEFORE + index));
      begin(compiled, program);
      const chained = { results: compiled.runWindows(windows()), state: bytesOf(stateOf(compiled, false)) };
      begin(compiled, program);
      const single = { results: windows().map(({ batches, update }) => compiled.runBlock(batches, update)), state: bytesOf(stateOf(compiled, false)) };
      expect(chained).toEqual(single);
    });
  });

  test('from a window that is not finite on, nothing changes', () => {
    warmedUp(program, (compiled) => {
      const windows = Array.from({ length: compiled.windowLimit }, (_, index) => windowOf(program, BEFORE + index));
      windows[5]!.batches.at(-1)!.x[3] = NaN;
      begin(compiled, program);
      const results = compiled.runWindows(windows);
      expect(results.map(({ finite }) => finite)).toEqual([true, true, true, true, true, false]);
      compiled.dropWindow();
      const state = bytesOf(stateOf(compiled, false));
      begin(compiled, program, BEFORE + 5);
      expect(bytesOf(stateOf(compiled, false))).toEqual(state);
    });
  });
});

test('where the graph of chains cannot be opened, each window has a call of its own', () => {
  // an engine keeps what it compiled last: this is one that no other test has
  const program = programOf(LAYERS, [6, 6, 1], 3, { batch_size: 4, accum_iters: 2 });
  warmedUp(program, (compiled) => {
    begin(compiled, program);
    const windows = Array.from({ length: compiled.windowLimit }, (_, index) => windowOf(program, BEFORE + index));
    const backend = nodeBackend();
    const { binding } = backend;
    const loadSavedModel = vi.fn(() => {
      throw new Error('not today');
    });
    backend.binding = Object.create(binding, { loadSavedModel: { value: loadSavedModel } }) as typeof binding;
    try {
      expect(compiled.runWindows(windows).every(({ finite, update }) => finite && update !== null)).toBe(true);
    } finally {
      backend.binding = binding;
    }
    expect(loadSavedModel).toHaveBeenCalledOnce();
    expect(compiled.windowLimit).toBe(1);
    const state = bytesOf(stateOf(compiled, false));
    begin(compiled, program, BEFORE + windows.length);
    expect(bytesOf(stateOf(compiled, false))).toEqual(state);
  });
});

test('a training in chains has the bits of one without, stopped anywhere and resumed', async () => {
  const spec = resolved({
    data: { type: 'builtin', name: 'synthetic', samples: 300, shape: [6, 6, 1], classes: 3, seed: 4, validation: { split: 0.2 } },
    model: { layers: LAYERS },
    training: { batch_size: 4, accum_iters: 2, epochs: 50, seed: 8, optimizer: { type: 'adam', decay: 1e-3 }, lr_schedule: { type: 'cosine', warmup_updates: 50 } },
  });
  const { data } = await gatherInputs(spec, { places: { roots: [], buckets: null }, memoryBytes: 2 ** 30 }, { hold: null, signal: new AbortController().signal });
  let chains = 0;

  /** The whole training, stopped once it has executed so many micro-batches, and gone on with a program of its own. */
  async function whole(mayChain: boolean, stops: readonly number[]): Promise<{ rows: Omit<UpdateRow, 'wall_time'>[]; state: Record<string, string> }> {
    const rows: Omit<UpdateRow, 'wall_time'>[] = [];
    let resume: { counters: StateCounters; state: ReturnType<typeof stateOf> } | null = null;
    for (const stop of [...stops, Infinity]) {
      const { training, plan } = await prepare({ type: 'start', attempt: 'a', spec, data, initFile: null, resume: null, parts: 1, memoryBytes: null, lifetimeMs: 3_600_000, pauseAt: null, spoolDir: '' }, engine);
      const inner = training.program;
      const program = Object.create(inner, {
        windowLimit: { get: () => (mayChain ? inner.windowLimit : 1) },
        runWindows: { value: (windows: readonly Window[]) => ((chains += 1), inner.runWindows(windows)) },
      }) as CompiledProgram;
      if (resume !== null) program.restore(resume.state, resume.counters.cursor.window_position > 0);
      let executed = 0;
      const ending = await train({ ...training, program, start: resume?.counters ?? training.start }, {
        stopAsked: () => executed >= stop,
        boundary: () => undefined,
        // the last stretch before a stop is run micro-batch by micro-batch, so that a window is cut
        room: () => ({ microBatches: Math.max(1, stop - executed), updates: Infinity }),
        microBatch: () => void executed++,
        updateRow: ({ wall_time: _time, ...row }) => rows.push(row),
        epochRow: () => undefined,
        bestEpoch: () => undefined,
        nowMs: () => 0,
      });
      resume = { counters: ending.counters, state: stateOf(program, ending.counters.cursor.window_position > 0) };
      expect(plan.weights.length).toBeGreaterThan(0);
      program.close();
      await training.batches.close();
    }
    return { rows, state: bytesOf(resume!.state) };
  }

  const undisturbed = await whole(true, []);
  expect(chains, 'chains that were run').toBeGreaterThan(10);
  expect(undisturbed.rows.length).toBe(1500);
  expect(await whole(false, [])).toEqual(undisturbed);
  expect(await whole(true, [1203, 1101])).toEqual(undisturbed);
});

// A training program as one TensorFlow graph, run. The host keeps what is integers (how many samples the open window has),
// makes the feeds, and reads the rows; every tensor of the state stays in the session.
import { isAppError } from '../../../../lib/errors.js';
import { emaName, expectedState, expectedWeights, initialSlotValue, slotName, slotNames, statisticName, type ExpectedTensor } from '../../../../lib/model/slots.js';
import type { HostTensor, TensorMap } from '../../../../lib/training/state.js';
import { maskedLayers } from '../../masks.js';
import { initialWeight } from '../../model/initializers.js';
import { mergeFactors } from '../../model/statistics.js';
import { batchRow, columnsOf, ofEvaluation } from '../batch-row.js';
import { runEach } from '../each-window.js';
import { checkTensors, updateResult } from '../eager.js';
import type { Batch, BatchRow, BlockResult, CompiledProgram, Program, StateSnapshot, UpdateScalars, Window } from '../index.js';
import { DT, nodeBackend } from '../node-backend.js';
import { layersWithStatistics, preparesGradients, trainableWeights, updateNumbers, valuesPerSample } from '../update.js';
import { nodeOf } from './graph.js';
import type { JobGraph } from './job-graph.js';
import { feeds, fetches, type End, type Start } from './names.js';
import { graphStepNumbers } from './native-update.js';
import type { HostValue } from './recorder.js';
import { openSession, type Feed, type Session } from './session.js';

/** Updates before windows are chained: that takes half a second to prepare, which a short training never gets back. */
const UPDATES_BEFORE_CHAINS = 1_000;
/** A block takes no longer than this, as far as was measured: a stop is heard between two blocks. */
const BLOCK_MS = 200;

type Values = ReadonlyMap<string, HostValue>;

export interface GraphProgram extends CompiledProgram {
  /** One micro-batch of an empty window on given weights, inputs and masks (traces.ts): losses, and the window's tensors. The window is dropped again. */
  tryBlock(values: Values): { losses: Float32Array; state: ReadonlyMap<string, Float32Array> };
  /** Milliseconds that a block of `count` such micro-batches takes. The window is dropped again. */
  timeBlock(count: number, values: Values): number;
}

/**
 * @param longestChain windows; 1 if none are ever to be chained
 * @param buildChained the same graph, with chains of up to so many windows
 */
export function makeGraphProgram(program: Program, { graph, variables, blockSize, lanes }: JobGraph, longestChain: number, buildChained: () => JobGraph): GraphProgram {
  const { plan, optimizer, batchSize } = program;
  const columns = columnsOf(program).length;
  const evaluated = ofEvaluation(program);
  const { binding } = nodeBackend();
  let session = openSession(graph);
  const trainable = trainableWeights(plan);
  const layers = layersWithStatistics(plan);
  const masked = maskedLayers(plan);
  /** Samples in the open window; null: none is open. */
  let windowSamples: number | null = null;
  let blockLimit = Math.min(blockSize, lanes);
  let updates = 0;
  /** Windows of the longest chain that may be run; whether the session has chains. */
  let chain = longestChain;
  let isChained = false;

  const vector = (name: string, values: Float32Array, shape: readonly number[] = [values.length]): Feed => ({ name, dtype: DT.FLOAT, shape, values });

  function load(tensors: TensorMap, expected: ReadonlyMap<string, ExpectedTensor>, code: 'checkpoint_corrupt' | 'invalid_data'): void {
    checkTensors(tensors, expected, code);
    for (const role of new Set([...expected.values()].map((tensor) => tensor.role))) {
      const names = [...expected].filter(([, tensor]) => tensor.role === role && tensor.dtype === 'F32').map(([name]) => name);
      write(role, new Map(names.map((name) => [name, (tensors.get(name)!.data as Float32Array).slice()])));
    }
  }
  /** Sets all variables of a role; takes the buffers over. */
  function write(role: string, values: ReadonlyMap<string, Float32Array>): void {
    if (values.size === 0) return;
    const given = [...values].map(([name, data]) => vector(feeds.restore(nodeOf(variables.get(name).handle)), data, variables.get(name).shape));
    for (const { id } of session.run(given, [fetches.restore(role)])) binding.deleteTensor(id);
  }

  const startAverage = (weight: (name: string) => Float32Array): void => write('ema', new Map(program.ema === null ? [] : trainable.map((name) => [emaName(name), weight(name).slice()])));

  const inputFeeds = (name: string, { x, y, samples }: Pick<Batch, 'x' | 'y' | 'samples'>): Feed[] => [vector(feeds.x(name), x, [samples, ...plan.inputShape]), vector(feeds.y(name), y, [samples, y.length / samples])];

  /** @param before samples in the window before this micro-batch; 0 for its first */
  function mergeFeeds(name: string, before: number, samples: number): Feed[] {
    if (layers.length === 0 || before === 0) return [];
    const factors = layers.flatMap((layer) => {
      const { share, weight } = mergeFactors(before * valuesPerSample(layer), samples * valuesPerSample(layer));
      return [share, weight];
    });
    return [vector(feeds.merge(name), Float32Array.from(factors))];
  }

  const maskFeeds = (name: string, batch: Batch): Feed[] => masked.map((layer, index) => vector(feeds.mask(name, index), batch.masks.get(layer.name)!, [batch.samples, ...layer.shape]));

  /** Full micro-batches, at most blockSize of them, or a single ragged one. */
  function runPart(batches: readonly Batch[], update: UpdateScalars | null): BlockResult {
    const start: Start = windowSamples === null ? 'empty' : 'open';
    const end: End = update === null ? 'keep' : 'update';
    const { samples } = batches[0]!;
    const ragged = samples !== batchSize;
    const before = windowSamples ?? 0;
    const after = before + batches.length * samples;
    const given = batches.flatMap((batch, index) => microBatchFeeds(ragged ? `r${samples}` : String(index), batch, before + index * samples));
    if (update !== null) given.push(numberFeed(null, update, after));
    const result = resultOf(session.read(given, ragged ? fetches.ragged(start, samples, end) : fetches.block(start, batches.length, end)), batches, update);
    windowSamples = result.update === null ? after : null;
    return result;
  }

  const microBatchFeeds = (name: string, batch: Batch, before: number): Feed[] => [...inputFeeds(name, batch), ...maskFeeds(name, batch), ...mergeFeeds(name, before, batch.samples)];

  /** @param samples in the window */
  function numberFeed(window: number | null, update: UpdateScalars, samples: number): Feed {
    const counts = layers.map((layer) => samples * valuesPerSample(layer));
    return vector(feeds.numbers(window), Float32Array.from([...Object.values(updateNumbers(program, update, graphStepNumbers)), update.divisor, ...counts]));
  }

  /** @param values a row: see fetches */
  function resultOf(values: Float32Array, batches: readonly Batch[], update: UpdateScalars | null): BlockResult {
    const { samples } = batches[0]!;
    const rows = batches.map((batch, index) => batchRow(values.subarray(columns * samples * index), batch, program));
    // the last number says what the graph went by; TensorFlow's L2Loss is half of the sum of squares
    const totals = values.subarray(columns * samples * batches.length, -1);
    const finite = values.at(-1) === 1;
    if (!finite || update === null) return { rows, finite, update: null };
    updates += 1;
    const squares = [...totals.subarray(0, trainable.length)].map((half) => 2 * half);
    const figures = preparesGradients(program) ? [...totals.subarray(-trainable.length - 1)] : null;
    return { rows, finite, update: updateResult(squares, update.divisor, figures) };
  }

  /**
   * The state moves to a session whose graph has chains: the graph of one that is open cannot grow, and the chains, of many
   * times as many operations as all else, would make whatever is run for the first time slow. Where that is not possible training
   * goes on without.
   */
  function openChains(): void {
    isChained = true;
    let next: Session;
    try {
      next = openSession(buildChained().graph);
    } catch (error) {
      if (!isAppError(error)) throw error;
      chain = 1;
      return;
    }
    const state = compiled.snapshot(false);
    const tensors = new Map(state.names.map((name) => [name, state.read(name)]));
    state.dispose();
    session.close();
    session = next;
    compiled.restore(tensors, false);
  }

  /** As many whole windows of full micro-batches as there is a chain of. */
  function runChain(windows: readonly Window[]): BlockResult[] {
    const given = windows.flatMap(({ batches, update }, window) => [...batches.flatMap((batch, index) => microBatchFeeds(`${window}_${index}`, batch, index * batchSize)), numberFeed(window, update, batches.length * batchSize)]);
    const values = session.read(given, fetches.chain(windows.length));
    const length = values.length / windows.length;
    const results: BlockResult[] = [];
    for (const [window, { batches, update }] of windows.entries()) {
      const result = resultOf(values.subarray(window * length, (window + 1) * length), batches, update);
      results.push(result);
      if (!result.finite) {
        windowSamples = batches.length * batchSize;
        break;
      }
    }
    return results;
  }
  const isFull = ({ batches }: Window): boolean => batches.length === program.accumIters && batches.every(({ samples }) => samples === batchSize);
  /** The longest chains first. */
  function runWindows(windows: readonly Window[]): BlockResult[] {
    if (chain > 1 && !isChained) openChains();
    const results: BlockResult[] = [];
    for (let from = 0; from < windows.length && results.at(-1)?.finite !== false; from = results.length) {
      const full = windows.slice(from).findIndex((window) => !isFull(window));
      const possible = Math.min(chain, full < 0 ? windows.length - from : full);
      const length = possible < 2 ? 1 : 2 ** Math.floor(Math.log2(possible));
      const part = windows.slice(from, from + length);
      results.push(...(length > 1 ? runChain(part) : runEach(part, compiled.runBlock)));
    }
    return results;
  }

  /** Feeds and fetch of a block from an empty window, all of its micro-batches of the same values. */
  function trial(count: number, values: Values): [Feed[], string] {
    const data = (name: string): Float32Array => (values.get(name)!.data as Float32Array).slice();
    const given = Array.from({ length: count }, (_, index) => {
      const masks = new Map(masked.map(({ name }) => [name, data(`mask/${name}`)]));
      return microBatchFeeds(String(index), { x: data('x'), y: data('y'), samples: batchSize, masks }, index * batchSize);
    });
    return [given.flat(), fetches.block('empty', count, 'keep')];
  }

  const compiled: GraphProgram = {
    lanes,
    get windowLimit() {
      return updates < UPDATES_BEFORE_CHAINS ? 1 : chain;
    },
    runWindows,
    get blockLimit() {
      return blockLimit;
    },
    initialise(seed) {
      const weights = new Map(plan.weights.map((weight) => [weight.name, initialWeight(seed, weight)]));
      startAverage((name) => weights.get(name)!);
      write('weights', weights);
      const slots = trainable.flatMap((name) => slotNames(optimizer).map((slot) => slotName(name, slot)));
      write('slots', new Map(slots.map((name) => [name, new Float32Array(variables.get(name).shape.reduce((product, size) => product * size, 1)).fill(initialSlotValue(optimizer))])));
      windowSamples = null;
    },
    loadWeights(weights) {
      load(weights, expectedWeights(plan), 'invalid_data');
      startAverage((name) => weights.get(name)!.data as Float32Array);
    },
    restore(state, open) {
      load(state, expectedState(plan, program, open), 'checkpoint_corrupt');
      const [layer] = layers;
      // without statistics nothing asks how many samples there are
      windowSamples = !open ? null : layer === undefined ? 0 : state.get(statisticName(layer.name, 'count'))!.data[0]! / valuesPerSample(layer);
    },
    runBlock(batches, update) {
      const startMs = performance.now();
      const rows: BatchRow[] = [];
      const parts = split(batches, batchSize, blockSize);
      for (const [index, part] of parts.entries()) {
        const last = index === parts.length - 1;
        const result = runPart(part, last ? update : null);
        rows.push(...result.rows);
        if (result.finite && !last) continue;
        const affordable = Math.floor((BLOCK_MS * batches.length) / (performance.now() - startMs + 0.001));
        blockLimit = Math.min(blockSize, Math.max(lanes, affordable));
        return { ...result, rows };
      }
      throw new Error('a block has at least one micro-batch');
    },
    dropWindow() {
      windowSamples = null;
    },
    evaluate(batch) {
      const values = session.read(inputFeeds(`e${batch.samples}`, batch), fetches.evaluate(batch.samples));
      return batchRow(values, batch, evaluated);
    },
    snapshot(open) {
      if (open !== (windowSamples !== null)) throw new Error(`a snapshot ${open ? 'with' : 'without'} a window was asked for, but it is ${open ? 'empty' : 'open'}`);
      return view(expectedState(plan, program, open), windowSamples ?? 0);
    },
    close: () => session.close(),
    tryBlock(values) {
      write('weights', new Map(plan.weights.map(({ name }) => [name, (values.get(name)!.data as Float32Array).slice()])));
      const losses = session.read(...trial(1, values)).subarray(0, batchSize);
      const window = [...expectedState(plan, program, true)].filter(([, { role }]) => role === 'window');
      const snapshot = view(new Map(window), batchSize);
      try {
        return { losses, state: new Map(window.map(([name]) => [name, snapshot.read(name).data as Float32Array])) };
      } finally {
        snapshot.dispose();
      }
    },
    timeBlock(count, values) {
      const [given, fetch] = trial(count, values);
      const startMs = performance.now();
      session.read(given, fetch);
      return performance.now() - startMs;
    },
  };
  return compiled;

  function view(expected: ReadonlyMap<string, ExpectedTensor>, samples: number): StateSnapshot {
    const inSession = [...expected].filter(([, { dtype }]) => dtype === 'F32').map(([name]) => name);
    const handles = session.run([], inSession.map((name) => variables.get(name).value));
    const ids = new Map(inSession.map((name, index) => [name, handles[index]!.id]));
    const counts = new Map(layers.map((layer) => [statisticName(layer.name, 'count'), samples * valuesPerSample(layer)]));
    return {
      names: [...expected.keys()],
      read(name): HostTensor {
        const count = counts.get(name);
        if (count !== undefined && expected.has(name)) return { dtype: 'I32', shape: [], data: Int32Array.of(count) };
        const id = ids.get(name);
        if (id === undefined) throw new Error(`there is no tensor "${name}" in this view`);
        return { dtype: 'F32', shape: variables.get(name).shape, data: binding.tensorDataSync(id) as Float32Array };
      },
      dispose() {
        for (const id of ids.values()) binding.deleteTensor(id);
        ids.clear();
      },
    };
  }
}

/** Runs of full micro-batches of at most `limit`, and each ragged one by itself. */
function split(batches: readonly Batch[], batchSize: number, limit: number): Batch[][] {
  const parts: Batch[][] = [];
  for (const batch of batches) {
    const last = parts.at(-1);
    if (last !== undefined && batch.samples === batchSize && last[0]!.samples === batchSize && last.length < limit) last.push(batch);
    else parts.push([batch]);
  }
  return parts;
}

// Micro-batches of a window side by side, for an engine that computes on one thread: the trainer's own thread takes the
// first of a group, a lane each of the others. Which one computes a micro-batch makes no difference to its bits, and what
// they give is folded in the micro-batches' order, so neither does their number.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { AppError } from '../../../../lib/errors.js';
import type { Batch, Program } from '../index.js';
import { laneMemory, STATE, weightsMemory, WORD, type LaneData, type LaneMemory } from './shared-memory.js';

/** A lane loads its engine and proves it. */
const START_LIMIT_MS = 60_000;

export interface Lanes {
  /** The trainer's own thread counted in. */
  readonly count: number;
  /** Hands weights to every lane, before the next micro-batch. */
  setWeights(read: (name: string) => ArrayLike<number>): void;
  /** Starts micro-batches, at most count − 1. */
  start(batches: readonly Batch[]): void;
  /** What the lane that was started as number `index` (from 0) gave, by name as in LaneMemory: views, good until it is started again. Waits for it. */
  result(index: number): ReadonlyMap<string, Float32Array>;
  /** Waits for what is under way, and forgets it. */
  settle(): void;
  close(): void;
}

/** Compiled, beside this file. */
const ENTRY = fileURLToPath(new URL('./lane.js', import.meta.url));

/**
 * Blocks until all lanes are there. AppError `engine_unavailable` if one cannot start.
 * @param environment PAWL_LANE_ENTRY is the lanes' compiled file where this one is not compiled itself
 */
export function openLanes(program: Program, count: number, environment: NodeJS.ProcessEnv): Lanes {
  const entry = environment['PAWL_LANE_ENTRY'] ?? ENTRY;
  // a thread that cannot load its file is heard of only when this one waits for nothing
  if (!existsSync(entry)) throw new AppError('engine_unavailable', `a lane cannot start: there is no ${entry}`);
  const weights = weightsMemory(program.plan);
  const lanes = Array.from({ length: count - 1 }, () => {
    const memory = laneMemory(program);
    const workerData: LaneData = { program, memory: memory.buffer, weights: weights.buffer, environment };
    const worker = new Worker(entry, { workerData });
    // an error inside is told through the memory
    worker.on('error', () => undefined);
    worker.unref();
    return { memory, worker };
  });
  const close = (): void => {
    for (const { memory } of lanes) {
      Atomics.store(memory.control, WORD.state, STATE.closed);
      Atomics.notify(memory.control, WORD.state);
    }
  };
  try {
    for (const { memory } of lanes) awaitNot(memory, STATE.starting, START_LIMIT_MS);
  } catch (error) {
    close();
    throw error;
  }
  return {
    count,
    setWeights(read) {
      for (const [name, array] of weights.arrays) array.set(read(name));
      weights.control[WORD.weightsVersion] = weights.control[WORD.weightsVersion]! + 1;
    },
    start(batches) {
      batches.forEach(({ x, y, samples, masks }, index) => {
        const { control, arrays } = lanes[index]!.memory;
        arrays.get('x')!.set(x);
        arrays.get('y')!.set(y);
        for (const [layer, mask] of masks) arrays.get(`mask/${layer}`)!.set(mask);
        control[WORD.samples] = samples;
        Atomics.store(control, WORD.state, STATE.working);
        Atomics.notify(control, WORD.state);
      });
    },
    result(index) {
      const { memory } = lanes[index]!;
      awaitNot(memory, STATE.working);
      return memory.arrays;
    },
    settle() {
      for (const { memory } of lanes) Atomics.wait(memory.control, WORD.state, STATE.working);
    },
    close,
  };
}

/** Waits until a lane says something else. What it says went wrong is thrown here, in its words. */
function awaitNot({ control, message }: LaneMemory, state: number, limitMs?: number): void {
  if (Atomics.wait(control, WORD.state, state, limitMs) === 'timed-out') throw new AppError('engine_unavailable', `a lane did not start within ${START_LIMIT_MS / 1000} s`);
  if (Atomics.load(control, WORD.state) !== STATE.failed) return;
  const text = new TextDecoder().decode(message.slice(0, control[WORD.messageBytes]));
  throw state === STATE.starting ? new AppError('engine_unavailable', `a lane cannot start: ${text}`) : new Error(text);
}

// Compiling a training program: its parts are traced, a graph is built of them, the graph is checked against what the parts
// computed operation by operation, and how many micro-batches run side by side is chosen by measuring.
import type { CompiledProgram, Program } from '../index.js';
import { fastestLanes, mostLanes, timeOf } from '../fastest-lanes.js';
import { buildJobGraph, type JobGraph, type JobGraphOptions } from './job-graph.js';
import { makeGraphProgram, type GraphProgram } from './program.js';
import { traceJob } from './traces.js';
import { verifyGraph } from './verify.js';

/** Micro-batches of the longest block: a longer one would save nothing more. */
const BLOCK_LIMIT = 16;
/** Of blocks of larger micro-batches, a lane's share: beside these a call costs nothing, and every micro-batch of a block has kernels and buffers of its own. */
const BLOCK_LIMIT_PER_LANE = 4;
/** Activations of a micro-batch that is small in this sense, in bytes. */
const SMALL_BYTES = 2 ** 20;

/** Windows of the longest chain, and their micro-batches: what a longer one saves does not pay for compiling it. */
const CHAIN_LIMIT = 16;
const CHAIN_LIMIT_MICRO_BATCHES = 64;

const isSmall = ({ plan, batchSize }: Program): boolean => 4 * batchSize * plan.activationFloatsPerSample <= SMALL_BYTES;
/** An update of more weights takes so long that a call costs nothing beside it. */
const hasFewWeights = ({ plan }: Program): boolean => 4 * plan.parameters.trainable <= SMALL_BYTES;

function blockSizeOf(program: Program, lanes: number): number {
  return Math.min(program.accumIters, Math.max(lanes, isSmall(program) ? BLOCK_LIMIT : Math.min(BLOCK_LIMIT, BLOCK_LIMIT_PER_LANE * lanes)));
}

/** Windows of a chain; 1 where a call costs nothing beside them, or they are too long. */
const chainOf = (program: Program): number => (isSmall(program) && hasFewWeights(program) && program.accumIters <= BLOCK_LIMIT ? Math.min(CHAIN_LIMIT, 2 ** Math.floor(Math.log2(CHAIN_LIMIT_MICRO_BATCHES / program.accumIters))) : 1);

export interface GraphOptions {
  /** Threads between operations: more lanes than these cannot run at a time. */
  threads: number;
  /** Alike, as TensorFlow names them; a lane each. None: one device, which TensorFlow chooses. */
  devices: readonly string[];
}

/**
 * Most trainings are over, or interrupted, before chains pay: traced anew, so that nothing is kept for them. Outside of
 * compileGraph, because a function keeps alive what was in scope where it was made, and traces hold a job's weights several times.
 */
const chainedLater =
  (program: Program, options: JobGraphOptions): (() => JobGraph) =>
  () =>
    buildJobGraph(program, traceJob(program), options);

export function compileGraph(program: Program, { threads, devices }: GraphOptions): CompiledProgram {
  const traces = traceJob(program);
  const chain = chainOf(program);
  const open = (lanes: number): GraphProgram => {
    const options = { blockSize: blockSizeOf(program, lanes), lanes, devices };
    return makeGraphProgram(program, buildJobGraph(program, traces, { ...options, chain: 1 }), chain, chainedLater(program, { ...options, chain }));
  };
  const most = mostLanes(program, threads);
  let compiled = open(most);
  try {
    verifyGraph(program, traces, compiled);
    if (!program.lanes.measured || most === 1) return compiled;
    const { inputs } = traces.microBatch.get(program.batchSize)!;
    const trial = compiled;
    // blocks of as many micro-batches as there are lanes
    const lanes = fastestLanes(most, (count) => timeOf(() => trial.timeBlock(count, inputs)) / count);
    if (lanes === most) return compiled;
    compiled.close();
    return (compiled = open(lanes));
  } catch (error) {
    compiled.close();
    throw error;
  }
}

// Compiling a training program: its parts are traced, a graph is built of them, the graph is checked against what the parts
// computed operation by operation, and how many micro-batches run side by side is chosen by measuring.
import type { CompiledProgram, Program } from '../index.js';
import { fastestLanes, mostLanes, timeOf } from '../fastest-lanes.js';
import { buildJobGraph, traceJob } from './job-graph.js';
import { makeGraphProgram, type GraphProgram } from './program.js';
import { verifyGraph } from './verify.js';

/** Micro-batches of the longest block: a longer one would save nothing more. */
const BLOCK_LIMIT = 16;
/** Of blocks of larger micro-batches, a lane's share: beside these a call costs nothing, and every micro-batch of a block has kernels and buffers of its own. */
const BLOCK_LIMIT_PER_LANE = 4;
/** Activations of a micro-batch that is small in this sense, in bytes. */
const SMALL_BYTES = 2 ** 20;

function blockSizeOf({ plan, batchSize, accumIters }: Program, lanes: number): number {
  const isSmall = 4 * batchSize * plan.activationFloatsPerSample <= SMALL_BYTES;
  return Math.min(accumIters, Math.max(lanes, isSmall ? BLOCK_LIMIT : Math.min(BLOCK_LIMIT, BLOCK_LIMIT_PER_LANE * lanes)));
}

export interface GraphOptions {
  /** Threads between operations: more lanes than these cannot run at a time. */
  threads: number;
}

export function compileGraph(program: Program, { threads }: GraphOptions): CompiledProgram {
  const traces = traceJob(program);
  const open = (lanes: number): GraphProgram => makeGraphProgram(program, buildJobGraph(program, traces, { blockSize: blockSizeOf(program, lanes), lanes }));
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

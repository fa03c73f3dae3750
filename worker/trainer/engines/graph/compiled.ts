// Compiling a training program: its parts are traced, a graph is built of them, the graph is checked against what the parts
// computed operation by operation, and how many micro-batches run side by side is chosen by measuring.
import type { CompiledProgram, Program } from '../index.js';
import { buildJobGraph, traceJob, type JobTraces } from './job-graph.js';
import { makeGraphProgram, type GraphProgram } from './program.js';
import { verifyGraph } from './verify.js';

/** Micro-batches of the longest block: a longer one would save nothing more. */
const BLOCK_LIMIT = 16;
/** More lanes have to be worth this much time of a micro-batch: they cost memory. */
const WORTHWHILE = 0.95;

export interface GraphOptions {
  /** Threads between operations: more lanes than these cannot run at a time. */
  threads: number;
}

export function compileGraph(program: Program, { threads }: GraphOptions): CompiledProgram {
  const traces = traceJob(program);
  const open = (lanes: number): GraphProgram => makeGraphProgram(program, buildJobGraph(program, traces, { blockSize: Math.min(program.accumIters, BLOCK_LIMIT), lanes }));
  const most = Math.min(program.lanes.measured ? threads : Infinity, program.lanes.most, program.accumIters);
  let compiled = open(most);
  try {
    verifyGraph(program, traces, compiled);
    if (!program.lanes.measured || most === 1) return compiled;
    const lanes = fastest(traces, program, compiled, most);
    if (lanes === most) return compiled;
    compiled.close();
    return (compiled = open(lanes));
  } catch (error) {
    compiled.close();
    throw error;
  }
}

/** Blocks of as many micro-batches as there are lanes, in doublings: the fewest lanes that are about as fast as any. */
function fastest(traces: JobTraces, program: Program, compiled: GraphProgram, most: number): number {
  const counts = [1, 2, 4, 8, 16, 32].filter((count) => count < most).concat(most);
  const msOf = (count: number): number => {
    // the first run of a block builds it
    const times = [0, 1, 2].map(() => compiled.timeBlock(count, traces.microBatch.get(program.batchSize)!.inputs));
    return Math.min(...times.slice(1)) / count;
  };
  let [lanes, best] = [1, msOf(1)];
  for (const count of counts.slice(1)) {
    const ms = msOf(count);
    if (ms < best * WORTHWHILE) [lanes, best] = [count, ms];
  }
  return lanes;
}

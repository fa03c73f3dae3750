// The engine `wasm`: tfjs's WebAssembly backend with kernels of our own where it has none, slow ones or wrong ones. It runs
// wherever Node does. Importing this file loads the package; making the engine proves that its kernels are right.
import tf from '@tensorflow/tfjs-core';
import { AppError } from '../../../../lib/errors.js';
import { processCores } from '../../../../lib/process-cores.js';
import { masksOf } from '../../masks.js';
import { runEach } from '../each-window.js';
import { compileEager } from '../eager.js';
import { mostLanes, rememberLanes, timeOf } from '../fastest-lanes.js';
import type { Batch, CompiledProgram, Engine, Program } from '../index.js';
import { openLanes, type Lanes } from '../lanes/lanes.js';
import { KERNEL_SET } from '../kernels.js';
import { selfTest } from '../self-test.js';
import { activateWasm, hasSimd, wasmBackend, wasmThreads, wasmVersion } from './backend.js';
import { registerWasmKernels, WASM_KERNEL_SET } from './kernels/index.js';
import { DEFAULT_BUDGET_MIB, guardMemory, HEAP_MIB, type MemoryGuard } from './memory-guard.js';
import { makeLoops, type Loops } from './simd/loops.js';
import { proveLoops } from './simd/proof.js';

/** There is one backend a process, and its kernels are replaced once. */
let prepared: { guard: MemoryGuard; loops: Loops } | null = null;

/**
 * AppError `engine_unavailable` if the backend cannot be used or computes something else than it should.
 * @param environment PAWL_WASM_MEMORY_MIB is what tensors may have together; PAWL_WASM_FUSE=0 rounds every product, as a
 * processor has to that cannot fuse
 */
export async function makeWasm(environment: NodeJS.ProcessEnv): Promise<Engine> {
  const budgetMib = Number(environment['PAWL_WASM_MEMORY_MIB'] || DEFAULT_BUDGET_MIB);
  if (!(budgetMib > 0 && budgetMib <= HEAP_MIB)) throw new AppError('engine_unavailable', `PAWL_WASM_MEMORY_MIB must be a number from 1 to ${HEAP_MIB}`);
  const backend = await activateWasm();
  if (!hasSimd()) throw new AppError('engine_unavailable', 'the engine wasm needs a processor with SIMD (SSE4.1 or better on x64)');
  if (prepared === null) {
    prepared = { guard: guardMemory(backend), loops: makeLoops(backend.wasm.asm.memory, environment['PAWL_WASM_FUSE'] !== '0') };
    registerWasmKernels(prepared.guard, prepared.loops);
  }
  prepared.guard.budgetBytes = budgetMib * 2 ** 20;
  const failures = [...proveLoops(backend, prepared.loops), ...selfTest()];
  if (failures.length > 0) throw new AppError('engine_unavailable', `the engine wasm failed its self-test: ${failures.join('; ')}`);
  const simd = prepared.loops.fused ? 'simd, fused' : 'simd';
  const threads = wasmThreads();
  const choose = rememberLanes();
  return {
    name: 'wasm',
    device: `wasm (${simd}, ${threads} ${threads === 1 ? 'thread' : 'threads'})`,
    numerics: ['wasm', `tfjs-backend-wasm ${wasmVersion()}`, `kernels ${KERNEL_SET}.${WASM_KERNEL_SET}`, simd, process.arch].join('; '),
    memoryBytes: budgetMib * 2 ** 20,
    compile: (program) => compileWasm(program, environment, choose),
    liveTensors: () => Math.max(tf.memory().numTensors, wasmBackend().numDataIds()),
  };
}

/** With as many lanes as the job says, or as turn out fastest of those that this process may run at a time. */
function compileWasm(program: Program, environment: NodeJS.ProcessEnv, choose: ReturnType<typeof rememberLanes>): CompiledProgram {
  const most = mostLanes(program, Number(environment['TF_NUM_INTEROP_THREADS'] ?? processCores()));
  const open = (count: number): CompiledProgram => compileGuarded(program, count > 1 ? openLanes(program, count, environment) : null);
  if (!program.lanes.measured || most === 1) return open(most);
  const tried = new Map<number, CompiledProgram>();
  let chosen: CompiledProgram | undefined;
  try {
    const count = choose(program, most, (lanes) => {
      const compiled = open(lanes);
      tried.set(lanes, compiled);
      compiled.initialise(0);
      return timeOf(() => timeBlock(compiled, program, lanes)) / lanes;
    });
    return (chosen = tried.get(count) ?? open(count));
  } finally {
    for (const compiled of tried.values()) if (compiled !== chosen) compiled.close();
  }
}

/** Milliseconds of a block of `count` full micro-batches. The window is dropped again. */
function timeBlock(compiled: CompiledProgram, { plan, batchSize }: Program, count: number): number {
  const [pixels, classes] = [plan.inputShape, plan.outputShape].map((shape) => shape.reduce((product, size) => product * size, batchSize)) as [number, number];
  const sampleIds = Int32Array.from({ length: batchSize }, (_, index) => index);
  const batches = Array.from({ length: count }, (): Batch => ({ x: new Float32Array(pixels).fill(0.5), y: new Float32Array(classes).fill(batchSize / classes), samples: batchSize, masks: masksOf(plan, 0, { epoch: 0, sampleIds }) }));
  const startMs = performance.now();
  compiled.runBlock(batches, null);
  const ms = performance.now() - startMs;
  compiled.dropWindow();
  return ms;
}

/** After an error, tfjs still holds what it kept for the gradient that it was computing. */
function compileGuarded(program: Program, lanes: Lanes | null): CompiledProgram {
  const compiled = compileEager(program, lanes);
  const runBlock: CompiledProgram['runBlock'] = (batches, update) => {
    try {
      return compiled.runBlock(batches, update);
    } catch (error) {
      dropTape();
      throw error;
    }
  };
  return { ...compiled, runBlock, runWindows: (windows) => runEach(windows, runBlock) };
}

function dropTape(): void {
  const { state } = tf.engine();
  for (const node of state.activeTape ?? []) tf.dispose(node.saved ?? []);
  state.activeTape = [];
}

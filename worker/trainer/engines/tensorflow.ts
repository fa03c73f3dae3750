// The engine `tensorflow`: tfjs-node-gpu on libtensorflow, on a GPU where there is one. Importing this file loads the
// library (half a second, and the process's threads); making the engine proves that its kernels compute what they should.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
// registers the backend on the one tfjs-core that everything here uses
import '@tensorflow/tfjs-node-gpu';
import tf from '@tensorflow/tfjs-core';
import { AppError } from '../../../lib/errors.js';
import { processCores } from '../../../lib/process-cores.js';
import { processMemoryBytes } from '../../../lib/process-memory.js';
import { compileGraph } from './graph/compiled.js';
import { alikeGpus } from './alike-gpus.js';
import type { Engine } from './index.js';
import { KERNEL_SET, registerNativeKernels } from './kernels.js';
import { nodeBackend } from './node-backend.js';
import { keepWarm } from './keep-warm.js';
import { selfTest } from './self-test.js';

/**
 * AppError `engine_unavailable` if the library cannot be used or computes something else than it should.
 * @param environment what the library was loaded with
 */
export function makeTensorflow(environment: NodeJS.ProcessEnv): Engine {
  if (tf.getBackend() !== 'tensorflow') throw new AppError('engine_unavailable', `the backend "tensorflow" is not active: it is "${tf.getBackend()}"`);
  registerNativeKernels();
  const failures = selfTest();
  if (failures.length > 0) throw new AppError('engine_unavailable', `the engine tensorflow failed its self-test: ${failures.join('; ')}`);
  const { isUsingGpuDevice: onGpu } = nodeBackend();
  const devices = onGpu ? alikeGpus(gpuModels(), environment['CUDA_VISIBLE_DEVICES']) : [];
  return keepWarm({
    name: 'tensorflow',
    device: onGpu ? `gpu (${devices.length > 1 ? `${devices.length} × ` : ''}${gpuModel()})` : `cpu (${cpuModel()}, ${instructionSet()})`,
    numerics: numerics(onGpu, environment),
    // a GPU's is known to its driver only
    memoryBytes: onGpu ? null : processMemoryBytes(),
    compile: (program) => compileGraph(program, { threads: Number(environment['TF_NUM_INTEROP_THREADS'] ?? processCores()), devices }),
    liveTensors: () => Math.max(tf.memory().numTensors, nodeBackend().binding.getNumOfTensors()),
  });
}

/** The engine's part of the numerics class: everything that was seen to change bits. */
function numerics(onGpu: boolean, environment: NodeJS.ProcessEnv): string {
  const set = (name: string, fallback: string): string => environment[name] ?? fallback;
  return [
    'tensorflow graph',
    `tfjs-node-gpu ${packageVersion('@tensorflow/tfjs-node-gpu')}`,
    `libtensorflow ${nodeBackend().binding.TF_Version}`,
    `kernels ${KERNEL_SET}`,
    `intra-op ${set('TF_NUM_INTRAOP_THREADS', `all of ${cpus().length}`)}`,
    `onednn ${set('TF_ENABLE_ONEDNN_OPTS', 'default')}`,
    `isa ${instructionSet()} of at most ${set('ONEDNN_MAX_CPU_ISA', 'all')}`,
    onGpu ? `gpu ${gpuModel()}, deterministic ${set('TF_DETERMINISTIC_OPS', '0')}, tf32 override ${set('NVIDIA_TF32_OVERRIDE', 'none')}` : 'cpu',
  ].join('; ');
}

function packageVersion(name: string): string {
  const { version } = createRequire(import.meta.url)(`${name}/package.json`) as { version: string };
  return version;
}

const cpuModel = (): string => cpus()[0]?.model.trim() ?? process.arch;

/** What oneDNN and Eigen choose float32 kernels by; elsewhere than on Linux on x64, the processor's model. */
function instructionSet(): string {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(readText('/proc/cpuinfo'))?.[1]?.trim().split(' '));
  if (['avx512f', 'avx512bw', 'avx512dq', 'avx512vl'].every((flag) => flags.has(flag))) return 'avx512';
  if (flags.has('avx2') && flags.has('fma')) return 'avx2';
  return flags.has('avx') ? 'avx' : `${process.arch} ${cpuModel()}`;
}

/** tfjs does not say which GPU it uses: the driver's first. */
const gpuModel = (): string => gpuModels()[0] ?? 'of unknown model';

/** Of this machine, whether TensorFlow sees them or not. */
function gpuModels(): string[] {
  const root = '/proc/driver/nvidia/gpus';
  const gpus = existsSync(root) ? readdirSync(root) : [];
  return gpus.map((gpu) => /^Model:\s*(.*)$/m.exec(readText(`${root}/${gpu}/information`))?.[1] ?? 'of unknown model');
}

const readText = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

// The environment a trainer is forked with: what TensorFlow reads once, when it is loaded. All of it shapes bits or
// memory, so it is set by name here and never inherited by accident. Imports nothing: whoever forks may use it.

/** `auto`: tensorflow where it loads and passes its self-test, else wasm. */
export type EngineChoice = 'auto' | 'tensorflow' | 'wasm';

export interface TrainerSetup {
  engine: EngineChoice;
  /** Threads inside one operation. Bits depend on it, so it is pinned for a job's whole life. */
  intraOpThreads: number;
  /** Operations that run side by side: one a lane. Bits do not depend on it. */
  interOpThreads: number;
  /** The only GPU it sees, as CUDA_VISIBLE_DEVICES names it; empty: none; null: whatever the worker sees. */
  gpu: string | null;
}

/** Variables to set over the parent's own environment. */
export function trainerEnvironment({ engine, gpu, ...threads }: TrainerSetup): Record<string, string> {
  for (const [name, count] of Object.entries(threads)) {
    if (!Number.isSafeInteger(count) || count < 1) throw new Error(`${name} is ${count}, expected a positive integer`);
  }
  return {
    PAWL_ENGINE: engine,
    TF_NUM_INTRAOP_THREADS: String(threads.intraOpThreads),
    TF_NUM_INTEROP_THREADS: String(threads.interOpThreads),
    TF_ENABLE_ONEDNN_OPTS: '1',
    // 0 all · 1 no info · 2 no warnings either
    TF_CPP_MIN_LOG_LEVEL: '2',
    // on a GPU: kernels without atomics, no choice of algorithm by stopwatch, no rounding to 10 bits
    TF_DETERMINISTIC_OPS: '1',
    TF_CUDNN_USE_AUTOTUNE: '0',
    NVIDIA_TF32_OVERRIDE: '0',
    // numbers as nvidia-smi has them
    ...(gpu === null ? {} : { CUDA_VISIBLE_DEVICES: gpu, CUDA_DEVICE_ORDER: 'PCI_BUS_ID' }),
    // several trainers may share a device
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  };
}

// The wasm heap under guard: too large a micro-batch is an ordinary error that leaves nothing behind and nothing damaged,
// wherever it strikes, under a small budget and in a heap that is really full; numbers of tensors are never shared.
import tf from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { afterEach, expect, test } from 'vitest';
import type { CompiledProgram } from '../../../worker/trainer/engines/index.js';
import { loadWasm } from '../../../worker/trainer/engines/load.js';
import { failureOf } from '../../../worker/trainer/failures.js';
import { batchOf, bytesOf, NETWORK, programOf, SEED, stateOf } from './support/wasm.js';

const engine = await loadWasm({});
const { wasmBackend } = await import('../../../worker/trainer/engines/wasm/backend.js');
const backend = wasmBackend();
const baseline = engine.liveTensors();
afterEach(async () => {
  expect(engine.liveTensors()).toBe(baseline);
  await loadWasm({});
});

const program = programOf(NETWORK, [16, 16, 2], { batch_size: 4, accum_iters: 2 });
const STEP = { update: 0, divisor: 2, learningRate: 1e-2 };

function withProgram<T>(work: (compiled: CompiledProgram) => T): T {
  const compiled = engine.compile(program);
  try {
    compiled.initialise(SEED);
    return work(compiled);
  } finally {
    compiled.close();
  }
}

/** A window of two micro-batches, and the state after it. */
const train = (compiled: CompiledProgram): Record<string, string> => {
  compiled.runBlock([batchOf(program.plan, 4, 1)], null);
  compiled.runBlock([batchOf(program.plan, 4, 2)], STEP);
  return bytesOf(stateOf(compiled, false));
};
const undisturbed = withProgram(train);

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return null;
}

test('a micro-batch beyond the budget is out of memory, and a smaller one then trains as if nothing had been', async () => {
  await loadWasm({ PAWL_WASM_MEMORY_MIB: '2' });
  withProgram((compiled) => {
    const before = bytesOf(stateOf(compiled, false));
    const live = engine.liveTensors();
    for (let attempt = 0; attempt < 3; attempt++) {
      const failure = failureOf(errorOf(() => compiled.runBlock([batchOf(program.plan, 256, 1)], null)));
      expect(failure.code).toBe('oom');
      expect(failure.message).toMatch(/^RESOURCE_EXHAUSTED: wasm has no [\d.]+ MiB for a tensor: [\d.]+ MiB of at most 2\.0 are in use$/);
      expect(failureOf(errorOf(() => compiled.evaluate(batchOf(program.plan, 512, 1)))).code).toBe('oom');
      expect(engine.liveTensors()).toBe(live);
    }
    compiled.dropWindow();
    expect(bytesOf(stateOf(compiled, false))).toEqual(before);
    expect(train(compiled)).toEqual(undisturbed);
  });
});

/** While `work` runs, the allocation of this number fails as one beyond the budget does. */
function withFailingAllocation(number: number, work: () => void): { struck: boolean; unfreed: number } {
  const { _malloc: malloc, _free: free } = backend.wasm;
  const unfreed = new Set<number>();
  let allocations = 0;
  backend.wasm._malloc = (sizeBytes) => {
    if (++allocations === number) throw new Error('RESOURCE_EXHAUSTED: injected');
    const address = malloc(sizeBytes);
    unfreed.add(address);
    return address;
  };
  backend.wasm._free = (address) => {
    unfreed.delete(address);
    free(address);
  };
  try {
    work();
  } finally {
    Object.assign(backend.wasm, { _malloc: malloc, _free: free });
  }
  return { struck: allocations >= number, unfreed: unfreed.size };
}

test('nothing is left behind, whichever allocation of a window fails', () => {
  let number = 1;
  for (; ; number++) {
    const { struck, unfreed } = withFailingAllocation(number, () => {
      const error = errorOf(() => withProgram(train));
      expect(error === null ? null : failureOf(error).code, `allocation ${number}`).toBe(error === null ? null : 'oom');
    });
    expect(unfreed, `allocation ${number}`).toBe(0);
    expect(engine.liveTensors(), `allocation ${number}`).toBe(baseline);
    if (!struck) break;
  }
  expect(number).toBeGreaterThan(200);
  expect(withProgram(train)).toEqual(undisturbed);
});

test('a heap of 4 GiB that is full is out of memory too, and its last bytes are as good as its first', async () => {
  await loadWasm({ PAWL_WASM_MEMORY_MIB: '4096' });
  const witness = tf.tensor1d(Float32Array.from({ length: 1000 }, (_, index) => index));
  const filler: TensorInfo[] = [];
  // memory that is not touched costs the machine nothing
  for (const floats of [2 ** 24, 2 ** 18, 2 ** 12]) {
    const error = errorOf(() => {
      for (;;) filler.push(backend.makeOutput([floats], 'float32'));
    });
    expect(failureOf(error).code).toBe('oom');
  }
  expect(backend.wasm.HEAPU8.length).toBeGreaterThan(4.29e9);
  expect(failureOf(errorOf(() => withProgram(train))).code).toBe('oom');
  expect(engine.liveTensors()).toBe(baseline + 1 + filler.length);

  // the highest few MiB are given back: what is trained there lies beyond 2³¹, where addresses are negative to wasm
  const highest = filler.toSorted((one, other) => backend.getMemoryOffset(other.dataId) - backend.getMemoryOffset(one.dataId)).slice(0, 64);
  expect(backend.getMemoryOffset(highest.at(-1)!.dataId)).toBeGreaterThan(2 ** 31);
  for (const { dataId } of highest) backend.disposeData(dataId);
  expect(withProgram(train)).toEqual(undisturbed);
  expect([...witness.dataSync()]).toEqual(Array.from({ length: 1000 }, (_, index) => index));

  for (const { dataId } of filler) backend.disposeData(dataId);
  witness.dispose();
  expect(withProgram(train)).toEqual(undisturbed);
});

test('a number in use is not given to another tensor, however far the count has come', () => {
  const numberOf = ({ dataId }: TensorInfo): number => (backend as unknown as { dataIdMap: { get(dataId: object): { id: number } } }).dataIdMap.get(dataId).id;
  const held = tf.tensor1d([1, 2, 3]);
  const last = 2 ** 31 - 1;
  backend.dataIdNextNumber = last - 1;
  const [one, other] = [tf.ones([2]), tf.zeros([2])];
  expect([one, other].map(numberOf).every((number) => number > 0 && number <= last)).toBe(true);
  backend.dataIdNextNumber = numberOf(held) - 1;
  expect(withProgram(train)).toEqual(undisturbed);
  expect([...held.dataSync()]).toEqual([1, 2, 3]);
  tf.dispose([held, one, other]);
});

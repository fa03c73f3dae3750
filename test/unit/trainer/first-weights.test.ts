// First weights from a file: what is wrong with the file is told apart from what the engine has no memory for.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { encodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import type { CompiledProgram, Engine } from '../../../worker/trainer/engines/index.js';
import { failureOf } from '../../../worker/trainer/failures.js';
import { prepare } from '../../../worker/trainer/prepare.js';
import { resolved } from '../../resume/support/run-training.js';
import { makeTempDir } from '../../support/temp.js';
import { makeToyProgram } from './support/toy-program.js';

const spec = resolved({ data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] } });
const FULL = new Error('Invalid TF_Status: 8\nMessage: OOM when allocating tensor with shape[64,10]');

/** What a trainer says of these bytes as first weights, where its engine has no memory for any. */
async function failure(bytes: Uint8Array): Promise<{ said: ReturnType<typeof failureOf>; loads: number }> {
  const dir = await makeTempDir('first-weights');
  onTestFinished(dir.remove);
  const path = join(dir.path, 'init.safetensors');
  await writeFile(path, bytes);
  let loads = 0;
  const compiled: CompiledProgram = {
    ...makeToyProgram(),
    loadWeights() {
      loads += 1;
      throw FULL;
    },
  };
  const engine: Engine = { name: 'wasm', device: 'none', numerics: 'toy', memoryBytes: null, compile: () => compiled, liveTensors: () => 0 };
  const start = { type: 'start', attempt: 'a', spec, data: { train: { type: 'builtin', name: 'digits' }, validation: null, memoryBytes: 2 ** 20 }, initFile: { path, param: 'model.init.from' }, resume: null, parts: 1, memoryBytes: null, lifetimeMs: 3_600_000, pauseAt: null, spoolDir: dir.path } as const;
  const error: unknown = await prepare(start, engine).then(() => null, (thrown: unknown) => thrown);
  return { said: failureOf(error), loads };
}

test('that the engine has no memory for are oom, which is tried again: the file is none the worse for it', async () => {
  const bytes = encodeSafetensors(new Map([['dense_1/kernel', { dtype: 'F32', shape: [64, 10], data: new Float32Array(640) }]]));
  expect(await failure(bytes)).toEqual({ said: { code: 'oom', message: FULL.message, param: null }, loads: 1 });
});

test('that cannot be read are invalid data, by the field that names them', async () => {
  expect(await failure(Buffer.from('no weights at all'))).toEqual({ said: { code: 'invalid_data', message: expect.stringMatching(/^init\.safetensors: /) as string, param: 'model.init.from' }, loads: 0 });
});

// A whole training against one made with Keras's gradients in float64: no part of this project was involved in it.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSafetensorsFile } from '../../lib/checkpoints/safetensors.js';
import type { JobSpecInput } from '../../lib/contract/spec.js';
import { runTraining, type RunResult } from './support/run-training.js';

interface Expected {
  updates: number;
  unused_micro_batches: number;
  window_mean_loss: number[];
  keras_float32_max_abs_deviation: Record<string, number>;
}

/** float64 tensors of a safetensors file. */
function readFloat64(path: string): Map<string, Float64Array> {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8')) as Record<string, { dtype: string; data_offsets: [number, number] }>;
  return new Map(
    Object.entries(header).filter(([name]) => name !== '__metadata__').map(([name, { dtype, data_offsets: [begin, end] }]) => {
      if (dtype !== 'F64') throw new Error(`${name} is ${dtype}`);
      return [name, new Float64Array(bytes.buffer.slice(bytes.byteOffset + 8 + length + begin, bytes.byteOffset + 8 + length + end))];
    }),
  );
}

describe.each(['seed', 'ragged-amsgrad', 'ragged-flush'])('the reference training %s', (name) => {
  const folder = fileURLToPath(new URL(`../fixtures/cnn/${name}`, import.meta.url));
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected;
  let dir: string;
  let result: RunResult;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pawl-reference-'));
    const spec = JSON.parse(readFileSync(join(folder, 'job.json'), 'utf8')) as JobSpecInput;
    result = await runTraining({ spec, dir, dataRoot: folder, initFile: join(folder, 'init.safetensors') });
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test('makes the same updates and leaves the same micro-batches unused', () => {
    expect(result.outcome).toMatchObject({ updates: expected.updates, unusedMicroBatches: expected.unused_micro_batches });
  });
  test('has the same mean loss in every window', () => {
    expect(result.updateRows).toHaveLength(expected.window_mean_loss.length);
    result.updateRows.forEach(({ loss }, index) => expect(Math.abs(loss! - expected.window_mean_loss[index]!), `window ${index + 1}`).toBeLessThan(1e-5));
  });
  test('ends with the same weights: within ten times what Keras in float32 ends from float64', async () => {
    const tolerance = 10 * Math.max(...Object.values(expected.keras_float32_max_abs_deviation));
    const weights = readFloat64(join(folder, 'expected.safetensors'));
    const state = await readSafetensorsFile(result.stateFile);
    for (const [weight, values] of weights) {
      const actual = state.get(weight)!.data;
      expect(actual).toHaveLength(values.length);
      const worst = values.reduce((most, value, index) => Math.max(most, Math.abs(value - actual[index]!)), 0);
      expect(worst, weight).toBeLessThan(tolerance);
      console.log(`${name} ${weight}: ${worst.toExponential(2)} of ${tolerance.toExponential(2)}`);
    }
  });
});

// The training that Pawl began with, as a job through the running system, against its reference in float64; and other
// settings of the same job against each other.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseSafetensorsHeader } from '../../../lib/checkpoints/safetensors-header.js';
import { decodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { startTestSystem, type TestSystem } from '../../support/system.js';

const fixtures = join(import.meta.dirname, '../../fixtures/cnn');
const folder = join(fixtures, 'seed');
let system: TestSystem;

beforeAll(async () => {
  system = await startTestSystem({ env: { PAWL_DATA_ROOTS: folder } });
  await system.startController();
  await system.startWorker();
});
afterAll(() => system.stop());

const json = async <T>(name: string): Promise<T> => JSON.parse(await readFile(join(folder, name), 'utf8')) as T;

/** Tensors of float64, by name. */
async function float64Tensors(path: string): Promise<Map<string, Float64Array>> {
  const bytes = await readFile(path);
  const header = parseSafetensorsHeader(bytes);
  return new Map(header.entries.map((entry) => {
    expect(entry.dtype).toBe('F64');
    return [entry.name, new Float64Array(bytes.buffer.slice(bytes.byteOffset + header.dataStart + entry.begin, bytes.byteOffset + header.dataStart + entry.end))];
  }));
}

async function weightsOf(job: string): Promise<ReturnType<typeof decodeSafetensors>> {
  const manifest = await system.manifest(job);
  const blob = manifest.blobs.find(({ role }) => role === 'weights')!;
  return decodeSafetensors((await system.store.get(blob.key))!.body);
}

describe('the seed recipe as a job', () => {
  test('ends within ten times Keras’s own float32 deviation from the float64 reference', async () => {
    const spec = await json<JobSpecInput>('job.json');
    const expected = await json<{ updates: number; unused_micro_batches: number; window_mean_loss: number[]; keras_float32_max_abs_deviation: Record<string, number> }>('expected.json');
    const job = await system.submit(spec);
    const head = await system.terminal(job);
    expect(head.state, head.message ?? '').toBe('succeeded');
    expect(head.result!.updates).toBe(expected.updates);
    expect(head.result!.unused_micro_batches).toBe(expected.unused_micro_batches);

    const rows = await system.rows(job);
    expect(rows.map((row) => row.update)).toEqual(expected.window_mean_loss.map((_, index) => index + 1));
    rows.forEach((row, index) => expect(Math.abs(row.loss! - expected.window_mean_loss[index]!), `window ${index + 1}`).toBeLessThan(1e-5));

    const yardstick = 10 * Math.max(...Object.values(expected.keras_float32_max_abs_deviation));
    const reference = await float64Tensors(join(folder, 'expected.safetensors'));
    const weights = await weightsOf(job);
    expect([...weights.keys()].sort()).toEqual([...reference.keys()].sort());
    let worst = 0;
    for (const [name, values] of reference) {
      const ours = weights.get(name)!.data;
      expect(ours.length).toBe(values.length);
      for (let i = 0; i < values.length; i++) worst = Math.max(worst, Math.abs(ours[i]! - values[i]!));
    }
    console.log(`largest deviation from float64: ${worst.toExponential(2)} (allowed ${yardstick.toExponential(2)})`);
    expect(worst).toBeLessThan(yardstick);
  });

  test('gives the same bits for both reductions where no micro-batch is ragged, and with max_updates instead of epochs', async () => {
    const spec = await json<JobSpecInput>('job.json');
    const variants: JobSpecInput[] = [
      spec,
      { ...spec, training: { ...spec.training, reduction: 'sample' } },
      { ...spec, training: { ...spec.training, epochs: null, max_updates: 24 } },
    ];
    const results = [];
    for (const variant of variants) {
      const head = await system.terminal(await system.submit(variant));
      expect(head.state, head.message ?? '').toBe('succeeded');
      results.push(head.result!.weights_sha256);
    }
    expect(new Set(results).size).toBe(1);
  });
});

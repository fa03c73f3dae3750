// Limits of memory, by whole jobs of `worker run`: what is too large is trained on in pieces where that can be, and refused
// with the numbers before anything is trained where it cannot.
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Head } from '../../../lib/contract/records.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { resolved } from '../../resume/support/run-training.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { bigEndian, idxOf } from '../../unit/data/idx-files.js';
import { bytesOf, npyOf, zipOf } from '../../unit/data/npz-files.js';

const WORKER = join(import.meta.dirname, '../../../dist/worker/main.js');

let dir: TempDir;
beforeAll(async () => void (dir = await makeTempDir('memory-limits')));
afterAll(() => dir.remove());

let runs = 0;
async function run(spec: JobSpecInput, env: Record<string, string>): Promise<Head> {
  const folder = join(dir.path, String(++runs));
  await mkdir(folder);
  const file = join(folder, 'job.json');
  await writeFile(file, JSON.stringify({ id: `job_${'0'.repeat(26)}`, created_at: '2026-01-01T00:00:00.000Z', spec: resolved(spec) }));
  const output = await new Promise<string>((resolve, reject) =>
    execFile(process.execPath, [WORKER, 'run', file, '--folder', folder], { env: { PATH: process.env['PATH'], PAWL_LOG_LEVEL: 'error', PAWL_DATA_ROOTS: dir.path, ...env } }, (error, stdout, stderr) => (error === null ? resolve(stdout) : reject(new Error(stderr)))),
  );
  return JSON.parse(output) as Head;
}

describe('a limit for data', () => {
  const [samples, side] = [600, 48];
  beforeAll(async () => {
    const x = Uint8Array.from({ length: samples * side * side }, (_, index) => (index * 7919) % 251);
    expect(x.byteLength).toBeGreaterThan(2 ** 20);
    const y = Int32Array.from({ length: samples }, (_, index) => index % 3);
    for (const deflate of [false, true]) {
      const members = [
        { name: 'x.npy', data: npyOf({ descr: '|u1', shape: [samples, side, side], data: x }), deflate },
        { name: 'y.npy', data: npyOf({ descr: '<i4', shape: [samples], data: bytesOf(y) }), deflate },
      ];
      await writeFile(join(dir.path, deflate ? 'compressed.npz' : 'stored.npz'), zipOf(members));
      const form = (bytes: Buffer) => (deflate ? gzipSync(bytes) : bytes);
      await writeFile(join(dir.path, deflate ? 'images.gzip' : 'images.plain'), form(idxOf({ shape: [samples, side, side], data: x })));
      await writeFile(join(dir.path, deflate ? 'labels.gzip' : 'labels.plain'), form(idxOf({ type: 0x0c, shape: [samples], data: bigEndian(y) })));
    }
  });
  const train = (data: { type: 'npz'; path: string } | { type: 'idx'; images: string; labels: string }, env: Record<string, string> = {}): Promise<Head> =>
    run(
      {
        data: { ...data, normalize: 'unit' },
        model: { layers: [{ type: 'conv2d', filters: 2, kernel_size: 3, strides: 4, activation: 'relu' }, { type: 'flatten' }, { type: 'dense', units: 3, activation: 'softmax' }] },
        training: { batch_size: 16, accum_iters: 3, epochs: 2, seed: 5 },
      },
      env,
    );

  const little = { PAWL_DATA_MEMORY_MIB: '1' };
  /** Of the set in memory. */
  let expected: string;
  const stateOf = ({ state, message, result }: Head): string => {
    expect(state, message ?? '').toBe('succeeded');
    return result!.state_sha256;
  };
  beforeAll(async () => void (expected = stateOf(await train({ type: 'npz', path: 'stored.npz' }))));

  it.each(['stored.npz', 'compressed.npz'])('changes no bit of what is trained on %s, read from its file or unpacked', async (path) => {
    expect(stateOf(await train({ type: 'npz', path }, little))).toBe(expected);
  });

  it.each(['plain', 'gzip'])('changes no bit of what is trained on images and labels, %s', async (form) => {
    for (const env of [{}, little]) expect(stateOf(await train({ type: 'idx', images: `images.${form}`, labels: `labels.${form}` }, env))).toBe(expected);
  });
});

describe('a limit for tensors', () => {
  const train = (numerics: 'strict' | 'fast', env: Record<string, string>): Promise<Head> =>
    run(
      {
        data: { type: 'builtin', name: 'synthetic', samples: 700, shape: [28, 28, 1], classes: 4 },
        model: { layers: [{ type: 'conv2d', filters: 16, kernel_size: 3, activation: 'relu' }, { type: 'max_pooling2d' }, { type: 'flatten' }, { type: 'dropout', rate: 0.3 }, { type: 'dense', units: 4, activation: 'softmax' }] },
        training: { batch_size: 256, accum_iters: 2, epochs: 2, seed: 3, numerics },
        resources: { engine: 'wasm' },
      },
      env,
    );
  const little = { PAWL_WASM_MEMORY_MIB: '24' };

  it('ends a strict job with the numbers, and splits the micro-batches of a fast one, which says so', async () => {
    // not the end of the job, which may find a larger worker: of this worker's try
    await expect(train('strict', little)).rejects.toThrow(/micro-batches of 256 samples need about \d+ MiB, and there are 24 MiB; a batch_size of \d+ would fit/);

    const [whole, split] = [await train('fast', {}), await train('fast', little)];
    expect(whole.result).toMatchObject({ numerics: 'strict', numerics_class: expect.stringMatching(/; batch 256; /) as string });
    expect(split.result).toMatchObject({ numerics: 'fast', updates: whole.result!.updates, numerics_class: expect.stringMatching(/; batch 256 in [248]+ parts; /) as string });
    expect(split.result!.weights_sha256).not.toBe(whole.result!.weights_sha256);
    for (const [metric, value] of Object.entries(whole.result!.metrics)) expect(split.result!.metrics[metric]! / value!, metric).toBeCloseTo(1, 2);

    const again = await train('fast', little);
    expect(again.result).toEqual(split.result);
  });
});

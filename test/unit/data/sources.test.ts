// The built-in sets, and what describeSource, loadSource and fingerprintSource make of every kind of source.
import { createHash } from 'node:crypto';
import { appendFile, readFile, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataSourceSpec } from '../../../lib/contract/spec.js';
import { describeSource } from '../../../lib/data/describe.js';
import { fingerprintSource } from '../../../lib/data/fingerprint.js';
import type { Dataset, ResolvedSource } from '../../../lib/data/source.js';
import { makeSynthetic, type SyntheticSource } from '../../../lib/data/synthetic.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { bytesOf, loadSource, smallNpz } from './npz-files.js';

let dir: TempDir;
beforeAll(async () => {
  dir = await makeTempDir('sources');
});
afterAll(() => dir.remove());

const sha256 = (...parts: Uint8Array[]) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');
const hashOf = ({ x, y }: Dataset) => sha256(bytesOf(x), bytesOf(y));
const synthetic = (changes: object = {}): ResolvedSource => ({ type: 'builtin', name: 'synthetic', samples: 200, shape: [8, 8, 1], classes: 10, seed: 0, ...changes });

describe('digits', () => {
  it('are the 1797 digits of the reference, value by value', async () => {
    const { description, x, y } = await loadSource({ type: 'builtin', name: 'digits' });
    expect(description).toEqual({ samples: 1797, shape: [8, 8, 1], classes: 10, labels: 'integer', dtype: 'uint8', unit: 16 });
    expect([...x.subarray(0, 8), ...x.subarray(-3)]).toEqual([0, 0, 5, 13, 9, 1, 0, 0, 12, 1, 0]);
    expect([...y.subarray(0, 10), y.at(-1)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8]);
    expect(Math.max(...x)).toBe(16);
    expect(hashOf({ description, x, y })).toBe('fe61bc84cd6a594d5ed1b937b7d8f8f791d4091d2a9df91fe5d6066156a4db6e');
  });

  it('are the ones of the reference trainings, in their order', async () => {
    const digits = await loadSource({ type: 'builtin', name: 'digits' });
    const path = new URL('../../fixtures/cnn/seed/data.npz', import.meta.url).pathname;
    const seed = await loadSource({ type: 'npz', path, x: 'x', y: 'y' });
    const rows = new Set(Array.from({ length: 1797 }, (_, i) => digits.x.subarray(i * 64, i * 64 + 64).join()));
    const scaled = seed.x.map((value) => value * 16);
    for (let i = 0; i < 300; i++) expect(rows.has(scaled.subarray(i * 64, i * 64 + 64).join())).toBe(true);
  });
});

describe('synthetic', () => {
  it('is the same for ever: a change of a value needs a new version', async () => {
    expect(hashOf(await loadSource(synthetic()))).toBe('8f8b5336b41d2b811f01063a56a25c5821d6c1b72310b081e2bc9de98c9a1f8d');
    expect(hashOf(await loadSource(synthetic({ samples: 7, shape: [5, 3, 2], classes: 3, seed: 2 ** 40 })))).toBe('d64b8cebef04be23054a14106a5222203bd1f630ff79c4b9335c869dbedb4923');
  });

  it('holds multiples of 1/256 in [0, 2), and every class equally often', async () => {
    const { description, x, y } = await loadSource(synthetic({ seed: 5 }));
    expect(description).toEqual({ samples: 200, shape: [8, 8, 1], classes: 10, labels: 'integer', dtype: 'float32', unit: null });
    expect(x.every((value) => value >= 0 && value < 2 && Number.isInteger(value * 256))).toBe(true);
    expect(Array.from({ length: 10 }, (_, label) => y.filter((value) => value === label).length)).toEqual(Array<number>(10).fill(20));
  });

  it('is longer by more of the same: earlier samples do not depend on their number', async () => {
    const [short, long] = [await loadSource(synthetic()), await loadSource(synthetic({ samples: 300 }))];
    expect(long.x.subarray(0, short.x.length)).toEqual(short.x);
  });

  it('can be learned, and from other seeds: the nearest class mean of one seed labels the samples of another', async () => {
    for (const shape of [[8, 8, 1], [12, 10, 3], [3, 5, 1]]) {
      const train = await loadSource(synthetic({ shape, samples: 500, seed: 1 }));
      const test = await loadSource(synthetic({ shape, samples: 200, seed: 2 }));
      expect(nearestMeanAccuracy(train, test)).toBeGreaterThan(0.9);
      expect(test.x.subarray(0, 15)).not.toEqual(train.x.subarray(0, 15));
    }
  });

  it('of more than the allowed bytes is refused', async () => {
    const { samples, shape, classes, seed } = synthetic() as SyntheticSource;
    expect(() => makeSynthetic({ samples, shape, classes, seed }, 200 * 65 * 4 - 1)).toThrow(expect.objectContaining({ code: 'invalid_data', param: 'data.samples' }) as Error);
    const source = { ...synthetic({ samples: 10_000_000, shape: [1000, 1000, 3] }), normalize: 'none' } as DataSourceSpec;
    await expect(describeSource(source, [], 'data.validation')).rejects.toMatchObject({ code: 'invalid_data', param: 'data.validation.samples' });
  });
});

function nearestMeanAccuracy(train: Dataset, test: Dataset): number {
  const { classes, shape } = train.description;
  const pixels = shape[0] * shape[1] * shape[2];
  const means = Array.from({ length: classes }, () => new Float64Array(pixels));
  train.y.forEach((label, i) => {
    for (let p = 0; p < pixels; p++) means[label]![p]! += (train.x[i * pixels + p]! * classes) / train.y.length;
  });
  const distance = (mean: Float64Array, i: number) => mean.reduce((sum, value, p) => sum + (value - test.x[i * pixels + p]!) ** 2, 0);
  const right = test.y.filter((label, i) => {
    const distances = means.map((mean) => distance(mean, i));
    return distances.indexOf(Math.min(...distances)) === label;
  });
  return right.length / test.y.length;
}

describe('describeSource', () => {
  it('settles a location, describes what loadSource then loads, and hashes its bytes', async () => {
    await writeFile(join(dir.path, 'set.npz'), smallNpz());
    const source: DataSourceSpec = { type: 'npz', path: 'file:set.npz', x: 'x', y: 'y', normalize: 'unit' };
    const { description, resolved, sha256: hash } = await describeSource(source, [dir.path]);
    expect(resolved).toEqual({ type: 'npz', path: join(dir.path, 'set.npz'), x: 'x', y: 'y' });
    expect((await loadSource(resolved)).description).toEqual(description);
    expect(await hash()).toBe(sha256(smallNpz()));
  });

  it('refuses a compressed array for which there would be no memory, if it is told how much there is', async () => {
    await writeFile(join(dir.path, 'packed.npz'), smallNpz({ xMember: { deflate: true } }));
    const source: DataSourceSpec = { type: 'npz', path: 'packed.npz', x: 'x', y: 'y', normalize: 'none' };
    expect((await describeSource(source, [dir.path], 'data')).description.samples).toBe(4);
    expect((await describeSource(source, [dir.path], 'data', { memoryBytes: 16 })).description.samples).toBe(4);
    await expect(describeSource(source, [dir.path], 'data', { memoryBytes: 15 })).rejects.toMatchObject({ code: 'invalid_data', message: expect.stringContaining('numpy.savez instead of numpy.savez_compressed') });
  });

  it('describes the built-in sets as they are loaded, and resolves them without their normalisation', async () => {
    for (const resolved of [{ type: 'builtin', name: 'digits' } as const, synthetic() as ResolvedSource & { type: 'builtin' }]) {
      const described = await describeSource({ ...resolved, normalize: 'none' }, []);
      expect(described.resolved).toEqual(resolved);
      expect(described.description).toEqual((await loadSource(resolved)).description);
      expect(await described.sha256()).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it('names the field that holds a bad location', async () => {
    const source: DataSourceSpec = { type: 'npz', path: '../x', x: 'x', y: 'y', normalize: 'none' };
    await expect(describeSource(source, [dir.path], 'data.validation')).rejects.toMatchObject({ code: 'invalid_location', param: 'data.validation.path' });
    await expect(describeSource({ ...source, path: 'none.npz' }, [dir.path])).rejects.toMatchObject({ code: 'data_missing', param: 'data.path' });
  });
});

describe('fingerprintSource', () => {
  it('of built-in sets depends on the name and every parameter, and is kept here', async () => {
    expect(await fingerprintSource({ type: 'builtin', name: 'digits' })).toBe(sha256(Buffer.from('["pawl/builtin","digits",1]')));
    expect(await fingerprintSource(synthetic())).toBe(sha256(Buffer.from('["pawl/builtin","synthetic",1,200,[8,8,1],10,0]')));
    const all = await Promise.all([{}, { samples: 201 }, { shape: [8, 1, 8] }, { classes: 11 }, { seed: 1 }].map((changes) => fingerprintSource(synthetic(changes))));
    expect(new Set(all).size).toBe(5);
  });

  it('of a file is the sha256 of its bytes, whatever arrays are asked for', async () => {
    const path = join(dir.path, 'large.bin');
    const bytes = Buffer.alloc(3_000_001, 'pawl');
    await writeFile(path, bytes);
    expect(await fingerprintSource({ type: 'npz', path, x: 'x', y: 'y' })).toBe(sha256(bytes));
    expect(await fingerprintSource({ type: 'npz', path, x: 'a', y: 'b' })).toBe(sha256(bytes));
  });

  it('of a set whose stored array is damaged is refused: it may be read in pieces later, which have no checksum', async () => {
    const path = join(dir.path, 'damaged.npz');
    const large = { shape: [4, 1000, 1000], data: new Uint8Array(4e6) };
    for (const [bytes, at] of [[smallNpz({ x: large }), 2_000_000], [smallNpz({ x: large, xMember: { deflate: true } }), null]] as const) {
      const source = { type: 'npz', path, x: 'x', y: 'y' } as const;
      await writeFile(path, bytes);
      expect(await fingerprintSource(source)).toBe(sha256(bytes));
      if (at !== null) bytes[at] = 1;
      else bytes[bytes.indexOf(bytesOf(BigInt64Array.of(2n, 1n)))] = 1; // a label
      await writeFile(path, bytes);
      await expect(fingerprintSource(source)).rejects.toMatchObject({ code: 'invalid_data', message: `damaged.npz, array "${at === null ? 'y' : 'x'}": its checksum is wrong: the file is damaged` });
      expect(await fingerprintSource({ ...source, x: 'a', y: 'b' })).toBe(sha256(bytes)); // whom it does not concern
    }
  });

  it('notices every change, also one of the same size in the same instant, or with its old time put back', async () => {
    const path = join(dir.path, 'changing.bin');
    for (let i = 0; i < 20; i++) {
      await writeFile(path, `version ${String(i).padStart(4)}`);
      await utimes(path, 1000, 1000);
      expect(await fingerprintSource({ type: 'npz', path, x: 'x', y: 'y' })).toBe(sha256(Buffer.from(`version ${String(i).padStart(4)}`)));
    }
  });

  it('does not hash a file that is written to meanwhile', async () => {
    const path = join(dir.path, 'growing.bin');
    await writeFile(path, '');
    await truncate(path, 64 * 1024 * 1024);
    let hashing = true;
    const outcome = fingerprintSource({ type: 'npz', path, x: 'x', y: 'y' })
      .catch((error: unknown) => error)
      .finally(() => (hashing = false));
    while (hashing) await appendFile(path, 'x');
    expect(await outcome).toMatchObject({ code: 'data_changed' });
  });

  it('remembers a file that has been left alone', async () => {
    const path = new URL('../../fixtures/cnn/seed/data.npz', import.meta.url).pathname;
    const source = { type: 'npz', path, x: 'x', y: 'y' } as const;
    const [a, b] = await Promise.all([fingerprintSource(source), fingerprintSource(source)]);
    expect([a, b, await fingerprintSource(source)]).toEqual(Array<string>(3).fill(sha256(await readFile(path))));
  });

  it('of a file that is not there is data_missing', async () => {
    await expect(fingerprintSource({ type: 'npz', path: join(dir.path, 'gone'), x: 'x', y: 'y' })).rejects.toMatchObject({ code: 'data_missing' });
  });
});

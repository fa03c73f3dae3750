// The built-in sets, and what settleSource and loadSource make of every kind of source.
import { createHash } from 'node:crypto';
import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataSourceSpec } from '../../../lib/contract/spec.js';
import { describeSource } from '../../../lib/data/describe.js';
import { fingerprintBuiltin } from '../../../lib/data/fingerprint.js';
import { resolveLocation } from '../../../lib/data/locations.js';
import { loadSources } from '../../../lib/data/load.js';
import { openLocation } from '../../../lib/data/places.js';
import { type FetchFile, settleSource } from '../../../lib/data/settle.js';
import type { Dataset, PinnedFile, ResolvedSource } from '../../../lib/data/source.js';
import { makeSynthetic, type SyntheticSource } from '../../../lib/data/synthetic.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { smallIdx } from './idx-files.js';
import { bytesOf, loadSource, smallNpz } from './npz-files.js';

let dir: TempDir;
beforeAll(async () => {
  dir = await makeTempDir('sources');
});
afterAll(() => dir.remove());

const sha256 = (...parts: Uint8Array[]) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');
const hashOf = ({ x, y }: Dataset) => sha256(bytesOf(x), bytesOf(y));
/** Files of the test's folder, as a worker without buckets finds them. */
const fetch: FetchFile = async (location, param) => ({ path: await resolveLocation(location, [dir.path], param), fingerprint: null });
async function loaded(source: ResolvedSource) {
  const { sets, hashed, close } = await loadSources([source], { unpackDir: dir.path });
  await close();
  return { sets, hashed };
}
const nowhere = () => Promise.reject(new Error('nothing is to be opened'));
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

  it('that the job has no memory for is refused with the numbers, before it is made; two have to fit together', async () => {
    const [small, large] = [synthetic(), synthetic({ samples: 5_000, shape: [32, 32, 3] })];
    const bytes = 200 * 65 * 4;
    const load = (sources: ResolvedSource[], jobMemoryBytes: number) => loadSources(sources, { memoryBytes: 0, jobMemoryBytes, unpackDir: dir.path }).then(({ sets }) => ({ made: sets.length }), (error: unknown) => error);
    const before = process.memoryUsage().arrayBuffers;
    expect(await load([large], 50 * 2 ** 20)).toMatchObject({ code: 'oom', message: '5000 synthetic samples of [32, 32, 3] need 59 MiB, and there are 50 MiB for this job' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
    expect(await load([small], bytes - 1)).toMatchObject({ code: 'oom' });
    expect(await load([small, small], 2 * bytes - 1)).toMatchObject({ code: 'oom' });
    expect(await load([small, small], 2 * bytes)).toEqual({ made: 2 });
  });

  it('of more than the allowed bytes is refused', async () => {
    const { samples, shape, classes, seed } = synthetic() as SyntheticSource;
    expect(() => makeSynthetic({ samples, shape, classes, seed }, 200 * 65 * 4 - 1)).toThrow(expect.objectContaining({ code: 'invalid_data', param: 'data.samples' }) as Error);
    const source = { ...synthetic({ samples: 10_000_000, shape: [1000, 1000, 3] }), normalize: 'none' } as DataSourceSpec;
    await expect(describeSource(source, nowhere, 'data.validation')).rejects.toMatchObject({ code: 'invalid_data', param: 'data.validation.samples' });
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

describe('settleSource', () => {
  it('settles a location, describes what loadSource then loads, and knows its sha256 once it was loaded', async () => {
    await writeFile(join(dir.path, 'set.npz'), smallNpz());
    const source: DataSourceSpec = { type: 'npz', path: 'file:set.npz', x: 'x', y: 'y', normalize: 'unit' };
    const { description, resolved, sha256: known } = await settleSource(source, fetch);
    expect(resolved).toEqual({ type: 'npz', path: join(dir.path, 'set.npz'), identity: expect.any(String) as string, param: 'data.path', hash: true, x: 'x', y: 'y' });
    const { sets, hashed } = await loaded(resolved);
    expect([sets[0]!.description, known([]), known(hashed)]).toEqual([description, null, sha256(smallNpz())]);
    expect(await describeSource(source, (location, param) => openLocation({ roots: [dir.path], buckets: null }, location, param))).toEqual(description);
  });

  it('hashes both files of a set of two, and binds each', async () => {
    const { images, labels } = smallIdx();
    await writeFile(join(dir.path, 'images'), images);
    await writeFile(join(dir.path, 'labels'), labels);
    const { description, resolved, sha256: known } = await settleSource({ type: 'idx', images: 'images', labels: 'labels', normalize: 'none' }, fetch);
    expect(resolved).toMatchObject({ type: 'idx', images: { path: join(dir.path, 'images'), param: 'data.images' }, labels: { path: join(dir.path, 'labels'), param: 'data.labels' } });
    const { sets, hashed } = await loaded(resolved);
    expect(sets[0]!.description).toEqual(description);
    expect(known(hashed)).toBe(sha256(Buffer.from(`${sha256(images)}\n${sha256(labels)}`)));
    expect(known(hashed.slice(1))).toBeNull();
    await writeFile(join(dir.path, 'labels'), labels);
    await expect(loadSource(resolved)).rejects.toMatchObject({ code: 'data_changed', param: 'data.labels', message: '"labels" is not the file any more that it was' });
  });

  it('never lets another file be trained on than the one described: replaced, also by the same size at the same time', async () => {
    const path = join(dir.path, 'swapped.npz');
    await writeFile(path, smallNpz());
    await utimes(path, 1000, 1000);
    const { resolved } = await settleSource({ type: 'npz', path: 'swapped.npz', x: 'x', y: 'y', normalize: 'none' }, fetch);
    await writeFile(path, smallNpz({ x: { data: new Uint8Array(16) } }));
    await utimes(path, 1000, 1000);
    await expect(loadSource(resolved)).rejects.toMatchObject({ code: 'data_changed', param: 'data.path' });
  });

  it('takes the hash of a copy that was made, if the copy is still that one', async () => {
    const path = join(dir.path, 'copy.npz');
    await writeFile(path, smallNpz());
    const { resolved: first } = await settleSource({ type: 'npz', path: 'copy.npz', x: 'x', y: 'y', normalize: 'none' }, fetch);
    const { identity } = first as PinnedFile;
    const copied: FetchFile = async () => ({ path, fingerprint: { sha256: 'of the copy', identity: identity! } });
    const { resolved, sha256: known } = await settleSource({ type: 'npz', path: 'copy.npz', x: 'x', y: 'y', normalize: 'none' }, copied);
    expect([resolved, known([])]).toEqual([{ ...first, hash: false }, 'of the copy']);
    await writeFile(path, smallNpz());
    await expect(settleSource({ type: 'npz', path: 'copy.npz', x: 'x', y: 'y', normalize: 'none' }, copied)).rejects.toMatchObject({ code: 'data_changed', param: 'data.path' });
  });

  it('describes the built-in sets as they are loaded, and resolves them without their normalisation', async () => {
    for (const resolved of [{ type: 'builtin', name: 'digits' } as const, synthetic() as ResolvedSource & { type: 'builtin' }]) {
      const settled = await settleSource({ ...resolved, normalize: 'none' }, nowhere);
      expect(settled.resolved).toEqual(resolved);
      expect(settled.description).toEqual((await loadSource(resolved)).description);
      expect(settled.sha256([])).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it('names the field that holds a bad location, or bad data', async () => {
    const source: DataSourceSpec = { type: 'npz', path: '../x', x: 'x', y: 'y', normalize: 'none' };
    await expect(settleSource(source, fetch, 'data.validation')).rejects.toMatchObject({ code: 'invalid_location', param: 'data.validation.path' });
    await expect(settleSource({ ...source, path: 'none.npz' }, fetch)).rejects.toMatchObject({ code: 'data_missing', param: 'data.path' });
    await writeFile(join(dir.path, 'no.npz'), 'no zip');
    await expect(settleSource({ ...source, path: 'no.npz' }, fetch)).rejects.toMatchObject({ code: 'invalid_data', param: 'data.path' });
    await writeFile(join(dir.path, 'images'), smallIdx().images);
    await writeFile(join(dir.path, 'labels'), smallIdx().images);
    await expect(settleSource({ type: 'idx', images: 'images', labels: 'labels', normalize: 'none' }, fetch, 'data.validation')).rejects.toMatchObject({ code: 'invalid_data', param: 'data.validation.labels' });
  });
});

describe('a fingerprint', () => {
  it('of built-in sets depends on the name and every parameter, and is kept here', () => {
    const of = (changes: object) => fingerprintBuiltin(synthetic(changes) as ResolvedSource & { type: 'builtin' });
    expect(fingerprintBuiltin({ type: 'builtin', name: 'digits' })).toBe(sha256(Buffer.from('["pawl/builtin","digits",1]')));
    expect(of({})).toBe(sha256(Buffer.from('["pawl/builtin","synthetic",1,200,[8,8,1],10,0]')));
    expect(new Set([{}, { samples: 201 }, { shape: [8, 1, 8] }, { classes: 11 }, { seed: 1 }].map(of)).size).toBe(5);
  });
});

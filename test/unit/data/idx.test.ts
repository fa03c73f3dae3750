import { constants } from 'node:buffer';
import { open, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeBatcher } from '../../../lib/data/batches.js';
import { describeSource } from '../../../lib/data/describe.js';
import { MAX_UNPACKED_BYTES } from '../../../lib/data/file-set.js';
import { isInMemory, loadSources, type LoadOptions } from '../../../lib/data/load.js';
import { openDataFile } from '../../../lib/data/locations.js';
import { isStored, type ResolvedSource, type Samples, type StoredArray } from '../../../lib/data/source.js';
import { makeStreamedBatcher } from '../../../lib/data/streamed-batches.js';
import { isAppError } from '../../../lib/errors.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { bigEndian, idxOf, smallIdx } from './idx-files.js';
import { loadSource } from './npz-files.js';

let dir: TempDir;
let source: Extract<ResolvedSource, { type: 'idx' }>;
beforeAll(async () => {
  dir = await makeTempDir('idx');
  source = { type: 'idx', images: { path: join(dir.path, 'images') }, labels: { path: join(dir.path, 'labels') } };
});
afterAll(() => dir.remove());

interface Files {
  images: Uint8Array;
  labels: Uint8Array;
}

async function write({ images, labels }: Files): Promise<void> {
  await writeFile(source.images.path, images);
  await writeFile(source.labels.path, labels);
}

async function load(files: Files, options: Partial<LoadOptions> = {}) {
  await write(files);
  return loadSource(source, { unpackDir: dir.path, ...options });
}

const describeIdx = () => describeSource({ type: 'idx', images: source.images.path, labels: source.labels.path, normalize: 'none' }, openDataFile);
const zipped = ({ images, labels }: Files): Files => ({ images: gzipSync(images), labels: gzipSync(labels) });

describe('an IDX set', () => {
  it.each(['plain', 'both in gzip', 'images in gzip', 'labels in gzip'])('is read, %s, whatever its files are called', async (how) => {
    const [plain, gzip] = [smallIdx(), zipped(smallIdx())];
    const files = how === 'plain' ? plain : { images: how === 'labels in gzip' ? plain.images : gzip.images, labels: how === 'images in gzip' ? plain.labels : gzip.labels };
    const { description, x, y } = await load(files);
    expect(description).toEqual({ samples: 4, shape: [2, 2, 1], classes: 3, labels: 'integer', dtype: 'uint8', unit: 255 });
    expect(x).toEqual(Uint8Array.from({ length: 16 }, (_, i) => i * 17));
    expect(y).toEqual(Int32Array.of(0, 2, 1, 2));
    expect(await describeIdx()).toEqual(description);
  });

  it('has channels in four dimensions', async () => {
    const { description, x } = await load(smallIdx({ images: { shape: [4, 1, 2, 2] } }));
    expect(description.shape).toEqual([1, 2, 2]);
    expect(x).toEqual(Uint8Array.from({ length: 16 }, (_, i) => i * 17));
  });

  it.each<[string, number, Uint8Array]>([
    ['uint8', 0x08, Uint8Array.of(0, 250, 1, 9)],
    ['int8', 0x09, Uint8Array.of(0, 100, 1, 9)],
    ['int16', 0x0b, bigEndian(Int16Array.of(0, 300, 1, 9))],
    ['int32', 0x0c, bigEndian(Int32Array.of(0, 65_535, 1, 9))],
  ])('has labels of %s, in memory, by range and unpacked', async (_type, type, data) => {
    const files = smallIdx({ labels: { type, data } });
    const { description, y } = await load(files);
    expect(y[1]).toBeGreaterThan(99);
    expect([y[0], y[2], y[3], description.classes]).toEqual([0, 1, 9, y[1]! + 1]);
    for (const some of [files, zipped(files)]) {
      await write(some);
      const { sets, close } = await loadSources([source], { memoryBytes: 0, unpackDir: dir.path });
      const batch = makeStreamedBatcher(sets[0]!, { normalize: 'none', batchSize: 4 }).begin(0, 4, (position) => 3 - position);
      await batch.ready;
      const { y: rows } = batch.gather();
      expect([3, 2, 1, 0].map((row) => rows.subarray(row * description.classes, (row + 1) * description.classes).indexOf(1))).toEqual([...y]);
      await close();
    }
  });

  it('has the same batches from memory, by range and unpacked', async () => {
    const [samples, side] = [60, 5];
    const pixels = Uint8Array.from({ length: samples * side * side }, (_, i) => (i * 7919) >> 3);
    const files = { images: idxOf({ shape: [samples, side, side], data: pixels }), labels: idxOf({ shape: [samples], data: Uint8Array.from({ length: samples }, (_, i) => i % 7) }) };
    const memory = makeBatcher(await load(files), { normalize: 'unit' });
    const at = (position: number) => (position * 37) % samples;
    for (const [some, reads] of [[files, true], [zipped(files), false]] as const) {
      await write(some);
      const { sets, close } = await loadSources([source], { memoryBytes: 0, unpackDir: dir.path });
      expect(isInMemory(sets[0]!)).toBe(false);
      const stored = sets[0]!.x as { file: { name: string }; startBytes: number };
      expect([stored.file.name, stored.startBytes]).toEqual(['images', reads ? 16 : 0]);
      const streamed = makeStreamedBatcher(sets[0]!, { normalize: 'unit', batchSize: 16 });
      for (let from = 0; from < samples; from += 16) {
        const batch = streamed.begin(from, Math.min(samples, from + 16), at);
        await batch.ready;
        expect(batch.gather()).toEqual(memory.gather(from, Math.min(samples, from + 16), at));
        batch.release();
      }
      await close();
    }
    expect((await readdir(dir.path)).sort()).toEqual(['images', 'labels']);
  });
});

/** More than is looked at for a header. */
const noise = Uint8Array.from({ length: 4 * 900 * 900 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
/** What is wrong → the files, which of them says so, and what the message has to say after its name. */
const HOSTILE: [string, () => Files, 'images' | 'labels', string][] = [
  ['no bytes', () => ({ ...smallIdx(), images: Buffer.alloc(0) }), 'images', 'it ends after 0 bytes, within its magic number'],
  ['another format', () => ({ ...smallIdx(), images: Buffer.from('\x89PNG\r\n\x1a\n and more', 'latin1') }), 'images', 'its magic number is 0x89504e47; images have 0x00000803 (uint8 [N, height, width]) or 0x00000804'],
  ['labels for images', () => ({ ...smallIdx(), images: smallIdx().labels }), 'images', 'its magic number is 0x00000801, which is that of labels; images have'],
  ['images for labels', () => ({ ...smallIdx(), labels: smallIdx().images }), 'labels', 'its magic number is 0x00000803, which is that of images; labels have 0x00000801 (uint8), 0x00000901 (int8), 0x00000b01 (int16) or 0x00000c01 (int32)'],
  ['images of floats', () => smallIdx({ images: { magic: 0x0d03 } }), 'images', 'its magic number is 0x00000d03; images have'],
  ['flat images', () => smallIdx({ images: { shape: [4, 4] } }), 'images', 'its magic number is 0x00000802;'],
  ['images of five sizes', () => smallIdx({ images: { shape: [4, 2, 2, 1, 1] } }), 'images', 'its magic number is 0x00000805;'],
  ['label rows', () => smallIdx({ labels: { shape: [4, 1] } }), 'labels', 'its magic number is 0x00000802;'],
  ['labels of floats', () => smallIdx({ labels: { magic: 0x0d01 } }), 'labels', 'its magic number is 0x00000d01;'],
  ['a little-endian magic number', () => smallIdx({ images: { magic: 0x03080000 } }), 'images', 'its magic number is 0x03080000;'],
  ['a header that stops', () => ({ ...smallIdx(), images: smallIdx().images.subarray(0, 15) }), 'images', 'it ends after 15 bytes, within its 16 bytes of header'],
  ['a header in gzip that stops', () => ({ ...smallIdx(), images: gzipSync(smallIdx().images.subarray(0, 15)) }), 'images', 'it ends after 15 bytes, within its 16 bytes of header'],
  ['images that stop', () => ({ ...smallIdx(), images: smallIdx().images.subarray(0, 31) }), 'images', 'its header says [4, 2, 2], 16 bytes of values, and there are 15'],
  ['bytes after the images', () => ({ ...smallIdx(), images: Buffer.concat([smallIdx().images, Buffer.from('x')]) }), 'images', 'its header says [4, 2, 2], 16 bytes of values, and there are 17'],
  ['a shape with more values than there are', () => smallIdx({ images: { shape: [4, 2, 200] } }), 'images', 'its header says [4, 2, 200], 1600 bytes of values, and there are 16'],
  ['a shape whose product overflows', () => smallIdx({ images: { shape: [2 ** 32 - 1, 2 ** 32 - 1, 2] } }), 'images', 'its shape [4294967295, 4294967295, 2] has more values than can be counted'],
  ['no images', () => smallIdx({ images: { shape: [0, 2, 2], data: new Uint8Array(0) }, labels: { shape: [0], data: new Uint8Array(0) } }), 'images', 'its shape is [0, 2, 2]: it is empty'],
  ['images without pixels', () => smallIdx({ images: { shape: [4, 0, 2], data: new Uint8Array(0) } }), 'images', 'its shape is [4, 0, 2]: it is empty'],
  ['fewer labels than images', () => smallIdx({ labels: { shape: [3], data: new Uint8Array(3) } }), 'labels', 'it has 3 labels for 4 samples'],
  ['labels that stop', () => ({ ...smallIdx(), labels: smallIdx().labels.subarray(0, 11) }), 'labels', 'its header says [4], 4 bytes of values, and there are 3'],
  ['a negative label', () => smallIdx({ labels: { type: 0x0c, data: bigEndian(Int32Array.of(0, 1, -2, 1)) } }), 'labels', 'sample 2 has the label -2; class indices go from 0 to 65535'],
  ['a label beyond any number of classes', () => smallIdx({ labels: { type: 0x0c, data: bigEndian(Int32Array.of(0, 1, 1, 65_536)) } }), 'labels', 'sample 3 has the label 65536'],
  ['labels in gzip that stop', () => ({ ...smallIdx(), labels: gzipSync(smallIdx().labels.subarray(0, 11)) }), 'labels', 'its header says [4], 4 bytes of values, and it holds 3'],
  ['labels in gzip that go on', () => ({ ...smallIdx(), labels: gzipSync(Buffer.concat([smallIdx().labels, Buffer.alloc(100)])) }), 'labels', 'its header says [4], 4 bytes of values, and it holds more'],
  ['gzip that stops', () => ({ ...smallIdx(), labels: gzipSync(smallIdx().labels).subarray(0, -3) }), 'labels', 'its gzip data ends too early'],
  ['gzip without anything', () => ({ ...smallIdx(), labels: gzipSync(Buffer.alloc(0)) }), 'labels', 'it ends after 0 bytes, within its magic number'],
  ['gzip that is none', () => ({ ...smallIdx(), labels: Buffer.from([0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]) }), 'labels', 'its gzip data is damaged (unknown compression method)'],
  ['gzip that stops after two bytes', () => ({ ...smallIdx(), labels: Buffer.from([0x1f, 0x8b]) }), 'labels', 'its gzip data ends too early'],
  ['a wrong checksum', () => ({ ...smallIdx(), labels: changed(gzipSync(smallIdx().labels), -6) }), 'labels', 'its gzip data is damaged (incorrect data check)'],
  ['something after the gzip', () => ({ ...smallIdx(), labels: Buffer.concat([gzipSync(smallIdx().labels), Buffer.from('hello')]) }), 'labels', 'its gzip data is damaged'],
  ['zeros after the gzip', () => ({ ...smallIdx(), labels: Buffer.concat([gzipSync(smallIdx().labels), Buffer.alloc(5)]) }), 'labels', '5 bytes follow its gzip data'],
  ['a claim that gzip cannot hold', () => zipped(smallIdx({ images: { shape: [4, 20_000, 20_000] } })), 'images', 'its header says [4, 20000, 20000], 1600000000 bytes of values, which '],
];
/** Found only where all of the images are read. */
const HOSTILE_IMAGES: [string, () => Files, string][] = [
  ['images in gzip that stop', () => zipped({ ...smallIdx(), images: smallIdx().images.subarray(0, 31) }), 'its header says [4, 2, 2], 16 bytes of values, and it holds 15'],
  ['images in gzip that go on', () => zipped({ ...smallIdx(), images: Buffer.concat([smallIdx().images, noise]) }), 'its header says [4, 2, 2], 16 bytes of values, and it holds more'],
  ['gzip of images with a wrong checksum', () => ({ ...smallIdx(), images: changed(gzipSync(idxOf({ shape: [4, 900, 900], data: noise })), -6) }), 'its gzip data is damaged (incorrect data check)'],
];

function changed(bytes: Buffer, at: number): Buffer {
  bytes[bytes.length + at]! ^= 1;
  return bytes;
}

describe('a hostile IDX set', () => {
  it.each(HOSTILE)('is refused: %s', async (_what, make, which, message) => {
    await write(make());
    for (const run of [describeIdx, () => loadSource(source), () => loadSource(source, { memoryBytes: 0 })]) {
      const error: unknown = await run().then(() => new Error('it was read'), (thrown: unknown) => thrown);
      expect(isAppError(error, 'invalid_data'), String(error)).toBe(true);
      expect((error as Error).message).toContain(`${which}: ${message}`);
    }
    await expect(describeIdx()).rejects.toMatchObject({ param: `data.${which}` });
  });

  it.each(HOSTILE_IMAGES)('is refused when it is loaded: %s', async (_what, make, message) => {
    await write(make());
    expect((await describeIdx()).samples).toBe(4);
    for (const memoryBytes of [1e7, 0]) await expect(loadSource(source, { memoryBytes, unpackDir: dir.path })).rejects.toMatchObject({ code: 'invalid_data', message: `images: ${message}` });
    expect((await readdir(dir.path)).sort()).toEqual(['images', 'labels']);
  });

  it('is refused where it is compressed and claims more than is ever unpacked', async () => {
    const images = idxOf({ shape: [4, 2 ** 16, 2 ** 15, 2], data: new Uint8Array(0) });
    const claimed = 4 * 2 ** 32;
    // as many compressed bytes as such a claim takes
    await write({ ...smallIdx(), images: Buffer.concat([gzipSync(images), ...Array.from({ length: 16 }, () => gzipSync(Buffer.alloc(2 ** 20), { level: 0 }))]) });
    await expect(describeIdx()).rejects.toThrow(`images: it is compressed and has ${claimed} bytes, and at most ${MAX_UNPACKED_BYTES} are unpacked; store it uncompressed`);
  });

  it('that is a bomb is stopped by what it claims', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const bomb = gzipSync(Buffer.concat([smallIdx().images, Buffer.alloc(64 * 2 ** 20)]));
    for (const memoryBytes of [1e7, 0]) await expect(load({ ...smallIdx(), images: bomb }, { memoryBytes })).rejects.toThrow('16 bytes of values, and it holds more');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * 64 * 2 ** 20); // what the test itself made, and no more
  });

  it('with flipped, cut, inserted or repeated bytes is refused, or has the values that its bytes say', async () => {
    const seeds = [smallIdx(), zipped(smallIdx()), smallIdx({ images: { shape: [4, 1, 2, 2] }, labels: { type: 0x0b, data: bigEndian(Int16Array.of(0, 2, 1, 2)) } })];
    const rarely = <T>(value: fc.Arbitrary<T>, otherwise: T) => fc.oneof({ weight: 4, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary: value });
    const edit = fc.record({
      changes: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
      cut: rarely<number | null>(fc.nat(), null),
      tail: rarely(fc.uint8Array({ minLength: 1, maxLength: 3 }), new Uint8Array(0)),
    });
    const before = process.memoryUsage().arrayBuffers;
    let read = 0;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...seeds), edit, edit, fc.boolean(), async (seed, ofImages, ofLabels, inMemory) => {
        const edited = (bytes: Uint8Array, { changes, cut, tail }: typeof ofImages): Buffer => {
          const copy = Buffer.from(bytes);
          for (const [where, value] of changes) copy[where % copy.length] = value;
          return Buffer.concat([cut === null ? copy : copy.subarray(0, cut % (copy.length + 1)), tail]);
        };
        const files = { images: edited(seed.images, ofImages), labels: edited(seed.labels, ofLabels) };
        await write(files);
        try {
          const { sets, close } = await loadSources([source], { memoryBytes: inMemory ? 1e6 : 0, unpackDir: dir.path });
          const { description, x } = sets[0]!;
          await close();
          read++;
          expect(await describeIdx()).toEqual(description);
          if (inMemory && files.images[0] === 0) expect(Buffer.compare(x as Uint8Array, files.images.subarray(4 + 4 * files.images[3]!))).toBe(0);
        } catch (error) {
          if (!isAppError(error, 'invalid_data')) throw error;
        }
      }),
      { numRuns: 800 },
    );
    expect(read).toBeGreaterThan(20);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 2 ** 20);
  });
});

// where one can hold more than any machine has, there are none
describe.skipIf(constants.MAX_LENGTH > 2 ** 40)('images of more bytes than an array can hold', () => {
  it('stay in their file, however much memory there is, and are read there', async () => {
    const side = 2 ** 15;
    const samples = Math.floor(constants.MAX_LENGTH / side ** 2) + 1;
    const images = idxOf({ shape: [samples, side, side], data: new Uint8Array(0) });
    await write({ images, labels: idxOf({ shape: [samples], data: new Uint8Array(samples).fill(1) }) });
    // with holes: it takes nothing of the disk
    await truncate(source.images.path, images.length + samples * side ** 2);
    const last = await open(source.images.path, 'r+');
    await last.write(Uint8Array.of(7), 0, 1, images.length + samples * side ** 2 - 1);
    await last.close();
    const { sets, close } = await loadSources([source], { memoryBytes: 2 ** 50, unpackDir: dir.path });
    expect([isStored(sets[0]!.x), isStored(sets[0]!.y)]).toEqual([true, false]);
    const { file, startBytes, sampleBytes } = sets[0]!.x as StoredArray<Samples>;
    const into = new Uint8Array(1);
    await file.read([{ positionBytes: startBytes + samples * sampleBytes - 1, lengthBytes: 1, into, offsetBytes: 0 }]);
    expect([into[0], sets[0]!.y]).toEqual([7, new Int32Array(samples).fill(1)]);
    await close();
  });
});

describe('images in gzip that are larger than the limit for data', () => {
  it('are unpacked in constant memory, and read as if they had been in it', async () => {
    const [side, perBlock, blocks] = [64, 1024, 48];
    const block = new Uint8Array(perBlock * side * side);
    for (let i = 0; i < perBlock; i++) block.fill(i % 251, i * side * side, (i + 1) * side * side);
    const samples = perBlock * blocks;
    const packed = gzipSync(block, { level: 1 });
    const images = Buffer.concat([gzipSync(idxOf({ shape: [samples, side, side], data: new Uint8Array(0) })), ...Array<Buffer>(blocks).fill(packed)]);
    await write({ images, labels: gzipSync(idxOf({ shape: [samples], data: new Uint8Array(samples) })) });
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    const looking = setInterval(() => (peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)), 1);
    const { sets, close } = await loadSources([source], { memoryBytes: 2 ** 20, unpackDir: dir.path });
    clearInterval(looking);
    expect(samples * side * side).toBe(192 * 2 ** 20);
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(64 * 2 ** 20); // V8 collects such memory after 32 MiB
    const streamed = makeStreamedBatcher(sets[0]!, { normalize: 'none', batchSize: 64 });
    const batch = streamed.begin(0, 64, (position) => (position * 7919) % samples);
    await batch.ready;
    const { x, sampleIds } = batch.gather();
    sampleIds.forEach((sample, row) => expect([x[row * side * side], x[(row + 1) * side * side - 1]]).toEqual([(sample % perBlock) % 251, (sample % perBlock) % 251]));
    await close();
  });
});

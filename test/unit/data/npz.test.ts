import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAppError } from '../../../lib/errors.js';
import { MAX_UNPACKED_BYTES } from '../../../lib/data/file-set.js';
import type { LoadOptions } from '../../../lib/data/load.js';
import { openFilesOf } from '../../support/open-files.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { bytesOf, describeNpz, loadNpz, npyOf, smallNpz, withZip64End, zipOf } from './npz-files.js';

const ARRAYS = { x: 'x', y: 'y' };
let dir: TempDir;
let path: string;
beforeAll(async () => {
  dir = await makeTempDir('npz');
  path = join(dir.path, 'set.npz');
});
afterAll(() => dir.remove());

async function load(bytes: Uint8Array, options: Partial<LoadOptions> = {}) {
  await writeFile(path, bytes);
  return loadNpz(path, ARRAYS, options);
}

describe('loadNpz', () => {
  it.each([1, 2, 3] as const)('reads stored and deflated arrays with headers of version %i', async (version) => {
    for (const deflate of [false, true]) {
      const { description, x, y } = await load(smallNpz({ x: { version }, y: { version }, xMember: { deflate }, yMember: { deflate } }));
      expect(description).toEqual({ samples: 4, shape: [2, 2, 1], classes: 3, labels: 'integer', dtype: 'uint8', unit: 255 });
      expect(x).toEqual(Uint8Array.from({ length: 16 }, (_, i) => i * 17));
      expect(y).toEqual(Int32Array.of(0, 2, 1, 2));
    }
  });

  it('reads float32 bit by bit, also what is no number', async () => {
    const bits = Uint32Array.of(0x7fa12345, 0x80000000, 0x7f800000, 1, 0x3f800000, 2, 3, 4);
    const { description, x } = await load(smallNpz({ x: { descr: '<f4', shape: [4, 1, 2], data: bytesOf(bits) }, xMember: { deflate: true } }));
    expect(description).toMatchObject({ shape: [1, 2, 1], dtype: 'float32', unit: null });
    expect(new Uint32Array(x.buffer)).toEqual(bits);
  });

  it('gives arrays larger than a chunk, deflated or not, exactly', async () => {
    const pixels = Uint8Array.from({ length: 3 * 900 * 1000 }, (_, i) => (i * i) >> 7);
    for (const deflate of [false, true]) {
      const { x } = await load(smallNpz({ x: { shape: [3, 900, 1000], data: pixels }, y: { shape: [3], data: bytesOf(BigInt64Array.of(0n, 1n, 0n)) }, xMember: { deflate } }));
      expect(Buffer.compare(x as Uint8Array, pixels)).toBe(0);
    }
  });

  it.each([
    ['|u1', Uint8Array.of(0, 2, 1, 9)],
    ['|i1', Int8Array.of(0, 2, 1, 9)],
    ['<u2', Uint16Array.of(0, 2, 1, 9)],
    ['<i2', Int16Array.of(0, 2, 1, 9)],
    ['<u4', Uint32Array.of(0, 2, 1, 9)],
    ['<i4', Int32Array.of(0, 2, 1, 9)],
    ['<u8', BigUint64Array.of(0n, 2n, 1n, 9n)],
    ['<i8', BigInt64Array.of(0n, 2n, 1n, 9n)],
  ])('reads %s class indices, flat or as one column', async (descr, values) => {
    for (const shape of [[4], [4, 1]]) {
      const { description, y } = await load(smallNpz({ y: { descr, shape, data: bytesOf(values) } }));
      expect([y, description.classes, description.labels]).toEqual([Int32Array.of(0, 2, 1, 9), 10, 'integer']);
    }
  });

  it.each([
    ['|u1', Uint8Array.of(1, 0, 0, 1, 0, 1, 1, 0)],
    ['<i8', BigInt64Array.of(1n, 0n, 0n, 1n, 0n, 1n, 1n, 0n)],
    ['<f4', Float32Array.of(1, 0, 0, 1, 0, 1, 1, 0)],
    ['<f8', Float64Array.of(1, 0, 0, 1, 0, 1, 1, 0)],
  ])('reads %s label rows', async (descr, values) => {
    const { description, y } = await load(smallNpz({ y: { descr, shape: [4, 2], data: bytesOf(values) } }));
    expect([y, description.classes, description.labels]).toEqual([Float32Array.of(1, 0, 0, 1, 0, 1, 1, 0), 2, 'one_hot']);
  });

  it('reads soft label rows, rounded to float32', async () => {
    const rows = Float64Array.of(0.1, 0.9, 0.25, 0.75, 1 / 3, 2 / 3, 1, 0);
    const { y } = await load(smallNpz({ y: { descr: '<f8', shape: [4, 2], data: bytesOf(rows) } }));
    expect(y).toEqual(Float32Array.from(rows));
  });

  it('reads zip64, a comment, and members that nobody asked for', async () => {
    const small = smallNpz({ xMember: { zip64: true } });
    expect((await load(small)).y).toEqual(Int32Array.of(0, 2, 1, 2));
    const directoryOffset = BigInt(small.readUInt32LE(small.length - 6));
    expect((await load(withZip64End(small, { count: 2n, directoryOffset }))).y).toEqual(Int32Array.of(0, 2, 1, 2));
    const x = npyOf({ descr: '|u1', shape: [1, 1, 1], data: Uint8Array.of(7) });
    const members = ['other.npy', 'x.npy', 'y.npy', 'weird/name.bin'].map((name) => ({ name, data: name === 'y.npy' ? npyOf({ descr: '|u1', shape: [1], data: Uint8Array.of(3) }) : x }));
    expect((await load(zipOf(members, { comment: Buffer.from('a comment') }))).x).toEqual(Uint8Array.of(7));
  });

  it('reads the arrays that the spec names', async () => {
    const x = npyOf({ descr: '|u1', shape: [1, 1, 1], data: Uint8Array.of(7) });
    const y = npyOf({ descr: '|u1', shape: [1], data: Uint8Array.of(3) });
    await writeFile(path, zipOf([{ name: 'train/images.npy', data: x }, { name: '__proto__.npy', data: y }]));
    expect((await loadNpz(path, { x: 'train/images', y: '__proto__' })).y).toEqual(Int32Array.of(3));
  });

  it('reads the sets that numpy wrote for the reference trainings', async () => {
    for (const [name, samples] of [['seed', 300], ['ragged-amsgrad', 143], ['ragged-flush', 150]] as const) {
      const { description } = await loadNpz(new URL(`../../fixtures/cnn/${name}/data.npz`, import.meta.url).pathname, ARRAYS);
      expect(description).toEqual({ samples, shape: [8, 8, 1], classes: 10, labels: 'integer', dtype: 'float32', unit: null });
    }
  });
});

describe('describeNpz', () => {
  it('says what loadNpz says, without reading the samples', async () => {
    const bytes = smallNpz({ x: { shape: [4, 1000, 1000], data: new Uint8Array(4e6) } });
    const damaged = Buffer.from(bytes);
    damaged[2_000_000] = 1; // its checksum is wrong now
    await writeFile(path, bytes);
    const { description } = await loadNpz(path, ARRAYS);
    await writeFile(path, damaged);
    expect(await describeNpz(path, ARRAYS)).toEqual(description);
    await expect(loadNpz(path, ARRAYS)).rejects.toThrow('array "x": its checksum is wrong');
  });

  it('reads headers that lie in more than one chunk of inflated bytes', async () => {
    const dict = `{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1), }`.padEnd(9000);
    const x = npyOf({ version: 2, dict, data: Uint8Array.of(1) });
    await writeFile(path, zipOf([{ name: 'x.npy', data: x, deflate: true }, { name: 'y.npy', data: npyOf({ descr: '|u1', shape: [1], data: Uint8Array.of(0) }) }]));
    expect((await describeNpz(path, ARRAYS)).samples).toBe(1);
  });
});

const u1 = (shape: number[]) => ({ descr: '|u1', shape, data: new Uint8Array(shape.reduce((a, b) => a * b, 1)) });
/** What is wrong → the file, and what the message has to say after the file's name. */
const HOSTILE: [string, () => Buffer, string][] = [
  ['nothing', () => Buffer.alloc(0), 'set.npz: '],
  ['no zip', () => Buffer.from('hello, this is no zip file at all'), 'Either not a zip file'],
  ['a zip that stops', () => smallNpz().subarray(0, 300), 'set.npz: '],
  ['bytes after the end', () => Buffer.concat([smallNpz(), Buffer.from('x')]), 'extra bytes'],
  ['an empty zip', () => zipOf([]), 'there is no array "x", only an empty archive'],
  ['no y', () => zipOf([{ name: 'x.npy', data: npyOf(u1([1, 1, 1])) }]), 'there is no array "y", only "x"'],
  ['two members of one name', () => zipOf(['x.npy', 'y.npy', 'x.npy'].map((name) => ({ name, data: npyOf(u1([1, 1, 1])) }))), 'member "x.npy" is there twice'],
  ['more members than it has', () => zipOf([{ name: 'x.npy', data: npyOf(u1([1, 1, 1])) }], { count: 5 }), 'set.npz: '],
  ['an absurd number of members', () => withZip64End(smallNpz(), { count: 2n ** 40n, directoryOffset: 0n }), 'claims 1099511627776 members'],
  ['a directory of endless names', () => zipOf(Array.from({ length: 40 }, (_, i) => ({ name: `${'n'.repeat(60_000)}${i}`, data: Buffer.alloc(0) }))), 'its directory has names and comments of more than 2097152 bytes'],
  ['a directory beyond the file', () => zipOf([], { count: 1, directoryOffset: 0xfffffff0 }), 'points outside'],
  ['a zip64 directory beyond any file', () => withZip64End(smallNpz(), { count: 2n, directoryOffset: 2n ** 64n - 1n }), 'points outside'],
  ['a zip64 record beyond any file', () => withZip64End(smallNpz(), { count: 2n, directoryOffset: 0n, recordOffset: 2n ** 63n }), 'points outside'],
  ['a member beyond the file', () => smallNpz({ xMember: { offset: 0x7fffffff } }), 'points outside'],
  ['a member longer than the file', () => smallNpz({ xMember: { size: 0x7fffffff } }), 'size mismatch'],
  ['an encrypted member', () => smallNpz({ xMember: { flags: 1, packed: Buffer.alloc(156), size: 144 } }), 'array "x": it is encrypted'],
  ['another compression', () => smallNpz({ xMember: { method: 12, size: 144 } }), 'array "x": it is compressed by method 12'],
  ['a wrong checksum', () => smallNpz({ yMember: { crc: 1 } }), 'array "y": its checksum is wrong'],
  ['a wrong checksum, deflated', () => smallNpz({ yMember: { crc: 1, deflate: true } }), 'array "y": its checksum is wrong'],
  ['no deflated data', () => smallNpz({ yMember: { deflate: true, packed: Buffer.from('garbage garbage garbage') } }), 'array "y": '],
  ['deflated data that stops', () => smallNpz({ yMember: { deflate: true, packed: Buffer.from([0x63]) } }), 'array "y": '],
  ['deflated data with less than claimed and declared', () => smallNpz({ yMember: { deflate: true, size: 200 } }), 'array "y": its header says 32 bytes of values, and there are 72'],
  ['deflated data with more than claimed', () => smallNpz({ yMember: { deflate: true, size: 100 } }), 'array "y": it holds more than the 100 bytes'],
  ['a claim that deflate cannot hold', () => smallNpz({ yMember: { deflate: true, size: 4_000_000_000 } }), 'array "y": it claims 4000000000 bytes'],
  ['no npy', () => smallNpz({ xMember: { data: Buffer.from('not an array, but long enough to be one, perhaps') } }), 'array "x": it is not a .npy array'],
  ['an npy that stops in its magic', () => smallNpz({ xMember: { data: Buffer.from('\x93NUM', 'latin1') } }), 'array "x": it ends within its header'],
  ['an npy that stops in its header', () => smallNpz({ xMember: { data: npyOf(u1([1, 1, 1])).subarray(0, 50) } }), 'array "x": it ends within its header'],
  ['an npy of version 4', () => smallNpz({ x: { version: 4 as 3 } }), 'array "x": it has .npy version 4.0'],
  ['an absurd header length', () => smallNpz({ xMember: { data: Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\xff', 'latin1') } }), 'array "x": its header claims 4294967295 bytes'],
  ['a header that is no dict', () => smallNpz({ x: { dict: 'import os' } }), 'array "x": its header is not one that numpy writes'],
  ['a header that calls something', () => smallNpz({ x: { dict: `{'descr': __import__('os').getcwd(), }` } }), 'array "x": its header is not one that numpy writes'],
  ['a header that goes on', () => smallNpz({ x: { dict: `{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1)} + 1` } }), 'array "x": its header lacks'],
  ['a header without a shape', () => smallNpz({ x: { dict: `{'descr': '|u1', 'fortran_order': False}` } }), 'array "x": its header lacks'],
  ['a header with a key twice', () => smallNpz({ x: { dict: `{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,)}` } }), 'the key "descr", which is unknown or there twice'],
  ['a header with an unknown key', () => smallNpz({ x: { dict: `{'descr': '|u1', '__class__': '|u1', 'fortran_order': False, 'shape': (1,)}` } }), 'the key "__class__"'],
  ['a negative size', () => smallNpz({ x: { shape: [-1, 2, 2] } }), 'array "x": its header is not one that numpy writes'],
  ['a shape with an empty place', () => smallNpz({ x: { dict: `{'descr': '|u1', 'fortran_order': False, 'shape': (1,,1)}` } }), 'array "x": its shape holds something else'],
  ['a shape whose product overflows', () => smallNpz({ x: { shape: [2 ** 30, 2 ** 30, 2 ** 30] } }), 'more values than can be counted'],
  ['a shape whose product overflows to nothing', () => smallNpz({ x: { dict: `{'descr': '|u1', 'fortran_order': False, 'shape': (${'9'.repeat(400)}, 0, 1)}` } }), 'more values than can be counted'],
  ['a shape with more values than there are', () => smallNpz({ x: { shape: [4, 2, 2, 1000] } }), 'array "x": its header says 16000 bytes of values, and there are 16'],
  ['a shape with fewer values than there are', () => smallNpz({ x: { shape: [4, 2, 1, 1] } }), 'array "x": its header says 8 bytes of values, and there are 16'],
  ['Fortran order', () => smallNpz({ x: { fortran: true } }), 'array "x": its values are in Fortran order; save numpy.ascontiguousarray'],
  ['big-endian values', () => smallNpz({ x: { descr: '>f4', shape: [2, 2, 1] } }), 'array "x": its type >f4 is big-endian; save it as <f4'],
  ['a pickle', () => smallNpz({ y: { descr: '|O', shape: [4] } }), 'array "y": it is an object array, which is stored as a pickle and never opened'],
  ['a structured array', () => smallNpz({ x: { dict: `{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}` } }), 'array "x": it is a structured array'],
  ['strings', () => smallNpz({ y: { descr: '<U5' } }), 'array "y": its type "<U5" is not read'],
  ['a type that objects inherit', () => smallNpz({ y: { descr: 'constructor' } }), 'array "y": its type "constructor" is not read'],
  ['images of float64', () => smallNpz({ x: { descr: '<f8', shape: [1, 1, 2] } }), `array "x": its values are <f8; images are uint8 or float32: save it with .astype('float32')`],
  ['flat images', () => smallNpz({ x: { shape: [4, 4] } }), 'array "x": its shape is [4, 4]; images are [N, height, width, channels] or'],
  ['images of five axes', () => smallNpz({ x: { shape: [4, 2, 2, 1, 1] } }), 'array "x": its shape is [4, 2, 2, 1, 1]'],
  ['one number as images', () => smallNpz({ x: u1([]) }), 'array "x": its shape is []'],
  ['no images', () => smallNpz({ x: u1([0, 2, 2]), y: u1([0]) }), 'array "x": its shape is [0, 2, 2]: it is empty'],
  ['images without pixels', () => smallNpz({ x: u1([4, 0, 2]) }), 'array "x": its shape is [4, 0, 2]: it is empty'],
  ['fewer labels than images', () => smallNpz({ y: u1([3]) }), 'array "y": it has 3 labels for 4 samples'],
  ['one number as labels', () => smallNpz({ y: u1([]) }), 'array "y": its shape is []'],
  ['labels of three axes', () => smallNpz({ y: u1([4, 1, 1]) }), 'array "y": its shape is [4, 1, 1]; labels are'],
  ['label rows without classes', () => smallNpz({ y: u1([4, 0]) }), 'array "y": '],
  ['fractional class indices', () => smallNpz({ y: { descr: '<f4', shape: [4], data: new Uint8Array(16) } }), 'array "y": its values are <f4, and [4] labels are class indices'],
  ['fractional class indices in a column', () => smallNpz({ y: { descr: '<f4', shape: [4, 1], data: new Uint8Array(16) } }), 'array "y": its values are <f4'],
  ['a negative label', () => smallNpz({ y: { data: bytesOf(BigInt64Array.of(0n, 1n, -1n, 2n)) } }), 'array "y": sample 2 has the label -1; class indices go from 0 to 65535'],
  ['a label beyond any number of classes', () => smallNpz({ y: { data: bytesOf(BigInt64Array.of(0n, 1n, 2n, 2n ** 32n)) } }), 'array "y": sample 3 has the label 4294967296'],
  ['a label that a number cannot hold', () => smallNpz({ y: { descr: '<u8', data: bytesOf(BigUint64Array.of(0n, 1n, 2n, 2n ** 64n - 1n)) } }), 'array "y": sample 3 has the label 18446744073709551615'],
  ['more classes than a model may have', () => smallNpz({ x: u1([1, 1, 1]), y: u1([1, 65_537]) }), 'array "y": its shape is [1, 65537]: more than 65536 classes'],
  ['a label row that is no number', () => smallNpz({ y: { descr: '<f4', shape: [4, 2], data: bytesOf(Float32Array.of(1, 0, 0, 1, NaN, 1, 1, 0)) } }), 'array "y": sample 2 has the class weight NaN'],
  ['a label row that is infinite', () => smallNpz({ y: { descr: '<f4', shape: [4, 2], data: bytesOf(Float32Array.of(1, 0, 0, 1, Infinity, 1, 1, 0)) } }), 'array "y": the class weights of sample 2 sum to Infinity'],
  ['a label row below zero', () => smallNpz({ y: { descr: '<f4', shape: [4, 2], data: bytesOf(Float32Array.of(1, 0, 0, 1, 2, -1, 1, 0)) } }), 'array "y": sample 2 has the class weight -1'],
  ['a label row of nothing', () => smallNpz({ y: { ...u1([4, 2]) } }), 'array "y": the class weights of sample 0 sum to 0'],
  ['a label row of several classes', () => smallNpz({ y: { ...u1([4, 2]), data: Uint8Array.of(1, 0, 1, 1, 0, 1, 1, 0) } }), 'array "y": the class weights of sample 1 sum to 2'],
];

describe('a hostile .npz', () => {
  it.each(HOSTILE)('is refused: %s', async (_what, make, message) => {
    await writeFile(path, make());
    for (const run of [describeNpz, loadNpz]) {
      const error: unknown = await run(path, ARRAYS).then(() => new Error('it was read'), (thrown: unknown) => thrown);
      expect(isAppError(error, 'invalid_data'), String(error)).toBe(true);
      expect((error as Error).message).toMatch(/^set\.npz[:,] /);
      expect((error as Error).message).toContain(message);
    }
  });

  it('is refused where a compressed array claims more than is ever unpacked, and says what to do', async () => {
    const [shape, sizeBytes] = [[9, 1024, 1024, 1024], 9 * 2 ** 30];
    const head = npyOf({ descr: '|u1', shape, data: new Uint8Array(0) });
    // as many compressed bytes as such a claim takes, at the beginning of which stands the header
    const packed = deflateRawSync(Buffer.concat([head, Buffer.alloc(Math.ceil(sizeBytes / 1000))]), { level: 0 });
    const y = { descr: '|u1', shape: [9], data: new Uint8Array(9) };
    const size = head.length + sizeBytes;
    await writeFile(path, zipOf([{ name: 'x.npy', data: head, deflate: true, packed, size, zip64: true }, { name: 'y.npy', data: npyOf(y) }]));
    for (const run of [describeNpz, loadNpz]) {
      await expect(run(path, ARRAYS)).rejects.toMatchObject({ code: 'invalid_data', message: `set.npz, array "x": it is compressed and has ${sizeBytes} bytes, and at most ${MAX_UNPACKED_BYTES} are unpacked; store it uncompressed` });
    }
  });

  it('that is a bomb is stopped by what it claims or by what it holds, whichever is less', async () => {
    const zeros = Buffer.alloc(16 * 1024 * 1024);
    const x = npyOf({ descr: '|u1', shape: [1, 4096, 4096], data: zeros });
    const y = npyOf({ descr: '|u1', shape: [1], data: Uint8Array.of(0) });
    const before = process.memoryUsage().arrayBuffers;
    await expect(load(zipOf([{ name: 'x.npy', data: x, deflate: true, size: 300_000 }, { name: 'y.npy', data: y }]), { memoryBytes: 1_000_000 })).rejects.toThrow('array "x": its header says');
    const small = npyOf({ descr: '|u1', shape: [1, 400, 400], data: zeros.subarray(0, 160_000) });
    const bomb = Buffer.concat([small, zeros]);
    await expect(load(zipOf([{ name: 'x.npy', data: bomb, deflate: true, size: small.length }, { name: 'y.npy', data: y }]), { memoryBytes: 1_000_000 })).rejects.toThrow('array "x": it holds more than');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(3 * zeros.length); // what the test itself made, and no more
  });

  it('that claims and declares more than its deflated data holds is refused once it is read', async () => {
    await writeFile(path, smallNpz({ x: { shape: [4, 2, 10] }, xMember: { deflate: true, size: 128 + 80 } }));
    await expect(loadNpz(path, ARRAYS)).rejects.toThrow('set.npz, array "x": it holds 144 bytes and claims 208');
  });

  it('whose deflated data ends before its member does is read or refused, and does not hang', async () => {
    const y = npyOf({ descr: '|u1', shape: [4], data: Uint8Array.of(0, 1, 2, 0) });
    const packed = Buffer.concat([deflateRawSync(y), Buffer.alloc(3_000_000, 1)]);
    const set = await load(smallNpz({ yMember: { data: y, deflate: true, packed } }));
    expect(set.y).toEqual(Int32Array.of(0, 1, 2, 0));
  });

  it('with flipped, cut or repeated bytes is read or refused, with bounded memory', async () => {
    const seeds = [smallNpz(), smallNpz({ xMember: { deflate: true }, yMember: { deflate: true } }), smallNpz({ xMember: { zip64: true } })];
    const before = process.memoryUsage().arrayBuffers;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }), fc.option(fc.nat()), async (seed, changes, cut) => {
        let bytes = Buffer.from(seed);
        for (const [where, value] of changes) bytes[where % bytes.length] = value;
        if (cut !== null) bytes = bytes.subarray(0, cut % (bytes.length + 1));
        try {
          const { description, x, y } = await load(bytes, { memoryBytes: 1_000_000 });
          expect(x.length).toBe(description.samples * description.shape.reduce((a, b) => a * b, 1));
          expect(x.byteLength + y.byteLength).toBeLessThan(1_000_000);
        } catch (error) {
          if (!isAppError(error, 'invalid_data')) throw error;
        }
      }),
      { numRuns: 600 },
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('a set that lies elsewhere', () => {
  it('is data_missing when it is gone, and its handle is closed when it is refused', async () => {
    await expect(loadNpz(join(dir.path, 'gone.npz'), ARRAYS)).rejects.toMatchObject({ code: 'data_missing' });
    await expect(load(Buffer.from('no zip'))).rejects.toMatchObject({ code: 'invalid_data' });
    expect((await openFilesOf(dir.path)) ?? []).toEqual([]);
  });
});

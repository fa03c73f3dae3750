import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors, readSafetensorsFile, readSafetensorsHeader } from '../../../lib/checkpoints/safetensors.js';
import { declarationsOf } from '../../../lib/checkpoints/safetensors-format.js';
import { makeSafetensorsWriter } from '../../../lib/checkpoints/safetensors-writer.js';
import type { HostTensor, TensorMap } from '../../../lib/training/state.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { anyTensors, fc } from './arbitrary.js';
import { fileOf, member, tensorOfBits } from './files.js';

let dir: TempDir;
let number = 0;
const freshPath = (): string => join(dir.path, `${++number}.safetensors`);
beforeAll(async () => {
  dir = await makeTempDir('safetensors');
});
afterAll(() => dir.remove());

const some: TensorMap = new Map<string, HostTensor>([
  ['w', { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
  ['n', { dtype: 'I32', shape: [], data: Int32Array.of(-7) }],
  ['none', { dtype: 'F32', shape: [0, 3], data: new Float32Array(0) }],
]);

describe('makeSafetensorsWriter', () => {
  it('writes the canonical bytes, whatever the order of the tensors and however their writes overlap', async () => {
    await fc.assert(
      fc.asyncProperty(anyTensors(), fc.infiniteStream(fc.nat()), fc.boolean(), async (tensors, keys, overlap) => {
        const path = freshPath();
        const writer = await makeSafetensorsWriter(path, declarationsOf(tensors), { metadata: { format: 'pawl' }, fsync: overlap });
        const order = [...tensors].map((entry) => ({ entry, key: keys.next().value! })).sort((a, b) => a.key - b.key);
        const writes = [];
        for (const { entry } of order) {
          const write = writer.write(...entry);
          if (overlap) writes.push(write);
          else await write;
        }
        await Promise.all(writes);
        await writer.finish();
        await writer.close();
        const bytes = await readFile(path);
        expect(bytes.equals(encodeSafetensors(tensors, { format: 'pawl' }))).toBe(true);
        expect(writer.sizeBytes).toBe(bytes.length);
      }),
      { numRuns: 60 },
    );
  });

  it('writes a view into a larger buffer, and only the view', async () => {
    const path = freshPath();
    const writer = await makeSafetensorsWriter(path, [{ name: 'w', dtype: 'F32', shape: [2] }]);
    await writer.write('w', { dtype: 'F32', shape: [2], data: Float32Array.of(9, 1, 2, 9).subarray(1, 3) });
    await writer.finish();
    expect([...(await readSafetensorsFile(path)).get('w')!.data]).toEqual([1, 2]);
  });

  it('refuses by name a tensor that was not declared, comes twice, or is another one', async () => {
    const path = freshPath();
    const writer = await makeSafetensorsWriter(path, declarationsOf(some));
    const one: HostTensor = { dtype: 'F32', shape: [1], data: new Float32Array(1) };
    await expect(writer.write('x', one)).rejects.toThrow('tensor "x" was not declared');
    await expect(writer.write('w', one)).rejects.toThrow('tensor "w" has shape [1] where [2, 2] was declared');
    await expect(writer.write('w', { dtype: 'I32', shape: [2, 2], data: new Int32Array(4) })).rejects.toThrow('tensor "w" is Int32Array as I32 where F32 was declared');
    await expect(writer.write('w', { ...some.get('w')!, data: new Float32Array(3) })).rejects.toThrow('tensor "w" has 3 values');
    await writer.write('w', some.get('w')!);
    await expect(writer.write('w', some.get('w')!)).rejects.toThrow('tensor "w" was written before');
    await writer.close();
  });

  it('does not end a file that lacks a tensor, not even an empty one, and leaves nothing behind when it is closed', async () => {
    const path = freshPath();
    const writer = await makeSafetensorsWriter(path, declarationsOf(some));
    await writer.write('w', some.get('w')!);
    await writer.write('n', some.get('n')!);
    await expect(writer.finish()).rejects.toThrow('1 of 3 tensors were not written; the first is "none"');
    await writer.close();
    await writer.close();
    await expect(stat(path)).rejects.toThrow('ENOENT');
    await expect(writer.write('none', some.get('none')!)).rejects.toThrow('closed');
    await expect(writer.finish()).rejects.toThrow('closed');
  });

  it('waits for writes under way when it is closed', async () => {
    const path = freshPath();
    const data = new Float32Array(4_000_000);
    const writer = await makeSafetensorsWriter(path, [{ name: 'w', dtype: 'F32', shape: [data.length] }]);
    const write = writer.write('w', { dtype: 'F32', shape: [data.length], data });
    await Promise.allSettled([writer.close(), write]);
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('never writes over a file', async () => {
    const path = freshPath();
    await writeFile(path, 'mine');
    await expect(makeSafetensorsWriter(path, [])).rejects.toThrow('EEXIST');
    expect(await readFile(path, 'utf8')).toBe('mine');
  });
});

describe('readSafetensorsFile', () => {
  it('gives what decodeSafetensors gives', async () => {
    await fc.assert(
      fc.asyncProperty(anyTensors(), async (tensors) => {
        const path = freshPath();
        const bytes = encodeSafetensors(tensors);
        await writeFile(path, bytes);
        const fromFile = await readSafetensorsFile(path);
        expect(encodeSafetensors(fromFile).equals(bytes)).toBe(true);
        expect([...fromFile.keys()]).toEqual([...decodeSafetensors(bytes).keys()]);
      }),
      { numRuns: 60 },
    );
  });

  it('reads a large file once: no second copy of it is ever in memory', async () => {
    const path = freshPath();
    const data = new Float32Array(4 * 1024 * 1024).fill(1.5); // 16 MiB
    const declarations = ['a', 'b'].map((name) => ({ name, dtype: 'F32' as const, shape: [data.length] }));
    const writer = await makeSafetensorsWriter(path, declarations);
    for (const { name } of declarations) await writer.write(name, { dtype: 'F32', shape: [data.length], data });
    await writer.finish();
    const before = process.memoryUsage().arrayBuffers;
    const tensors = await readSafetensorsFile(path);
    const grown = process.memoryUsage().arrayBuffers - before;
    expect(grown).toBeLessThan(1.1 * 2 * data.byteLength);
    expect([...tensors.values()].every((tensor) => tensor.data[0] === 1.5 && tensor.data.at(-1) === 1.5)).toBe(true);
  });

  it('refuses by name a tensor that no array can hold, before anything is read or allocated', async () => {
    const path = freshPath();
    const bytes = 2 ** 40;
    const head = fileOf(`{"small":${member('F32', [1], 0, 4)},"w":${member('F32', [bytes / 4], 4, bytes + 4)}}`);
    await writeFile(path, head);
    await truncate(path, head.length + bytes + 4);
    await expect(readSafetensorsFile(path, { code: 'invalid_data', maxTensorBytes: 2 ** 32 })).rejects.toMatchObject({ code: 'invalid_data', message: `${basename(path)}: tensor "w" has ${bytes} bytes, and this Node.js holds at most ${2 ** 32} in one` });
    expect((await readSafetensorsHeader(path)).entries).toHaveLength(2);
    await writeFile(path, encodeSafetensors(some));
    expect([...(await readSafetensorsFile(path, { maxTensorBytes: 16 })).keys()]).toEqual(['n', 'none', 'w']);
    await expect(readSafetensorsFile(path, { maxTensorBytes: 15 })).rejects.toMatchObject({ code: 'checkpoint_corrupt' });
  });

  it('refuses a file that becomes shorter while it is read', async () => {
    const path = freshPath();
    const bytes = 128 * 1024 * 1024;
    const head = fileOf(`{"w":${member('F32', [bytes / 4], 0, bytes)}}`);
    let message = '';
    for (let attempt = 0; attempt < 50 && !message.includes('became shorter'); attempt++) {
      await writeFile(path, head);
      await truncate(path, head.length + bytes);
      const reading = readSafetensorsFile(path).then(() => 'read in full', (error: Error) => error.message);
      for (let tick = 0; tick < 10 * (attempt + 1); tick++) await new Promise((resolve) => setImmediate(resolve));
      await truncate(path, head.length);
      message = await reading;
    }
    expect(message).toContain('became shorter while it was read');
  });

  it('refuses a damaged file by its name, and passes on what the file system says', async () => {
    const path = freshPath();
    await writeFile(path, encodeSafetensors(some));
    await truncate(path, (await stat(path)).size - 1);
    await expect(readSafetensorsFile(path, { code: 'invalid_data' })).rejects.toMatchObject({ code: 'invalid_data', message: expect.stringContaining(`${number}.safetensors: tensor "w" ends at byte 20`) as string });
    await writeFile(path, fileOf('{}', undefined, 90_000_000n));
    await expect(readSafetensorsFile(path)).rejects.toMatchObject({ code: 'checkpoint_corrupt' });
    await writeFile(path, 'abc');
    await expect(readSafetensorsFile(path)).rejects.toMatchObject({ code: 'checkpoint_corrupt' });
    await expect(readSafetensorsFile(`${path}.not`)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(readSafetensorsFile(dir.path)).rejects.toMatchObject({ code: 'EISDIR' });
  });
});

describe('readSafetensorsHeader', () => {
  it('describes a file without its data, also with types that are not decoded', async () => {
    const path = freshPath();
    await writeFile(path, fileOf(`{"w":${member('F64', [2], 0, 16)}}`, Buffer.alloc(16)));
    const header = await readSafetensorsHeader(path);
    expect(header.entries).toEqual([{ name: 'w', dtype: 'F64', shape: [2], begin: 0, end: 16 }]);
    expect(header.sizeBytes).toBe(header.dataStart + 16);
    await expect(readSafetensorsFile(path)).rejects.toThrow(`${number}.safetensors: tensor "w" is F64`);
  });

  it('checks the structure of files that another test wrote by bits', async () => {
    const path = freshPath();
    await writeFile(path, encodeSafetensors(new Map([['w', tensorOfBits('F32', [1], [0x7fa12345])]]), { a: 'b' }));
    const { metadata } = await readSafetensorsHeader(path);
    expect(metadata.get('a')).toBe('b');
  });
});

// Files that are hashed while they are read: whatever is read of them and in whatever order, the hash is that of their bytes.
import { createHash } from 'node:crypto';
import { appendFile, rename, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beginHashing, recallSha256 } from '../../../lib/data/fingerprint.js';
import { interruptible } from '../../../lib/data/interruptible.js';
import { loadSources } from '../../../lib/data/load.js';
import { openSettled } from '../../../lib/data/locations.js';
import { hashPinned, openPinned, pinFile } from '../../../lib/data/pinned-file.js';
import { type ByteSource, isStored, type OpenDataset, type ResolvedSource } from '../../../lib/data/source.js';
import { makeStreamedBatcher } from '../../../lib/data/streamed-batches.js';
import { AppError } from '../../../lib/errors.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { idxOf } from './idx-files.js';
import { bytesOf, npyOf, smallNpz, zipOf } from './npz-files.js';

let dir: TempDir;
beforeAll(async () => {
  dir = await makeTempDir('pinned');
});
afterAll(() => dir.remove());

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const noise = (length: number, seed = 0) => Uint8Array.from({ length }, (_, i) => Math.imul(i + seed, 0x9e3779b1) >>> 24);
const members = ['x.npy', 'y.npy'];

/** The file's hash, of nothing read but for it. */
async function hashed(path: string, checked: readonly string[] = members): Promise<string> {
  const file = await openPinned({ path, hash: true }, checked);
  try {
    return (await file.fingerprint())!.sha256;
  } finally {
    await file.close();
  }
}

describe('a file that is hashed while it is read', () => {
  it('has the sha256 of its bytes, whatever was read of it before, in pieces of any size', async () => {
    const bytes = noise(2_500_000);
    const path = join(dir.path, 'read');
    await writeFile(path, bytes);
    const reads = fc.array(fc.record({ at: fc.nat(bytes.length), length: fc.integer({ min: 1, max: 900_000 }), passed: fc.boolean(), beside: fc.boolean() }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(reads, async (all) => {
        const file = await openPinned({ path, hash: true }, []);
        try {
          const under: Promise<unknown>[] = [];
          for (const { at, length, passed, beside } of all) {
            if (passed) await file.passTo(at);
            const into = new Uint8Array(length);
            const reading = file.readAt(into, at).then((filled) => expect([filled, Buffer.compare(into.subarray(0, filled), bytes.subarray(at, at + filled))]).toEqual([Math.min(length, bytes.length - at), 0]));
            if (beside) under.push(reading);
            else await reading;
          }
          await Promise.all(under);
          expect((await file.fingerprint())!.sha256).toBe(sha256(bytes));
        } finally {
          await file.close();
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is not hashed where nobody asks for it', async () => {
    const path = join(dir.path, 'plain');
    await writeFile(path, noise(10));
    const file = await openPinned({ path }, []);
    await file.passTo(5);
    expect([await file.readAt(new Uint8Array(3), 0), await file.fingerprint()]).toEqual([3, null]);
    await file.close();
  });

  it('is refused where a stored array of it is damaged: it may be read in pieces later, which have no checksum', async () => {
    const path = join(dir.path, 'damaged.npz');
    const large = { shape: [4, 1000, 1000], data: new Uint8Array(4e6) };
    for (const [bytes, at] of [[smallNpz({ x: large }), 2_000_000], [smallNpz({ x: large, xMember: { deflate: true } }), null]] as const) {
      await writeFile(path, bytes);
      expect(await hashed(path)).toBe(sha256(bytes));
      if (at !== null) bytes[at] = 1;
      else bytes[bytes.indexOf(bytesOf(BigInt64Array.of(2n, 1n)))] = 1; // a label
      await writeFile(path, bytes);
      await expect(hashed(path)).rejects.toMatchObject({ code: 'invalid_data', message: `damaged.npz, array "${at === null ? 'y' : 'x'}": its checksum is wrong: the file is damaged` });
      expect(await hashed(path, ['a.npy', 'b.npy'])).toBe(sha256(bytes)); // whom it does not concern
    }
  });

  it('is not hashed where nobody could read which of its arrays are to be checked; where it is no zip, none are', async () => {
    const bytes = smallNpz();
    const hashing = (readAt: ByteSource['readAt']) => beginHashing({ name: 'x.npz', param: 'data.path', sizeBytes: bytes.length, readAt, close: () => Promise.resolve() }, members);
    const broken = new AppError('data_changed', 'it was replaced');
    await expect(hashing(() => Promise.reject(broken))).rejects.toMatchObject({ code: 'data_changed', message: 'it was replaced', param: 'data.path' });
    const unreadable = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
    await expect(hashing(() => Promise.reject(unreadable))).rejects.toMatchObject({ code: 'data_missing', message: 'x.npz: it cannot be read (EIO)', param: 'data.path' });
    const none = await hashing(async (into) => into.fill(0).length);
    none.take(bytes);
    expect(none.sha256()).toBe(sha256(bytes));
  });

  it('is not hashed where it is written to meanwhile, or another has its place', async () => {
    const path = join(dir.path, 'growing.bin');
    await writeFile(path, '');
    await truncate(path, 64 * 1024 * 1024);
    let hashing = true;
    const outcome = hashed(path)
      .catch((error: unknown) => error)
      .finally(() => (hashing = false));
    while (hashing) await appendFile(path, 'x');
    expect(await outcome).toMatchObject({ code: 'data_changed' });

    for (const change of [(at: string) => writeFile(at, noise(1000, 1)).then(() => utimes(at, 5, 5)), (at: string) => truncate(at, 500), (at: string) => writeFile(`${at}.other`, noise(1000)).then(() => rename(`${at}.other`, at))]) {
      const other = join(dir.path, 'replaced');
      await writeFile(other, noise(1000));
      await utimes(other, 5, 5);
      const file = await openPinned({ path: other, hash: true }, []);
      await file.readAt(new Uint8Array(300), 0);
      await change(other);
      await expect(file.fingerprint()).rejects.toMatchObject({ code: 'data_changed' });
      await file.close();
    }
  });

  it('is not read on, nor waited for, once nobody needs its hash any more', async () => {
    const path = join(dir.path, 'long');
    await writeFile(path, '');
    await truncate(path, 256 * 1024 * 1024); // a hole
    const needed = new AbortController();
    const hashing = hashPinned({ path, param: 'data.path', hash: true }, [], needed.signal).catch((error: unknown) => error);
    setImmediate(() => needed.abort());
    expect(await hashing).toMatchObject({ code: 'data_missing', param: 'data.path', message: 'long: reading it was given up, it is not needed any more' });

    const reads: number[] = [];
    const source: ByteSource = {
      name: 'slow', param: null, sizeBytes: 100,
      readAt: (_into, positionBytes) => {
        reads.push(positionBytes);
        return positionBytes < 50 ? Promise.resolve(1) : new Promise(() => undefined);
      },
      close: () => new Promise(() => undefined),
    };
    const over = new AbortController();
    const bytes = interruptible(source, over.signal, () => new AppError('data_missing', 'over'));
    expect(await bytes.readAt(new Uint8Array(1), 0)).toBe(1);
    const hanging = bytes.readAt(new Uint8Array(1), 50);
    over.abort();
    await expect(hanging).rejects.toMatchObject({ message: 'over' });
    await expect(bytes.readAt(new Uint8Array(1), 0)).rejects.toMatchObject({ message: 'over' });
    expect(reads).toEqual([0, 50]);
    await bytes.close();
  });

  it('has to be the one that was looked at', async () => {
    await expect(openPinned({ path: join(dir.path, 'gone') }, [])).rejects.toMatchObject({ code: 'data_missing' });
    const path = join(dir.path, 'pinned');
    await writeFile(path, 'one');
    const settled = await openSettled(path);
    await settled.file.close();
    const { file } = pinFile(path, settled, null, [], 'data.path');
    await (await openPinned(file, [])).close();
    await writeFile(path, 'two');
    await expect(openPinned(file, [])).rejects.toMatchObject({ code: 'data_changed', param: 'data.path' });
  });
});

describe('what a file hashes to', () => {
  async function pinned(path: string, checked: readonly string[] = members) {
    const settled = await openSettled(path);
    await settled.file.close();
    return pinFile(path, settled, null, checked, 'data.path');
  }

  it('is remembered of a file that has been left alone, with the members that were checked', async () => {
    const path = new URL('../../fixtures/cnn/seed/data.npz', import.meta.url).pathname;
    const first = await pinned(path);
    const fingerprint = { sha256: 'a hash', identity: first.file.identity! };
    expect([first.file.hash, first.sha256([]), first.sha256([fingerprint])]).toEqual([true, null, 'a hash']);
    const second = await pinned(path);
    expect([second.file.hash, second.sha256([])]).toEqual([false, 'a hash']);
    expect((await pinned(path, ['z.npy'])).sha256([])).toBeNull();
  });

  it('is not remembered of a file that has just changed: it may change again without its times showing it', async () => {
    const path = join(dir.path, 'fresh');
    await writeFile(path, 'x');
    await utimes(path, 1000, 1000);
    const { file, sha256: known } = await pinned(path);
    expect(known([{ sha256: 'a hash', identity: file.identity! }])).toBe('a hash');
    expect(recallSha256(file.identity!, members)).toBeNull();
  });
});

describe('sources whose files are hashed while they are loaded', () => {
  const [samples, side] = [40, 60];
  const pixels = noise(samples * side * side);
  const labels = Int32Array.from({ length: samples }, (_, i) => i % 7);
  const arrays = {
    x: npyOf({ descr: '|u1', shape: [samples, side, side], data: pixels }),
    y: npyOf({ descr: '<i4', shape: [samples], data: bytesOf(labels) }),
    z: npyOf({ descr: '<f4', shape: [100_000], data: noise(400_000, 5) }),
  };
  async function samplesOf(set: OpenDataset): Promise<{ x: string; y: number[] }> {
    const batcher = makeStreamedBatcher(set, { normalize: 'none', batchSize: samples });
    const batch = batcher.begin(0, set.description.samples);
    await batch.ready;
    const { x, y } = batch.gather();
    return { x: sha256(Uint8Array.from(x)), y: Array.from({ length: set.description.samples }, (_, row) => y.subarray(row * 7, (row + 1) * 7).indexOf(1)) };
  }
  const wanted = { x: sha256(pixels), y: [...labels] };

  it('are the same samples, with the files’ sha256, in every layout of an npz, in memory or not', async () => {
    const layout = fc.record({ order: fc.shuffledSubarray(['x', 'y', 'z'] as const, { minLength: 3 }), deflated: fc.subarray(['x', 'y', 'z'] as const), memoryBytes: fc.constantFrom(0, 1000, 1e9), twice: fc.boolean() });
    const path = join(dir.path, 'layout.npz');
    await fc.assert(
      fc.asyncProperty(layout, async ({ order, deflated, memoryBytes, twice }) => {
        const bytes = zipOf(order.map((name) => ({ name: `${name}.npy`, data: arrays[name], deflate: deflated.includes(name) })));
        await writeFile(path, bytes);
        const source: ResolvedSource = { type: 'npz', path, x: 'x', y: 'y', hash: true };
        const { sets, hashed: found, close } = await loadSources(twice ? [source, { ...source, hash: false }] : [source], { memoryBytes, unpackDir: dir.path });
        try {
          expect(found.map(({ sha256: hash }) => hash)).toEqual([sha256(bytes)]);
          for (const set of sets) expect(await samplesOf(set)).toEqual(wanted);
          if (memoryBytes === 0) expect([isStored(sets[0]!.x), isStored(sets[0]!.y)]).toEqual([true, true]);
        } finally {
          await close();
        }
      }),
      { numRuns: 50 },
    );
  });

  it('are the same samples of IDX files too, gzip or not', async () => {
    const [images, inGzip] = [idxOf({ shape: [samples, side, side], data: pixels }), idxOf({ shape: [samples], data: Uint8Array.from(labels) })];
    await writeFile(join(dir.path, 'images'), images);
    await writeFile(join(dir.path, 'labels.gz'), gzipSync(inGzip));
    for (const memoryBytes of [0, 1e9]) {
      const source: ResolvedSource = { type: 'idx', images: { path: join(dir.path, 'images'), hash: true }, labels: { path: join(dir.path, 'labels.gz'), hash: true } };
      const { sets, hashed: found, close } = await loadSources([source], { memoryBytes, unpackDir: dir.path });
      expect(found.map(({ sha256: hash }) => hash)).toEqual([sha256(images), sha256(gzipSync(inGzip))]);
      expect(await samplesOf(sets[0]!)).toEqual(wanted);
      await close();
    }
  });
});

// Data is read once: by the process that trains on it, which hashes it by the way. Counted by the system, in bytes.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import type { ResolvedSource } from '../../../lib/data/source.js';
import { startTestSystem, type TestSystem, trainerOf, waitFor } from '../../support/system.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { idxOf } from '../../unit/data/idx-files.js';
import { npyOf, zipOf } from '../../unit/data/npz-files.js';

const DIST = join(import.meta.dirname, '../../../dist');
const MIB = 2 ** 20;
/** Headers and directories, and the first piece of what a header was looked for in. */
const BESIDES = 4 * MIB;

/** Loads sources, and says what its process has read meanwhile. */
const LOADER = `
  import { readFileSync } from 'node:fs';
  const [dist, folder, sources, memoryBytes] = process.argv.slice(2);
  const { loadSources } = await import(dist + '/lib/data/load.js');
  const read = () => Number(/rchar: (\\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))[1]);
  const before = read();
  const { hashed, close } = await loadSources(JSON.parse(sources), { memoryBytes: Number(memoryBytes), unpackDir: folder });
  console.log(JSON.stringify({ bytes: read() - before, hashed: hashed.map(({ sha256 }) => sha256) }));
  await close();
`;

const noise = (length: number, seed = 0) => Uint8Array.from({ length }, (_, i) => Math.imul(i + seed, 0x9e3779b1) >>> 24);
const [samples, side] = [40, 640];
const images = (seed: number) => npyOf({ descr: '|u1', shape: [samples, side, side], data: noise(samples * side * side, seed) });
const labels = npyOf({ descr: '|u1', shape: [samples], data: Uint8Array.from({ length: samples }, (_, i) => i % 3) });

describe.skipIf(process.platform !== 'linux')('sources that are hashed while they are loaded', () => {
  let dir: TempDir;
  beforeAll(async () => {
    dir = await makeTempDir('read-once');
    await writeFile(join(dir.path, 'load.mjs'), LOADER);
  });
  afterAll(() => dir.remove());

  async function load(sources: readonly ResolvedSource[], memoryBytes: number): Promise<{ bytes: number; hashed: string[] }> {
    const { stdout } = await promisify(execFile)(process.execPath, [join(dir.path, 'load.mjs'), DIST, dir.path, JSON.stringify(sources), String(memoryBytes)]);
    return JSON.parse(stdout) as { bytes: number; hashed: string[] };
  }

  test.each([
    ['x_train, y_train, x_test, y_test', false],
    ['y_test, x_test, y_train, x_train', false],
    ['x_test, x_train, y_train, y_test', true],
  ])('are read once, a training and a test set in one npz: %s, compressed: %s', async (order, deflate) => {
    const data: Record<string, Buffer> = { x_train: images(0), y_train: labels, x_test: images(1), y_test: labels };
    const path = join(dir.path, 'sets.npz');
    const bytes = zipOf(order.split(', ').map((name) => ({ name: `${name}.npy`, data: data[name]!, deflate })));
    await writeFile(path, bytes);
    const [train, validation] = ['train', 'test'].map((name): ResolvedSource => ({ type: 'npz', path, x: `x_${name}`, y: `y_${name}`, hash: true }));
    for (const memoryBytes of [1e9, 0]) {
      const found = await load([train!, validation!], memoryBytes);
      expect(found.hashed).toEqual([createHash('sha256').update(bytes).digest('hex')]);
      expect(found.bytes / MIB).toBeGreaterThan((bytes.length - 1) / MIB);
      expect(found.bytes / MIB).toBeLessThan((bytes.length + BESIDES) / MIB);
    }
  });

  test('are read once, in IDX files, gzip or not', async () => {
    const whole = idxOf({ shape: [samples, side, side], data: noise(samples * side * side) });
    await writeFile(join(dir.path, 'labels'), idxOf({ shape: [samples], data: new Uint8Array(samples) }));
    for (const bytes of [whole, gzipSync(whole, { level: 1 })]) {
      await writeFile(join(dir.path, 'images'), bytes);
      const [image, label] = ['images', 'labels'].map((name) => ({ path: join(dir.path, name), hash: true }));
      const found = await load([{ type: 'idx', images: image!, labels: label! }], 1e9);
      expect(found.hashed[0]).toBe(createHash('sha256').update(bytes).digest('hex'));
      expect(found.bytes / MIB).toBeLessThan((bytes.length + BESIDES) / MIB);
    }
  });
});

describe.skipIf(process.platform !== 'linux')('a job on data in a file', () => {
  let system: TestSystem;
  let roots: TempDir;
  beforeAll(async () => {
    roots = await makeTempDir('roots');
    system = await startTestSystem({ env: { PAWL_DATA_ROOTS: roots.path } });
    await system.startController();
  });
  afterAll(async () => {
    await system.stop();
    await roots.remove();
  });

  const SIZES = { large: 2048, small: 16 };
  const SIDE = 256;
  async function writeSet(name: keyof typeof SIZES): Promise<void> {
    const count = SIZES[name];
    await writeFile(join(roots.path, `${name}-labels`), idxOf({ shape: [count], data: Uint8Array.from({ length: count }, (_, i) => i % 3) }));
    const file = await open(join(roots.path, name), 'w');
    await file.write(idxOf({ shape: [count, SIDE, SIDE], data: new Uint8Array(0) }));
    await file.truncate(16 + count * SIDE * SIDE); // all black
    await file.close();
  }
  const spec = (name: string): JobSpecInput => ({
    data: { type: 'idx', images: name, labels: `${name}-labels`, normalize: 'unit' },
    model: { layers: [{ type: 'average_pooling2d', pool_size: 64 }, { type: 'flatten' }, { type: 'dense', units: 3, activation: 'softmax' }] },
    training: { batch_size: 4, accum_iters: 2, max_updates: 2, seed: 1 },
    run: { max_failures: 0 },
  });
  const readBy = async (pid: number): Promise<number> => Number(/rchar: (\d+)/.exec(await readFile(`/proc/${pid}/io`, 'utf8'))![1]);

  test('is read once by worker and trainer together, and where it stays in its file only once in all jobs', async () => {
    await writeSet('large');
    await writeSet('small');
    const sizeMib = (SIZES.large * SIDE * SIDE) / MIB;
    // a file that has just changed is not remembered
    await waitFor('the file is at rest', async () => Date.now() - (await stat(join(roots.path, 'large'))).ctimeMs > 2_500);
    for (const memoryMib of [1024, 16]) {
      system.env['PAWL_DATA_MEMORY_MIB'] = String(memoryMib);
      const worker = await system.startWorker();
      const run = async (name: string): Promise<string> => {
        const head = await system.terminal(await system.submit(spec(name)));
        expect(head.state, head.message ?? '').toBe('succeeded');
        return head.inputs!.data_sha256;
      };
      await run('small');
      const trainer = await trainerOf(worker);
      const read = async (): Promise<number> => (await readBy(worker.pid)) + (await readBy(trainer));
      const counted = async (): Promise<{ sha256: string; mib: number }> => {
        const before = await read();
        const sha256 = await run('large');
        expect(await trainerOf(worker), 'the trainer is still the same process').toBe(trainer);
        return { sha256, mib: ((await read()) - before) / MIB };
      };
      const [first, again] = [await counted(), await counted()];
      console.log(`${sizeMib} MiB of images, ${memoryMib} MiB of memory for them: read ${first.mib.toFixed(1)} MiB in a first job, ${again.mib.toFixed(1)} MiB in a second`);
      expect(again.sha256).toBe(first.sha256);
      expect(first.mib).toBeGreaterThan(sizeMib);
      expect(first.mib).toBeLessThan(1.1 * sizeMib);
      if (memoryMib > sizeMib) expect(again.mib).toBeLessThan(1.1 * sizeMib);
      else expect(again.mib).toBeLessThan(0.1 * sizeMib);
      worker.kill('SIGTERM');
      await worker.exited;
    }
  });
});

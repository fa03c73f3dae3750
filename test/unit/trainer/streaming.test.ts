// Data that stays in its files: the same batches, byte for byte, as from memory, in bounded memory, and an end where the
// file is not the one any more that it was.
import { readdir, rename, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { NormalizeSpec } from '../../../lib/contract/spec.js';
import { planModel } from '../../../lib/model/plan-model.js';
import { courseOf, type Course } from '../../../lib/training/course.js';
import { afterStep, planBlock, planStep, startCursor } from '../../../lib/training/cursor.js';
import type { Cursor } from '../../../lib/training/state.js';
import { loadData, type Batches } from '../../../worker/trainer/batches.js';
import { resolved } from '../../resume/support/run-training.js';
import { openFilesOf } from '../../support/open-files.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { bytesOf, npyOf, zipOf, type MemberParts } from '../data/npz-files.js';

let dir: TempDir;
beforeAll(async () => {
  dir = await makeTempDir('streaming');
});
afterAll(() => dir.remove());
afterEach(async () => expect((await openFilesOf(dir.path)) ?? []).toEqual([]));

interface SetParts {
  samples: number;
  shape: readonly [number, number, number];
  floats: boolean;
  labels: 'integer' | 'rows';
  classes: number;
  zip64?: boolean;
  /** Compressed: unpacked where it is not in memory. */
  deflateX?: boolean;
  deflateY?: boolean;
}

/** Sample i has values that no other has, and class i modulo the number of them. */
function setOf({ samples, shape, floats, labels, classes, zip64 = false, deflateX = false, deflateY = false }: SetParts): Buffer {
  const count = samples * shape[0] * shape[1] * shape[2];
  const values = Array.from({ length: count }, (_, i) => (i * 7919) % 65_521);
  const x = floats ? npyOf({ descr: '<f4', shape: [samples, ...shape], data: bytesOf(Float32Array.from(values, (value) => value / 3 - 9000)) }) : npyOf({ descr: '|u1', shape: [samples, ...shape], data: Uint8Array.from(values) });
  const indices = Array.from({ length: samples }, (_, i) => i % classes);
  const y =
    labels === 'integer'
      ? npyOf({ descr: '<i8', shape: [samples], data: bytesOf(BigInt64Array.from(indices, BigInt)) })
      : npyOf({ descr: '<f8', shape: [samples, classes], data: bytesOf(Float64Array.from(indices.flatMap((label) => Array.from({ length: classes }, (_, k) => (k === label ? 0.7 : 0.3 / (classes - 1)))))) });
  const members: MemberParts[] = [
    { name: 'x.npy', data: x, zip64, deflate: deflateX },
    { name: 'y.npy', data: y, deflate: deflateY },
  ];
  return zipOf(members);
}

interface Options {
  memoryBytes: number;
  batchSize?: number;
  accumIters?: number;
  epochs?: number;
  shuffle?: boolean;
  normalize?: NormalizeSpec;
  validation?: null | { split: number } | { path: string; normalize: NormalizeSpec };
}

async function open(path: string, { memoryBytes, batchSize = 4, accumIters = 3, epochs = 2, shuffle = true, normalize = 'none', validation = null }: Options) {
  const own = validation !== null && 'path' in validation ? validation : null;
  const spec = resolved({
    data: { type: 'npz', path: 'train.npz', normalize, validation: own === null ? (validation as { split: number } | null) : { type: 'npz', path: 'own.npz', normalize: own.normalize } },
    model: { layers: [{ type: 'flatten' }, { type: 'dropout', rate: 0.5 }, { type: 'dense', units: 2 }] },
    training: { batch_size: batchSize, accum_iters: accumIters, epochs, shuffle, seed: 7 },
  });
  const data = await loadData(spec, { train: { type: 'npz', path, x: 'x', y: 'y' }, validation: own === null ? null : { type: 'npz', path: own.path, x: 'x', y: 'y' }, memoryBytes }, dir.path);
  const planned = planModel(resolved({ ...spec, model: { layers: [{ type: 'flatten' }, { type: 'dropout', rate: 0.5 }, { type: 'dense', units: data.description.classes }] } }).model.layers, data.description.shape, { classes: data.description.classes });
  if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
  return { batches: data.batches(planned.plan), description: data.description, course: courseOf(spec.training, data.description.samples) };
}

type Asked = { cursors: Cursor[] } | { validation: number };

/** Everything that a loop asks for, in its order, in blocks of at most these lengths in turn. */
function* courseOfLoop(course: Course, validationCount: number, blocks: readonly number[], from = startCursor()): Generator<Asked> {
  for (let cursor = from, turn = 0; ; ) {
    const step = planStep(cursor, course);
    if (step === 'finished') return;
    if (step === 'micro_batch') {
      const { cursors } = planBlock(cursor, course, blocks[turn++ % blocks.length]!);
      yield { cursors: [...cursors] };
      for (const before of cursors) cursor = afterStep(before, 'micro_batch', course);
      continue;
    }
    if (step === 'end_epoch') for (let index = 0; index < validationCount; index++) yield { validation: index };
    cursor = afterStep(cursor, step, course);
  }
}

const ask = async (batches: Batches, asked: Asked) => ('cursors' in asked ? batches.training(asked.cursors) : [await batches.validation.at(asked.validation)]);

const ofBatch = (batch: Awaited<ReturnType<typeof ask>>[number]) => ({
  ...batch,
  x: Buffer.from(batch.x.buffer).toString('hex'),
  y: Buffer.from(batch.y.buffer).toString('hex'),
  masks: [...batch.masks].map(([name, mask]) => [name, Buffer.from(mask.buffer).toString('hex')]),
});

describe('a streamed training', () => {
  it('has the same batches, byte for byte, as one in memory, in whatever order they are asked for', async () => {
    const set = fc.record<SetParts>({
      samples: fc.integer({ min: 6, max: 40 }),
      shape: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.constant(2)),
      floats: fc.boolean(),
      labels: fc.constantFrom('integer', 'rows'),
      classes: fc.integer({ min: 2, max: 4 }),
      zip64: fc.boolean(),
      deflateX: fc.boolean(),
      deflateY: fc.boolean(),
    });
    const statistics = fc.constantFrom<NormalizeSpec>('none', { mean: 3.3, std: 0.7 }, { mean: [1, -2], std: [0.3, 11] }, { mean: [100, 5], std: 3 });
    const any = fc.record({
      set,
      normalize: statistics,
      unit: fc.boolean(),
      split: fc.constantFrom<'split' | 'own' | null>(null, 'split', 'own'),
      batchSize: fc.integer({ min: 1, max: 7 }),
      accumIters: fc.integer({ min: 1, max: 5 }),
      shuffle: fc.boolean(),
      blocks: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
      /** Where the loop is thrown to, after so many answers. */
      jumps: fc.array(fc.tuple(fc.nat(30), fc.nat(200)), { maxLength: 4 }),
      keepY: fc.boolean(),
    });
    let streamed = 0;
    await fc.assert(
      fc.asyncProperty(any, async ({ set, normalize, unit, split, batchSize, accumIters, shuffle, blocks, jumps, keepY }) => {
        const [path, own] = [join(dir.path, 'train.npz'), join(dir.path, 'own.npz')];
        await writeFile(path, setOf(set));
        await writeFile(own, setOf({ ...set, samples: 5 }));
        const fitting = unit && !set.floats ? 'unit' : normalize;
        const validation = split === null ? null : split === 'split' ? { split: 0.3 } : { path: own, normalize: fitting };
        const options = { batchSize, accumIters, shuffle, normalize: fitting, validation };
        const memory = await open(path, { ...options, memoryBytes: 1e9 });
        const labelBytes = (set.samples + (split === 'own' ? 5 : 0)) * 4 * (set.labels === 'rows' ? set.classes : 1);
        const stream = await open(path, { ...options, memoryBytes: keepY ? labelBytes : 0 });
        try {
          expect(memory.batches.reading()).toBeNull();
          if (stream.batches.reading() !== null) streamed++; // tiny images may fit where labels do
          expect(stream.description).toEqual(memory.description);
          const all = [...courseOfLoop(memory.course, memory.batches.validation.count, blocks)];
          const thrown = jumps.flatMap(([after, to]) => all.slice(to % all.length, (to % all.length) + after));
          for (const asked of [...all, ...thrown]) {
            expect((await ask(stream.batches, asked)).map(ofBatch)).toEqual((await ask(memory.batches, asked)).map(ofBatch));
          }
        } finally {
          await stream.batches.close();
          await memory.batches.close();
        }
      }),
      { numRuns: 150 },
    );
    expect(streamed).toBeGreaterThan(100);
  });

  it('reads every sample once an epoch, and nothing that is not asked for', async () => {
    const path = join(dir.path, 'once.npz');
    const parts: SetParts = { samples: 53, shape: [3, 3, 1], floats: false, labels: 'integer', classes: 3 };
    await writeFile(path, setOf(parts));
    const { batches, course } = await open(path, { memoryBytes: 0, validation: { split: 0.3 } });
    for (const asked of courseOfLoop(course, batches.validation.count, [1, 3])) await ask(batches, asked);
    const { begun, dropped, heldBytes, readBytes } = batches.reading()!;
    await batches.close();
    expect({ begun, dropped, heldBytes, readBytes }).toEqual({ begun: 2 * (10 + 4), dropped: 0, heldBytes: 0, readBytes: 2 * 53 * (9 + 8) });
  });

  it('reads neighbours of a file in one piece', async () => {
    const path = join(dir.path, 'order.npz');
    await writeFile(path, setOf({ samples: 40, shape: [3, 3, 1], floats: true, labels: 'rows', classes: 3 }));
    const { batches, course } = await open(path, { memoryBytes: 40 * 12, shuffle: false, batchSize: 10, epochs: 1 });
    const memory = await open(path, { memoryBytes: 1e6, shuffle: false, batchSize: 10, epochs: 1 });
    for (const asked of courseOfLoop(course, 0, [1])) expect(await ask(batches, asked)).toEqual(await ask(memory.batches, asked));
    expect(batches.reading()!.readBytes).toBe(40 * 36); // labels fit
    await batches.close();
  });
});

describe('memory', () => {
  const SIDE = 64;
  const SAMPLES = 16_384;
  const LIMIT_BYTES = 8 * 1024 ** 2;
  let path: string;
  beforeAll(async () => {
    path = join(dir.path, 'large.npz');
    const pixels = new Uint8Array(SAMPLES * SIDE * SIDE);
    for (let i = 0; i < SAMPLES; i++) pixels.fill((i * 31) & 255, i * SIDE * SIDE, (i + 1) * SIDE * SIDE);
    const y = npyOf({ descr: '|u1', shape: [SAMPLES], data: Uint8Array.from({ length: SAMPLES }, (_, i) => i % 10) });
    await writeFile(path, zipOf([{ name: 'x.npy', data: npyOf({ descr: '|u1', shape: [SAMPLES, SIDE, SIDE, 1], data: pixels }) }, { name: 'y.npy', data: y }]));
  });

  it('stays bounded while a file eight times its limit is trained on', async () => {
    expect((await stat(path)).size).toBeGreaterThan(8 * LIMIT_BYTES);
    const before = process.memoryUsage().arrayBuffers;
    const { batches, course } = await open(path, { memoryBytes: LIMIT_BYTES, batchSize: 32, accumIters: 8, epochs: 1 });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(LIMIT_BYTES / 4);
    let seen = 0;
    for (const asked of courseOfLoop(course, 0, [8])) {
      for (const batch of await ask(batches, asked)) {
        const { sampleIds } = batch as Awaited<ReturnType<Batches['training']>>[number];
        sampleIds.forEach((sample, row) => {
          if (batch.x[row * SIDE * SIDE] !== ((sample * 31) & 255) || batch.x[(row + 1) * SIDE * SIDE - 1] !== ((sample * 31) & 255)) throw new Error(`row ${row} is not sample ${sample}`);
        });
        seen += batch.samples;
      }
      // a whole jump of the cursor now and then: what is under way counts until it has ended
      if (seen % 4096 === 0) await batches.training([{ ...startCursor(), position: seen / 2 }]);
    }
    const figures = batches.reading()!;
    await batches.close();
    expect(seen).toBe(SAMPLES);
    const blockBytes = 8 * 32 * SIDE * SIDE;
    expect(figures.peakHeldBytes).toBeLessThanOrEqual(LIMIT_BYTES / 4 + blockBytes);
    expect(figures.readBytes).toBeGreaterThanOrEqual(SAMPLES * SIDE * SIDE);
    expect(figures.dropped).toBeGreaterThan(0);
  });

  it('is for what fits: the same file under a limit above its size is not streamed', async () => {
    const { batches } = await open(path, { memoryBytes: SAMPLES * (SIDE * SIDE + 4) });
    expect(batches.reading()).toBeNull();
    const tight = await open(path, { memoryBytes: SAMPLES * (SIDE * SIDE + 4) - 1 });
    expect(tight.batches.reading()).not.toBeNull();
    await tight.batches.close();
  });

  it('stays bounded where a compressed file is unpacked, which leaves nothing behind', async () => {
    const packed = join(dir.path, 'packed.npz');
    const pixels = new Uint8Array(SAMPLES * SIDE * SIDE);
    for (let i = 0; i < SAMPLES; i++) pixels.fill((i * 31) & 255, i * SIDE * SIDE, (i + 1) * SIDE * SIDE);
    const members = [npyOf({ descr: '|u1', shape: [SAMPLES, SIDE, SIDE], data: pixels }), npyOf({ descr: '|u1', shape: [SAMPLES], data: new Uint8Array(SAMPLES) })];
    await writeFile(packed, zipOf(members.map((data, i) => ({ name: ['x.npy', 'y.npy'][i]!, data, deflate: true }))));
    const before = process.memoryUsage().arrayBuffers;
    const opened = open(packed, { memoryBytes: LIMIT_BYTES, batchSize: 32, accumIters: 8, epochs: 1 });
    let peak = 0;
    const looking = setInterval(() => (peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)), 1);
    const { batches, course } = await opened;
    clearInterval(looking);
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(6 * LIMIT_BYTES); // most of it garbage: V8 collects such memory after 32 MiB
    expect((await readdir(dir.path)).filter((name) => name.endsWith('.unpacked'))).toEqual([]);
    let seen = 0;
    for (const asked of courseOfLoop(course, 0, [8])) {
      for (const { x, sampleIds } of (await ask(batches, asked)) as Awaited<ReturnType<Batches['training']>>) {
        sampleIds.forEach((sample, row) => expect(x[(row + 1) * SIDE * SIDE - 1]).toBe((sample * 31) & 255));
        seen += sampleIds.length;
      }
    }
    await batches.close();
    expect(seen).toBe(SAMPLES);
  });
});

describe('data that cannot be trained on', () => {
  it.each<[string, Partial<SetParts>, Partial<Options>, string]>([
    ['validation samples of another shape', { shape: [2, 1, 2] }, {}, 'validation samples have shape [2, 1, 2]'],
    ['validation samples of another shape, unpacked', { shape: [2, 1, 2], deflateX: true, deflateY: true }, {}, 'validation samples have shape [2, 1, 2]'],
    ['a bad normalisation', { floats: true }, { normalize: 'unit' }, '"unit" is not defined for float32 data'],
  ])('leaves no file open: %s', async (_what, change, options, message) => {
    const [path, own] = [join(dir.path, 'bad.npz'), join(dir.path, 'own.npz')];
    const parts: SetParts = { samples: 12, shape: [2, 2, 2], floats: false, labels: 'integer', classes: 3, ...(options.normalize ? change : {}) };
    await writeFile(path, setOf(parts));
    await writeFile(own, setOf({ ...parts, ...change, samples: 5 }));
    await expect(open(path, { memoryBytes: 0, validation: { path: own, normalize: 'none' }, ...options })).rejects.toThrow(message);
  });
});

describe('a file that changes while it is trained on', () => {
  let path: string;
  const parts: SetParts = { samples: 400, shape: [5, 5, 1], floats: true, labels: 'integer', classes: 3 };
  beforeAll(() => {
    path = join(dir.path, 'changing.npz');
  });
  const start = async () => {
    await writeFile(path, setOf(parts));
    const opened = await open(path, { memoryBytes: 0, shuffle: false, epochs: 1 });
    const asked = [...courseOfLoop(opened.course, 0, [3])];
    for (const early of asked.slice(0, 3)) await ask(opened.batches, early);
    return { ...opened, rest: asked.slice(3) };
  };

  it.each<[string, () => Promise<void>]>([
    ['is cut', () => truncate(path, 20_000)],
    ['is emptied', () => truncate(path, 0)],
    ['grows', () => writeFile(path, 'x', { flag: 'a' })],
    ['is written anew', () => writeFile(path, setOf({ ...parts, classes: 2 }))],
    ['has another time', () => utimes(path, 1, 1)],
  ])('and %s, ends the training as data_changed', async (_how, change) => {
    const { batches, rest } = await start();
    await change();
    let failure: unknown = null;
    let given = 0;
    for (const asked of rest) {
      try {
        await ask(batches, asked);
        given++;
      } catch (error) {
        failure = error;
        break;
      }
    }
    expect(failure).toMatchObject({ code: 'data_changed', message: expect.stringMatching(/^changing\.npz (was written to|became shorter) while it was read$/) });
    expect(given).toBe(0);
    await batches.close();
  });

  it('goes on from the file that it opened if another is put in its place', async () => {
    const { batches, rest } = await start();
    await writeFile(`${path}.new`, setOf({ ...parts, floats: false }));
    await rename(`${path}.new`, path);
    const original = join(dir.path, 'original.npz');
    await writeFile(original, setOf(parts));
    const memory = await open(original, { memoryBytes: 1e9, shuffle: false, epochs: 1 });
    for (const asked of rest) expect(await ask(batches, asked)).toEqual(await ask(memory.batches, asked));
    await batches.close();
  });

  it('and is never asked for again, is closed without a word', async () => {
    const { batches } = await start();
    await truncate(path, 0);
    await batches.close();
    await batches.close();
    await expect(batches.training([startCursor()])).rejects.toThrow('changing.npz is closed');
  });
});

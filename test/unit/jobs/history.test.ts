// Histories that are far longer than what anyone may take whole: what commits write and readers read, in bytes.
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { encodeLines, SEGMENT_BYTES } from '../../../lib/checkpoints/segments.js';
import type { JobRecord, Manifest, Segment } from '../../../lib/contract/records.js';
import type { UpdateRow } from '../../../lib/contract/rows.js';
import { appendTo, eachIn, type OnDamaged, segmentsWithin } from '../../../lib/jobs/history.js';
import { emptyHead } from '../../../lib/jobs/lifecycle.js';
import { readRows } from '../../../lib/jobs/metrics.js';
import { makeMemoryStore } from '../../support/memory-store.js';

const ROW_BYTES = 171;
const row = (update: number): UpdateRow => ({ update, loss: 1 / 3, accuracy: 2 / 3, regularization: 0, lr: 0.001, grad_norm: 1.2345678901234567, samples: 32, wall_time: 1_700_000_000.123 + update });

interface Told {
  reads: { key: string; bytes: number }[];
  writes: { key: string; bytes: number }[];
}

/** A history of `commits` commits of `each` rows, as a job makes it. */
async function written(commits: number, each: number) {
  const memory = makeMemoryStore();
  const told: Told = { reads: [], writes: [] };
  const store = {
    get: async (key: string) => {
      const stored = await memory.get(key);
      told.reads.push({ key, bytes: stored?.body.length ?? 0 });
      return stored;
    },
  };
  let segments: Segment[] = [];
  let [most, updates, mostInOneCommit] = [0, 0, 0];
  for (let commit = 0; commit < commits; commit++) {
    const before = told.writes.length;
    const reads = told.reads.length;
    const target = { store, nameOf: (sha256: string) => sha256, put: async (key: string, body: Buffer) => void (told.writes.push({ key, bytes: body.length }), await memory.put(key, body)), onDamaged: () => expect.fail('nothing is damaged') };
    segments = await appendTo(target, segments, Array.from({ length: each }, () => row(++updates)), ({ update }) => update);
    most = Math.max(most, segments.length);
    const moved = [...told.writes.slice(before), ...told.reads.slice(reads)].reduce((sum, { bytes }) => sum + bytes, 0);
    mostInOneCommit = Math.max(mostInOneCommit, moved);
  }
  const manifest = { rows: { update: segments, epoch: [] } } as unknown as Manifest;
  const deps = { store, rows: { list: () => Promise.reject(new Error('nobody owns it')) }, manifests: { latest: () => Promise.resolve(manifest) } };
  const page = ({ onDamaged, ...query }: { after?: number; limit?: number; maxPoints?: number; onDamaged?: OnDamaged }) => readRows<'update'>({ ...deps, ...(onDamaged ? { onDamaged } : {}) }, { id: 'job' } as JobRecord, emptyHead(), { series: 'update', after: -1, limit: Infinity, maxPoints: Infinity, ...query });
  /** What a read took. */
  const reading = async <T>(what: () => Promise<T>): Promise<{ value: T; bytes: number; largest: number }> => {
    const from = told.reads.length;
    const value = await what();
    const taken = told.reads.slice(from).map(({ bytes }) => bytes);
    return { value, bytes: taken.reduce((sum, bytes) => sum + bytes, 0), largest: Math.max(0, ...taken) };
  };
  return { memory, store, told, segments, updates, most, mostInOneCommit, page, reading };
}

const numbers = (rows: readonly UpdateRow[]): number[] => rows.map(({ update }) => update);
const upTo = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

it('no segment grows beyond what a reader may take, no commit moves more than that each level, and the list stays short', async () => {
  const history = await written(300, 700);
  const all = history.updates * ROW_BYTES;
  expect(all).toBeGreaterThan(30 * SEGMENT_BYTES);
  expect(Math.max(...history.told.writes.map(({ bytes }) => bytes))).toBeLessThanOrEqual(SEGMENT_BYTES);
  expect(history.mostInOneCommit).toBeLessThanOrEqual(4 * SEGMENT_BYTES);
  expect(history.most).toBeLessThanOrEqual(35);
  expect(history.segments.some(({ index }) => index)).toBe(true);
  let seen = 0;
  for await (const { update } of eachIn<UpdateRow>(history.store, history.segments)) expect(update).toBe(++seen);
  expect(seen).toBe(history.updates);
});

it('what a long absence of the store left to commit at once is cut as well', async () => {
  const history = await written(1, 100_000);
  expect(Math.max(...history.told.writes.map(({ bytes }) => bytes))).toBeLessThanOrEqual(SEGMENT_BYTES);
  expect(history.segments[0]).toMatchObject({ first: 1, index: true });
  expect(numbers((await history.page({ after: 70_000, limit: 3 })).rows)).toEqual([70_001, 70_002, 70_003]);
});

it('a page reads its own segments and the way to them', async () => {
  const history = await written(300, 700);
  for (const after of [-1, 5, 699, 700, 104_999, 209_990]) {
    const { value, bytes } = await history.reading(() => history.page({ after, limit: 20 }));
    const first = Math.max(1, after + 1);
    expect(numbers(value.rows)).toEqual(upTo(first, Math.min(first + 19, history.updates)));
    expect(value.hasMore).toBe(first + 19 < history.updates);
    expect(bytes, `after ${after}`).toBeLessThan(2.1 * SEGMENT_BYTES);
  }
});

it('a curve reads the segments that have a point of it, one at a time, and ends with the last row', async () => {
  const history = await written(300, 700);
  const { value, bytes, largest } = await history.reading(() => history.page({ maxPoints: 5 }));
  expect(numbers(value.rows)).toEqual([1, 52_501, 105_001, 157_501, 210_000]);
  expect(value.hasMore).toBe(false);
  expect(bytes).toBeLessThan(5.2 * SEGMENT_BYTES);
  expect(largest).toBeLessThanOrEqual(SEGMENT_BYTES);
  expect(numbers((await history.page({ maxPoints: 1 })).rows)).toEqual([history.updates]);
  expect((await history.page({ maxPoints: 1_000 })).rows.length).toBeGreaterThan(900);
  expect(numbers((await history.page({ after: 1_000, limit: 500, maxPoints: 3 })).rows)).toEqual([1_001, 1_251, 1_500]);
});

it('all segments of a history are found, and those that are known are not read again', async () => {
  const history = await written(100, 700);
  const keys = new Set<string>();
  for await (const { key } of segmentsWithin(history.store, history.segments, (segment) => keys.has(segment.key))) keys.add(key);
  let rows = 0;
  for (const key of keys) rows += (await history.memory.get(key))!.body.toString().split('\n').filter((line) => line.includes('"loss"')).length;
  expect(rows).toBe(history.updates);
  const again = await history.reading(async () => {
    for await (const { key } of segmentsWithin(history.store, history.segments, (segment) => keys.has(segment.key))) throw new Error(`${key} again`);
  });
  expect(again.bytes).toBe(0);
});

it('indexes are read some at a time, each once', async () => {
  const memory = makeMemoryStore();
  const place = (first: number): Omit<Segment, 'key' | 'bytes' | 'sha256'> => ({ first, last: first, count: 1, level: 0 });
  const leaf = (first: number): Segment => ({ key: `leaf-${first}`, bytes: 1, sha256: '0'.repeat(64), ...place(first) });
  const indexes = await Promise.all(
    Array.from({ length: 40 }, async (_, first): Promise<Segment> => {
      const body = encodeLines([leaf(first)]);
      await memory.put(`index-${first}`, body);
      return { key: `index-${first}`, bytes: body.length, sha256: createHash('sha256').update(body).digest('hex'), ...place(first), index: true };
    }),
  );
  let [reading, most] = [0, 0];
  const read: string[] = [];
  const get = async (key: string) => {
    read.push(key);
    most = Math.max(most, ++reading);
    await new Promise((resolve) => setImmediate(resolve));
    reading--;
    return memory.get(key);
  };
  const found: Segment[] = [];
  for await (const segment of segmentsWithin({ get }, indexes, () => false)) found.push(segment);
  expect([found, [...read].sort()]).toEqual([indexes.flatMap((index) => [leaf(index.first), index]), indexes.map(({ key }) => key).sort()]);
  expect([most > 1, most <= 16]).toEqual([true, true]);
});

it('a page and a curve go around what is damaged, and say it', async () => {
  const history = await written(60, 700);
  const leaves: Segment[] = [];
  for await (const segment of segmentsWithin(history.store, history.segments, () => false)) if (segment.index !== true) leaves.push(segment);
  const [, bad, after] = leaves.toSorted((a, b) => a.first - b.first);
  history.memory.objects.delete(bad!.key);
  const told: string[] = [];
  const onDamaged: OnDamaged = ({ key }) => void told.push(key);
  await expect(history.page({ after: bad!.first - 3, limit: 5 })).rejects.toMatchObject({ code: 'checkpoint_corrupt' });
  const around = await history.page({ after: bad!.first - 3, limit: 5, onDamaged });
  expect(numbers(around.rows)).toEqual([bad!.first - 2, bad!.first - 1, after!.first, after!.first + 1, after!.first + 2]);
  expect(around.hasMore).toBe(true);
  const within = await history.page({ after: bad!.first + 5, limit: 2, onDamaged });
  expect(numbers(within.rows)).toEqual([after!.first, after!.first + 1]);
  expect(told).toEqual([bad!.key, bad!.key]);
  const curve = await history.page({ maxPoints: 200, onDamaged });
  expect(curve.rows.length).toBeGreaterThan(150);
  expect(curve.rows.length).toBeLessThanOrEqual(200);
  expect(numbers(curve.rows).at(-1)).toBe(history.updates);
  // the very end
  const end = leaves.toSorted((a, b) => a.first - b.first).at(-1)!;
  history.memory.objects.delete(end.key);
  expect(await history.page({ after: end.first, limit: 5, onDamaged })).toEqual({ rows: [], hasMore: false });
});

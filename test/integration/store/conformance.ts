// What every store driver must do, as one suite that each driver's test runs on itself.

import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { isAppError, messageOf } from '../../../lib/errors.js';
import { makeTempDir } from '../../support/temp.js';
import { makeJitter } from './jitter.js';
import { WHOLE_BYTES } from '../../../lib/store/body.js';
import type { ListOptions, Store } from '../../../lib/store/index.js';

export interface StoreUnderTest {
  store: Store;
  /** Ends whatever the store needs besides itself. */
  end(): Promise<void>;
}

export const text = (value: string): Buffer => Buffer.from(value);

export async function keysOf(store: Store, prefix: string, options: ListOptions = {}): Promise<string[]> {
  const keys: string[] = [];
  for await (const info of store.list(prefix, options)) keys.push(info.key);
  return keys;
}

/** The code of the AppError that `work` rejects with; fails if it resolves or rejects with anything else. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => expect.fail('it resolved'), (reason: unknown) => reason);
  if (!isAppError(error)) expect.fail(`not an AppError: ${messageOf(error)}`);
  return error.code;
}

export async function createdTag(store: Store, key: string, body: Buffer): Promise<string> {
  const outcome = await store.putIfAbsent(key, body);
  if (!outcome.created) expect.fail(`${key} was there already`);
  return outcome.etag;
}

/** Adds one to the register's number by compare-and-swap, as often as it takes. */
export async function increment(store: Store, key: string): Promise<void> {
  for (;;) {
    const before = await store.get(key);
    if (before === null) expect.fail(`${key} is gone`);
    const { count } = JSON.parse(before.body.toString()) as { count: number };
    const body = text(JSON.stringify({ count: count + 1, writer: randomUUID() }));
    if ((await store.compareAndSwap(key, body, before.etag)).swapped) return;
  }
}

export async function countIn(store: Store, key: string): Promise<number> {
  const object = await store.get(key);
  return (JSON.parse(object?.body.toString() ?? '{}') as { count: number }).count;
}

export function describeStore(name: string, makeStore: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    let store: Store;
    let end: () => Promise<void>;
    /** A folder of its own for each test. */
    const fresh = (): string => `t/${randomUUID()}`;

    beforeAll(async () => {
      ({ store, end } = await makeStore());
    });
    afterAll(async () => {
      await store.close();
      await end();
    });

    describe('ordinary objects', () => {
      it.each([0, 5, WHOLE_BYTES + 3])('of a file are read back as it is, with %i bytes', async (sizeBytes) => {
        const folder = await makeTempDir('body');
        onTestFinished(folder.remove);
        const bytes = Buffer.alloc(sizeBytes);
        for (let at = 0; at + 4 <= sizeBytes; at += 65_536) bytes.writeUInt32LE(at, at);
        const path = join(folder.path, 'file');
        await writeFile(path, bytes);
        const key = `${fresh()}/object`;
        const { etag } = await store.put(key, { path, sizeBytes });
        expect(await store.head(key)).toMatchObject({ sizeBytes, etag });
        expect((await store.get(key))!.body.equals(bytes)).toBe(true);
        await writeFile(path, 'another one');
        await store.put(key, { path, sizeBytes: 11 });
        expect((await store.get(key))!.body.toString()).toBe('another one');
      });

      it('are not made of a file that is shorter than it was said to be', async () => {
        const folder = await makeTempDir('body');
        onTestFinished(folder.remove);
        const path = join(folder.path, 'file');
        await writeFile(path, 'short');
        const key = `${fresh()}/object`;
        expect(await codeOf(store.put(key, { path, sizeBytes: 6 }))).toBe('internal_error');
        expect(await codeOf(store.put(key, { path: `${path}-not`, sizeBytes: 6 }))).toBe('internal_error');
        expect(await store.get(key)).toBeNull();
      });

      it('are read back as they were written', async () => {
        const key = `${fresh()}/object`;
        const { etag } = await store.put(key, text('hello'));
        expect(await store.get(key)).toEqual({ body: text('hello'), etag });
        const info = await store.head(key);
        expect(info).toMatchObject({ key, sizeBytes: 5, etag });
        expect(Math.abs(Date.now() - (info?.modifiedAt.getTime() ?? 0))).toBeLessThan(60_000);
      });

      it('are replaced by put', async () => {
        const key = `${fresh()}/object`;
        const first = await store.put(key, text('one'));
        const second = await store.put(key, text('two'));
        expect(second.etag).not.toBe(first.etag);
        expect((await store.get(key))?.body.toString()).toBe('two');
      });

      it('that are missing are null to get and head, and no error to delete', async () => {
        const folder = fresh();
        await store.put(`${folder}/there`, text('x'));
        for (const key of [`${folder}/missing`, `${folder}/deep/missing`, folder, `${folder}/there/below`]) {
          expect(await store.get(key)).toBeNull();
          expect(await store.get(key, { range: { start: 0, end: 1 } })).toBeNull();
          expect(await store.head(key)).toBeNull();
          await store.delete(key);
        }
        expect((await store.get(`${folder}/there`))?.body.toString()).toBe('x');
      });

      it('are gone after delete and can be created again', async () => {
        const key = `${fresh()}/object`;
        await createdTag(store, key, text('one'));
        await store.delete(key);
        expect(await store.get(key)).toBeNull();
        expect(await keysOf(store, key)).toEqual([]);
        await createdTag(store, key, text('two'));
        expect((await store.get(key))?.body.toString()).toBe('two');
      });

      it('may be empty', async () => {
        const key = `${fresh()}/empty`;
        const { etag } = await store.put(key, new Uint8Array());
        expect(await store.get(key)).toEqual({ body: Buffer.alloc(0), etag });
        expect(await store.head(key)).toMatchObject({ sizeBytes: 0 });
        expect(await store.putIfAbsent(key, text('x'))).toEqual({ created: false });
        expect(await codeOf(store.get(key, { range: { start: 0, end: 0 } }))).toBe('range_not_satisfiable');
      });

      it('of 8 MiB survive both ways of writing, from a view into a larger buffer', async () => {
        const folder = fresh();
        const whole = randomBytes(8 * 1024 * 1024 + 100);
        const body = new Uint8Array(whole.buffer, whole.byteOffset + 100, 8 * 1024 * 1024);
        const hash = createHash('sha256').update(body).digest('hex');
        await store.put(`${folder}/put`, body);
        await createdTag(store, `${folder}/create`, Buffer.from(body));
        for (const key of [`${folder}/put`, `${folder}/create`]) {
          const object = await store.get(key);
          expect(createHash('sha256').update(object?.body ?? '').digest('hex')).toBe(hash);
        }
        expect(await store.putIfAbsent(`${folder}/create`, body)).toEqual({ created: false });
      });

      it('give inclusive ranges, cut at the end of the object', async () => {
        const key = `${fresh()}/object`;
        const { etag } = await store.put(key, text('0123456789'));
        const part = async (start: number, end: number): Promise<string | undefined> => {
          const object = await store.get(key, { range: { start, end } });
          expect(object?.etag).toBe(etag);
          return object?.body.toString();
        };
        expect(await part(0, 0)).toBe('0');
        expect(await part(2, 4)).toBe('234');
        expect(await part(9, 9)).toBe('9');
        expect(await part(7, 1000)).toBe('789');
        expect(await codeOf(store.get(key, { range: { start: 10, end: 12 } }))).toBe('range_not_satisfiable');
        await expect(store.get(key, { range: { start: 4, end: 3 } })).rejects.toThrow(TypeError);
      });
    });

    describe('creation', () => {
      it.each(['object', 'HEAD'])('has exactly one winner among 50 racers (%s)', async (last) => {
        const key = `${fresh()}/${last}`;
        const outcomes = await Promise.all(Array.from({ length: 50 }, (_, i) => store.putIfAbsent(key, text(`racer ${i}`))));
        const winners = outcomes.flatMap((outcome, i) => (outcome.created ? [{ i, etag: outcome.etag }] : []));
        expect(winners).toHaveLength(1);
        expect(await store.get(key)).toEqual({ body: text(`racer ${winners[0]?.i}`), etag: winners[0]?.etag });
      });

      it('leaves what is there alone', async () => {
        const folder = fresh();
        for (const key of [`${folder}/object`, `${folder}/HEAD`]) {
          const etag = await createdTag(store, key, text('first'));
          expect(await store.putIfAbsent(key, text('second'))).toEqual({ created: false });
          expect(await store.get(key)).toEqual({ body: text('first'), etag });
        }
      });
    });

    describe('registers', () => {
      it('change by a swap with the current tag, with or without quotes', async () => {
        const key = `${fresh()}/HEAD`;
        const first = await createdTag(store, key, text('1'));
        expect(first).not.toContain('"');
        const second = await store.compareAndSwap(key, text('2'), first);
        if (!second.swapped) expect.fail('the right tag was refused');
        expect(second.etag).not.toBe(first);
        const third = await store.compareAndSwap(key, text('3'), `"${second.etag}"`);
        if (!third.swapped) expect.fail('the quoted tag was refused');
        expect(await store.get(key)).toEqual({ body: text('3'), etag: third.etag });
        expect(await store.head(key)).toMatchObject({ key, sizeBytes: 1, etag: third.etag });
        expect(await store.get(key, { range: { start: 0, end: 0 } })).toEqual({ body: text('3'), etag: third.etag });
      });

      it('do not change by a swap with a stale, foreign, malformed or empty tag', async () => {
        const folder = fresh();
        const foreign = await createdTag(store, `${folder}/other/HEAD`, text('foreign'));
        const key = `${folder}/HEAD`;
        const stale = await createdTag(store, key, text('1'));
        await store.compareAndSwap(key, text('2'), stale);
        for (const tag of [stale, foreign, 'nonsense', '1', '0', '-1']) {
          expect(await store.compareAndSwap(key, text('wrong'), tag)).toEqual({ swapped: false });
        }
        expect((await store.get(key))?.body.toString()).toBe('2');
      });

      it('that are missing are swapped: false', async () => {
        const folder = fresh();
        const tag = await createdTag(store, `${folder}/other/HEAD`, text('x'));
        expect(await store.compareAndSwap(`${folder}/HEAD`, text('x'), tag)).toEqual({ swapped: false });
        expect(await store.get(`${folder}/HEAD`)).toBeNull();
        expect(await store.head(`${folder}/HEAD`)).toBeNull();
      });

      it('once deleted are gone for readers, listings and stale swaps, and can be created again', async () => {
        const key = `${fresh()}/HEAD`;
        const tags = [await createdTag(store, key, text('life 1'))];
        await store.delete(key);
        await store.delete(key);
        expect(await store.get(key)).toBeNull();
        expect(await store.head(key)).toBeNull();
        expect(await keysOf(store, key)).toEqual([]);
        expect(await store.compareAndSwap(key, text('stale'), tags[0] ?? '')).toEqual({ swapped: false });
        tags.push(await createdTag(store, key, text('life 2')));
        expect(new Set(tags).size).toBe(2);
        expect(await store.compareAndSwap(key, text('stale'), tags[0] ?? '')).toEqual({ swapped: false });
        expect((await store.get(key))?.body.toString()).toBe('life 2');
        expect(await keysOf(store, key)).toEqual([key]);
      });

      it('have one winner among racing swaps from the same tag', async () => {
        const key = `${fresh()}/HEAD`;
        let etag = await createdTag(store, key, text('start'));
        for (let round = 0; round < 5; round++) {
          const bodies = Array.from({ length: 10 }, (_, i) => `round ${round} racer ${i}`);
          const outcomes = await Promise.all(bodies.map((body) => store.compareAndSwap(key, text(body), etag)));
          const winners = outcomes.flatMap((outcome, i) => (outcome.swapped ? [{ body: bodies[i], etag: outcome.etag }] : []));
          expect(winners).toHaveLength(1);
          expect((await store.get(key))?.body.toString()).toBe(winners[0]?.body);
          etag = winners[0]?.etag ?? '';
        }
      });

      it('count exactly under several writers, while readers never see the count fall', async () => {
        const key = `${fresh()}/HEAD`;
        await createdTag(store, key, text('{"count":0}'));
        let done = false;
        const watch = (async () => {
          for (let seen = 0; !done; ) {
            const count = await countIn(store, key);
            expect(count).toBeGreaterThanOrEqual(seen);
            seen = count;
          }
        })();
        const writers = Array.from({ length: 5 }, async () => {
          for (let i = 0; i < 20; i++) await increment(store, key);
        });
        await Promise.all(writers);
        done = true;
        await watch;
        expect(await countIn(store, key)).toBe(100);
      });
    });

    describe('listing', () => {
      it('is in byte order across folders, each register once under its own name', async () => {
        const folder = fresh();
        const names = ['a-b', 'a.b', 'a/HEAD', 'a/x', 'a/y/z', 'a0', 'A', 'B/c', '_', '-', '0', 'b', 'HEADS', 'HEAD-1', 'z/HEAD'];
        for (const name of names) {
          if (!name.endsWith('/HEAD')) await store.put(`${folder}/${name}`, text(name));
          else await store.compareAndSwap(`${folder}/${name}`, text('v2'), await createdTag(store, `${folder}/${name}`, text('v1')));
        }
        expect(await keysOf(store, `${folder}/`)).toEqual([...names].sort().map((name) => `${folder}/${name}`));
      });

      it('tells size, tag and time as head does', async () => {
        const folder = fresh();
        await store.put(`${folder}/object`, text('four'));
        await createdTag(store, `${folder}/HEAD`, text('register'));
        for await (const info of store.list(`${folder}/`)) {
          expect({ ...info, modifiedAt: Math.floor(info.modifiedAt.getTime() / 1000) }).toEqual(
            await store.head(info.key).then((head) => ({ ...head, modifiedAt: Math.floor((head?.modifiedAt.getTime() ?? 0) / 1000) })),
          );
        }
      });

      it('tells names alone, and the same ones', async () => {
        const folder = fresh();
        for (const name of ['a', 'b/1', 'b/2', 'c']) await store.put(`${folder}/${name}`, text('x'));
        for (const name of ['b/HEAD', 'gone/HEAD']) await createdTag(store, `${folder}/${name}`, text('x'));
        await store.delete(`${folder}/gone/HEAD`);
        for (const [prefix, options] of [['/', {}], ['/b', {}], ['/gone', {}], ['/', { after: `${folder}/b/1` }], ['/', { after: `${folder}/a`, limit: 2 }], ['/', { limit: 0 }]] as const) {
          const names: string[] = [];
          for await (const key of store.keys(folder + prefix, options)) names.push(key);
          expect(names).toEqual(await keysOf(store, folder + prefix, options));
        }
        expect(await keysOf(store, `${folder}/`)).toHaveLength(5);
      });

      it('takes any string as prefix', async () => {
        const folder = fresh();
        const names = ['ab', 'abc', 'ab/1', 'b/HEAD', 'b/x'].filter((name) => name !== 'ab/1');
        for (const name of names) {
          if (name.endsWith('HEAD')) await createdTag(store, `${folder}/${name}`, text('x'));
          else await store.put(`${folder}/${name}`, text('x'));
        }
        const under = async (prefix: string): Promise<string[]> =>
          (await keysOf(store, folder + prefix)).map((key) => key.slice(folder.length));
        expect(await under('/a')).toEqual(['/ab', '/abc']);
        expect(await under('/abc')).toEqual(['/abc']);
        expect(await under('/b')).toEqual(['/b/HEAD', '/b/x']);
        expect(await under('/b/H')).toEqual(['/b/HEAD']);
        expect(await under('/b/HEAD')).toEqual(['/b/HEAD']);
        expect(await under('/b/HEAD.')).toEqual([]);
        expect(await under('/c')).toEqual([]);
        expect(await under('/ab/')).toEqual([]);
        expect(await keysOf(store, folder.slice(0, -1))).toHaveLength(4);
        for (const strange of ['../', '/', './', '~', 'ü', '/etc/']) expect(await keysOf(store, strange)).toEqual([]);
      });

      it('goes on after any key, and stops at the limit', async () => {
        const folder = fresh();
        const names = ['a', 'b/1', 'b/2', 'b/HEAD', 'c-d', 'c/1', 'd'];
        for (const name of names) await store.putIfAbsent(`${folder}/${name}`, text('x'));
        const from = async (after: string, limit?: number): Promise<string[]> => {
          const options = { after: `${folder}/${after}`, ...(limit === undefined ? {} : { limit }) };
          return (await keysOf(store, `${folder}/`, options)).map((key) => key.slice(folder.length + 1));
        };
        for (const [i, name] of names.entries()) expect(await from(name)).toEqual(names.slice(i + 1));
        expect(await from('b')).toEqual(names.slice(1));
        expect(await from('b/')).toEqual(names.slice(1));
        expect(await from('b/1x')).toEqual(names.slice(2));
        expect(await from('b0')).toEqual(names.slice(4));
        expect(await from('~')).toEqual([]);
        expect(await from('', 3)).toEqual(names.slice(0, 3));
        expect(await from('b/2', 2)).toEqual(names.slice(3, 5));
        expect(await from('', 0)).toEqual([]);
        expect(await from('', 100)).toEqual(names);
      });

      it('bears deletion and creation while it goes on', async () => {
        const folder = fresh();
        const stable = Array.from({ length: 40 }, (_, i) => `${folder}/s/${String(i).padStart(3, '0')}`);
        await Promise.all(stable.map((key) => store.put(key, text('x'))));
        const jitter = makeJitter(7);
        let done = false;
        const churn = (async () => {
          while (!done) {
            const key = `${folder}/s/${String(jitter(40)).padStart(3, '0')}-temporary`;
            await store.put(key, text('y'));
            await store.delete(key);
          }
        })();
        for (let round = 0; round < 3; round++) {
          const keys = await keysOf(store, `${folder}/`);
          expect(keys.filter((key) => !key.endsWith('temporary'))).toEqual(stable);
          expect(keys).toEqual([...keys].sort());
        }
        done = true;
        await churn;
      });
    });

    describe('keys', () => {
      const bad = ['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/../b', './a', 'a b', 'a\\b', 'ü', 'a\0b', '~tmp/x', 'HEAD.1', 'a/HEAD.7', 'HEAD/a', 'x'.repeat(256), 'a/'.repeat(600) + 'a'];
      it.each(bad)('that break the rules are refused as mistakes: %j', async (key) => {
        await expect(store.put(key, text('x'))).rejects.toThrow(TypeError);
        await expect(store.putIfAbsent(key, text('x'))).rejects.toThrow(TypeError);
        await expect(store.get(key)).rejects.toThrow(TypeError);
        await expect(store.head(key)).rejects.toThrow(TypeError);
        await expect(store.delete(key)).rejects.toThrow(TypeError);
      });

      it('decide the verbs: no put for registers, no swap for objects, no empty register', async () => {
        await expect(store.put('a/HEAD', text('x'))).rejects.toThrow(TypeError);
        await expect(store.compareAndSwap('a/object', text('x'), 'tag')).rejects.toThrow(TypeError);
        await expect(store.putIfAbsent('a/HEAD', text(''))).rejects.toThrow(TypeError);
        await expect(store.compareAndSwap('a/HEAD', text(''), 'tag')).rejects.toThrow(TypeError);
      });
    });

    describe('cancellation', () => {
      it('before a call makes every verb store_unavailable and does nothing', async () => {
        const folder = fresh();
        const tag = await createdTag(store, `${folder}/HEAD`, text('1'));
        const signal = AbortSignal.abort();
        const calls = [
          () => store.put(`${folder}/object`, text('x'), { signal }),
          () => store.putIfAbsent(`${folder}/object`, text('x'), { signal }),
          () => store.compareAndSwap(`${folder}/HEAD`, text('2'), tag, { signal }),
          () => store.get(`${folder}/HEAD`, { signal }),
          () => store.head(`${folder}/HEAD`, { signal }),
          () => store.confirm(`${folder}/HEAD`, { signal }),
          () => store.delete(`${folder}/HEAD`, { signal }),
          () => keysOf(store, folder, { signal }),
        ];
        for (const call of calls) expect(await codeOf(call())).toBe('store_unavailable');
        expect((await store.get(`${folder}/HEAD`))?.body.toString()).toBe('1');
        expect(await keysOf(store, `${folder}/`)).toEqual([`${folder}/HEAD`]);
      });

      it('during a write leaves either nothing or the whole object', async () => {
        const folder = fresh();
        const body = randomBytes(4 * 1024 * 1024);
        const controller = new AbortController();
        const { signal } = controller;
        const codes = Promise.all(Array.from({ length: 4 }, (_, i) => codeOf(store.put(`${folder}/${i}`, body, { signal }))));
        controller.abort();
        expect(new Set(await codes)).toEqual(new Set(['store_unavailable']));
        for await (const info of store.list(`${folder}/`)) expect(info.sizeBytes).toBe(body.length);
      });
    });
  });
}

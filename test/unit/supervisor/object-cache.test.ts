import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../../lib/log.js';
import { makeObjectCache, type ObjectCache } from '../../../worker/supervisor/object-cache.js';
import { smallDisk } from '../../support/small-disk.js';
import { makeTempDir } from '../../support/temp.js';
import { memoryObjects, type MemoryObjects } from '../data/memory-objects.js';
import { smallNpz } from '../data/npz-files.js';

const LARGE = Buffer.from(Uint8Array.from({ length: 20_000_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const object = (key: string) => ({ bucket: 'data', key });
const never = new AbortController().signal;

let objects: MemoryObjects;
let cache: ObjectCache;
let folder: string;
beforeEach(async () => {
  const dir = await makeTempDir('object-cache');
  onTestFinished(dir.remove);
  folder = join(dir.path, 'objects');
  objects = memoryObjects({ 's3://data/large.bin': LARGE, 's3://data/a/small.npz': smallNpz(), 's3://data/one': Buffer.from('1') });
  cache = makeObjectCache(folder, objects, silentLog);
});

const readsOf = (key: string) => objects.reads.filter(({ address }) => address === `s3://data/${key}`).length;

describe('a copy of an object', () => {
  it('has its bytes, its name and its sha256, and is asked for in parts, each once', async () => {
    const hold = cache.hold();
    const { path, fingerprint } = await hold.fetch(object('large.bin'), 'data.path', [], never);
    expect([basename(path), fingerprint?.sha256, Buffer.compare(await readFile(path), LARGE)]).toEqual(['large.bin', sha256(LARGE), 0]);
    expect(objects.reads.map(({ startBytes, endBytes }) => [startBytes, endBytes])).toEqual([[0, 262_144], [0, 4_194_304], [4_194_304, 8_388_608], [8_388_608, 12_582_912], [12_582_912, 16_777_216], [16_777_216, 20_000_000]]);
    hold.release();
  });

  it('is shared, also while it is being fetched, and kept when nobody holds it', async () => {
    const [first, second] = [cache.hold(), cache.hold()];
    const [a, b, c] = await Promise.all([first.fetch(object('large.bin'), 'data.path', [], never), second.fetch(object('large.bin'), 'data.path', [], never), first.fetch(object('large.bin'), 'data.validation.path', [], never)]);
    expect([b, c]).toEqual([a, a]);
    expect(readsOf('large.bin')).toBe(3 + 5); // each looks, one fetches
    first.release();
    second.release();
    second.release();
    const { path } = await cache.hold().fetch(object('large.bin'), 'data.path', [], never);
    expect([path, readsOf('large.bin')]).toEqual([a.path, 3 + 5 + 1]);
  });

  it('is one of the version that is there: a replaced object is fetched anew', async () => {
    const hold = cache.hold();
    const before = await hold.fetch(object('one'), 'data.path', [], never);
    objects.objects['s3://data/one'] = Buffer.from('2');
    const after = await hold.fetch(object('one'), 'data.path', [], never);
    expect([await readFile(before.path, 'utf8'), await readFile(after.path, 'utf8')]).toEqual(['1', '2']);
    expect(after.fingerprint!.sha256).toBe(sha256(Buffer.from('2')));
  });

  it('that is replaced while it is fetched is data_changed, and nothing is left of it', async () => {
    objects.gate = async (_address, startBytes) => {
      if (startBytes > 8_388_608) objects.objects['s3://data/large.bin'] = Buffer.from(LARGE).fill(1, 0, 9);
    };
    await expect(cache.hold().fetch(object('large.bin'), 'data.path', [], never)).rejects.toMatchObject({ code: 'data_changed', param: 'data.path' });
    await expect.poll(() => readdir(folder)).toEqual([]);
  });

  it('that cannot even be removed once its fetch has failed is no harm to the worker', async () => {
    const lost: unknown[] = [];
    const note = (reason: unknown): void => void lost.push(reason);
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));
    const warned: string[] = [];
    const watched = makeObjectCache(folder, objects, { info: () => undefined, warn: (...said: unknown[]) => void warned.push(String(said[1])) });
    objects.gate = async (_address, startBytes) => {
      if (startBytes <= 8_388_608) return;
      await rm(folder, { recursive: true });
      await writeFile(folder, 'no folder any more');
      objects.objects['s3://data/large.bin'] = Buffer.from(LARGE).fill(1, 0, 9);
    };
    await expect(watched.hold().fetch(object('large.bin'), 'data.path', [], never)).rejects.toMatchObject({ code: 'data_changed', param: 'data.path' });
    await expect.poll(() => [warned, lost]).toEqual([['what was fetched of data was not removed'], []]);
  });

  it('is checked by its members’ checksums while it is fetched; for other members later', async () => {
    const good = await cache.hold().fetch(object('a/small.npz'), 'data.path', ['x.npy', 'y.npy'], never);
    expect(good.fingerprint!.sha256).toBe(sha256(smallNpz()));
    expect((await cache.hold().fetch(object('a/small.npz'), 'data.path', ['y.npy'], never)).fingerprint).toEqual(good.fingerprint);
    expect(await cache.hold().fetch(object('a/small.npz'), 'data.path', ['z.npy'], never)).toEqual({ path: good.path, fingerprint: null });
    objects.objects['s3://data/a/small.npz'] = smallNpz({ xMember: { crc: 1 } });
    await expect(cache.hold().fetch(object('a/small.npz'), 'data.path', ['x.npy', 'y.npy'], never)).rejects.toMatchObject({ code: 'invalid_data', param: 'data.path', message: 's3://data/a/small.npz, array "x": its checksum is wrong: the file is damaged' });
  });

  it('is fetched again where somebody cleared the disk, or put something else in its place', async () => {
    const hold = cache.hold();
    const { path } = await hold.fetch(object('one'), 'data.path', [], never);
    await rm(folder, { recursive: true });
    const again = await hold.fetch(object('one'), 'data.path', [], never);
    expect([again.path === path, await readFile(again.path, 'utf8')]).toEqual([false, '1']);
    await writeFile(again.path, 'x');
    expect(await readFile((await hold.fetch(object('one'), 'data.path', [], never)).path, 'utf8')).toBe('1');
  });

  it('has a real path where the folder is reached by a link', async () => {
    const dir = await makeTempDir('linked');
    onTestFinished(dir.remove);
    await symlink(dir.path, `${folder}-link`);
    const { path } = await makeObjectCache(join(`${folder}-link`, 'objects'), objects, silentLog).hold().fetch(object('one'), 'data.path', [], never);
    expect(path).toBe(join(dir.path, 'objects', '1', 'one'));
  });

  it('names the field where it cannot be had, and is tried again the next time', async () => {
    const hold = cache.hold();
    await expect(hold.fetch(object('none'), 'model.init.from', [], never)).rejects.toMatchObject({ code: 'data_missing', param: 'model.init.from' });
    objects.objects['s3://data/none'] = Buffer.from('now');
    expect(await readFile((await hold.fetch(object('none'), 'model.init.from', [], never)).path, 'utf8')).toBe('now');
  });
});

describe('a fetch that nobody waits for any more', () => {
  const held = () => {
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const reached = new Promise<void>((resolve) => {
      objects.gate = async (_address, startBytes) => {
        if (startBytes < 16_777_216) return;
        resolve();
        await gate;
      };
    });
    return { open, reached };
  };

  it('ends at once for whoever is aborted, and goes on for the others', async () => {
    const { open, reached } = held();
    const [first, second] = [cache.hold(), cache.hold()];
    const abort = new AbortController();
    const mine = first.fetch(object('large.bin'), 'data.path', [], abort.signal);
    const theirs = second.fetch(object('large.bin'), 'data.path', [], never);
    await reached;
    abort.abort();
    await expect(mine).rejects.toMatchObject({ code: 'data_missing', param: 'data.path' });
    first.release();
    open();
    expect((await theirs).fingerprint!.sha256).toBe(sha256(LARGE));
    expect(readsOf('large.bin')).toBe(2 + 5);
  });

  it('is checked for the others all the same, where it was the first of them that was aborted before anything was compared', async () => {
    const damaged = smallNpz({ x: { shape: [4, 1000, 100], data: new Uint8Array(400_000) }, xMember: { crc: 1 } });
    objects.objects['s3://data/a/damaged.npz'] = damaged;
    let reached!: () => void;
    const looking = new Promise<void>((resolve) => (reached = resolve));
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    // the zip's directory lies at its end
    objects.gate = (_address, startBytes) => (startBytes > 0 ? (reached(), gate) : Promise.resolve());
    const [first, second] = [cache.hold(), cache.hold()];
    const abort = new AbortController();
    const mine = first.fetch(object('a/damaged.npz'), 'data.path', ['x.npy', 'y.npy'], abort.signal);
    await looking;
    const theirs = second.fetch(object('a/damaged.npz'), 'data.validation.path', ['x.npy', 'y.npy'], never);
    await expect.poll(() => objects.reads.filter(({ startBytes }) => startBytes === 0).length).toBe(2); // each looks
    abort.abort();
    await expect(mine).rejects.toMatchObject({ code: 'data_missing', param: 'data.path' });
    first.release();
    open();
    await expect(theirs).rejects.toMatchObject({ code: 'invalid_data', param: 'data.validation.path', message: 's3://data/a/damaged.npz, array "x": its checksum is wrong: the file is damaged' });
  });

  it('is given up with the last of them, and begun anew by the next', async () => {
    const { open, reached } = held();
    const hold = cache.hold();
    const abort = new AbortController();
    const fetching = hold.fetch(object('large.bin'), 'data.path', [], abort.signal);
    await reached;
    abort.abort();
    await expect(fetching).rejects.toMatchObject({ code: 'data_missing' });
    hold.release();
    await expect.poll(() => readdir(folder)).toEqual([]);
    open();
    const again = await cache.hold().fetch(object('large.bin'), 'data.path', [], never);
    expect(Buffer.compare(await readFile(again.path), LARGE)).toBe(0);
  });
});

describe('the disk of copies', () => {
  it('is not filled: what does not fit is store_full with the numbers', async () => {
    const far = { ...objects, read: async (...asked: Parameters<MemoryObjects['read']>) => ({ ...(await objects.read(...asked)), sizeBytes: 2 ** 50 }) };
    const full = makeObjectCache(folder, far, silentLog);
    await expect(full.hold().fetch(object('one'), 'data.path', [], never)).rejects.toMatchObject({ code: 'store_full', param: 'data.path', message: expect.stringMatching(/^a copy of s3:\/\/data\/one takes 1125899906842624 bytes, and data may take \d+ bytes more of this worker's disk \(PAWL_DATA_DIR\)$/) });
    await expect.poll(() => readdir(folder)).toEqual([]);
  });

  /** Objects of so many bytes, and a disk with room for so many, the reserve left aside. */
  function onDisk(roomBytes: number, sizes: Record<string, number>): void {
    for (const [key, size] of Object.entries(sizes)) objects.objects[`s3://data/${key}`] = Buffer.alloc(size, key);
    const disk = smallDisk(folder, Math.floor((roomBytes * 20) / 19));
    onTestFinished(() => expect(disk.asked()).toBeGreaterThan(0));
  }
  /** A copy that is kept for later: fetched, and held by nobody. */
  async function idle(key: string, of = cache): Promise<string> {
    const hold = of.hold();
    const { path } = await hold.fetch(object(key), 'data.path', [], never);
    hold.release();
    return path;
  }

  it('is first given back what others left on it, once', async () => {
    onDisk(1_000, { small: 400, large: 900 });
    const asked: boolean[] = [];
    let left = '';
    const cleared = makeObjectCache(folder, objects, silentLog, async () => void asked.push(existsSync(left)));
    left = await idle('small', cleared);
    expect(asked, 'not as long as there is room').toEqual([]);
    const { path } = await cleared.hold().fetch(object('large'), 'data.path', [], never);
    expect([asked, existsSync(left), existsSync(path)], 'before a copy of its own goes').toEqual([[true], false, true]);
  });

  it('gives the room of copies that nobody holds to the next one, the one used longest ago first, and never that of the others', async () => {
    onDisk(1_000, { held: 100, a: 300, b: 300, c: 300, next: 500 });
    const held = (await cache.hold().fetch(object('held'), 'data.path', [], never)).path;
    const [a, b, c] = [await idle('a'), await idle('b'), await idle('c')];
    await idle('a'); // used again
    await cache.hold().fetch(object('next'), 'data.path', [], never);
    expect([held, a, b, c].map((path) => existsSync(path))).toEqual([true, true, false, false]);
  });

  it('keeps its copies where something has no room even without them', async () => {
    onDisk(1_000, { held: 100, a: 300, b: 300, huge: 901 });
    await cache.hold().fetch(object('held'), 'data.path', [], never);
    const left = [await idle('a'), await idle('b')];
    await expect(cache.hold().fetch(object('huge'), 'data.path', [], never)).rejects.toMatchObject({ code: 'store_full', message: expect.stringContaining('takes 901 bytes, and data may take 900 bytes more') as string });
    expect(await cache.makeRoom(901, 'data')).toBe(false);
    expect(left.map((path) => existsSync(path))).toEqual([true, true]);
    objects.objects['s3://data/huge'] = Buffer.alloc(900);
    await cache.hold().fetch(object('huge'), 'data.path', [], never);
    expect(left.map((path) => existsSync(path))).toEqual([false, false]);
  });

  it('makes room for whatever else is written there, and says whether it had to', async () => {
    onDisk(950, { held: 100, a: 300, b: 300 });
    await cache.hold().fetch(object('held'), 'data.path', [], never);
    const [a, b] = [await idle('a'), await idle('b')];
    expect([await cache.makeRoom(250, 'data'), await cache.makeRoom(300, 'state'), existsSync(a)], 'there is room, for a state with the reserve').toEqual([false, false, true]);
    expect([await cache.makeRoom(260, 'data'), existsSync(a), existsSync(b)]).toEqual([true, false, true]);
    expect([await cache.makeRoom(800, 'state'), existsSync(b)]).toEqual([true, false]);
    expect(await cache.makeRoom(1e9, 'state')).toBe(false);
  });

  it('counts what is being fetched as taken', async () => {
    onDisk(25_000_000, { idle: 1_000_000 });
    const left = await idle('idle');
    let reached!: () => void;
    const fetching = new Promise<void>((resolve) => (reached = resolve));
    objects.gate = (_address, startBytes) => (startBytes === 0 && readsOf('large.bin') === 1 ? Promise.resolve() : new Promise(() => reached()));
    const abort = new AbortController();
    const hold = cache.hold();
    const fetched = hold.fetch(object('large.bin'), 'data.path', [], abort.signal);
    await fetching;
    expect([await cache.makeRoom(4_000_000, 'data'), await cache.makeRoom(4_500_000, 'data'), existsSync(left)]).toEqual([false, true, false]);
    abort.abort();
    await expect(fetched).rejects.toMatchObject({ code: 'data_missing' });
    hold.release();
  });

  it('is not left to older versions of an object: they go once a newer one is there and nobody holds them', async () => {
    const older = await idle('one');
    const holding = cache.hold();
    objects.objects['s3://data/one'] = Buffer.from('2');
    const held = (await holding.fetch(object('one'), 'data.path', [], never)).path;
    await expect.poll(() => existsSync(older)).toBe(false);
    objects.objects['s3://data/one'] = Buffer.from('3');
    const newest = await idle('one');
    expect(existsSync(held), 'somebody reads it').toBe(true);
    holding.release();
    await expect.poll(() => existsSync(held)).toBe(false);
    expect([existsSync(newest), await idle('one')]).toEqual([true, newest]);
  });
});

// What the file driver makes of a disk that fails and of a folder that others have been in.

import { mkdir, readdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { makeFileStore } from '../../../lib/store/file.js';
import type { Store } from '../../../lib/store/index.js';
import { codeOf, keysOf, text } from '../../integration/store/conformance.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { answerNext, type Pause, pauseNext, recordDurability, restoreFs } from './pause-fs.js';

let folder: TempDir;
let store: Store;

beforeEach(async () => {
  folder = await makeTempDir('file');
  store = await makeFileStore({ root: folder.path });
});
afterEach(async () => {
  restoreFs();
  await folder.remove();
});

function errno(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: made up by a test, ${syscall}`), { code, syscall });
}

/** Makes the next fsync of any file or folder fail, and the following ones succeed. */
const failNextSync = (code: string): { hit(): boolean } =>
  answerNext('fsync', /./, () => {
    throw errno(code, 'fsync');
  });

/** Keeps the next sync of a folder from beginning. */
const holdNextSync = (path: string): Pause => pauseNext('fsync', new RegExp(`^${path}$`));

describe('a write that is given up', () => {
  it('ends between two pieces, and leaves nothing', async () => {
    const giveUp = new AbortController();
    const first = pauseNext('write', /~tmp/);
    const put = codeOf(store.put('a/object', new Uint8Array(3 << 20), { signal: giveUp.signal }));
    await first.reached;
    giveUp.abort();
    expect(await put).toBe('store_unavailable');
    const second = answerNext('write', /~tmp/, () => {
      throw errno('EIO', 'write');
    });
    first.resume();
    await vi.waitFor(async () => expect(await readdir(join(folder.path, '~tmp'))).toEqual([]));
    expect(second.hit()).toBe(false);
    expect(await keysOf(store, '')).toEqual([]);
  });
});

describe('a failed fsync', () => {
  it('means that the store is down for writes, though the next fsync succeeds, and reads go on', async () => {
    await store.put('a/before', text('before'));
    expect(store.brokenBy()).toBeNull();
    const created = await store.putIfAbsent('a/HEAD', text('1'));
    const failure = failNextSync('EIO');
    expect(await codeOf(store.put('a/object', text('x')))).toBe('store_unavailable');
    expect(failure.hit()).toBe(true);
    const writes = [
      () => store.put('a/object', text('x')),
      () => store.putIfAbsent('a/new', text('x')),
      () => store.putIfAbsent('b/HEAD', text('x')),
      () => store.compareAndSwap('a/HEAD', text('2'), created.created ? created.etag : ''),
      () => store.delete('a/before'),
      () => store.delete('a/HEAD'),
    ];
    for (const write of writes) {
      await expect(write()).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('EIO') as string });
    }
    expect(store.brokenBy()).toContain('EIO');
    expect((await store.get('a/before'))?.body.toString()).toBe('before');
    expect(await keysOf(store, '')).toEqual(['a/HEAD', 'a/before']);
    expect(await readdir(join(folder.path, '~tmp'))).toEqual([]);
  });

  it('for want of space says that the disk is full, and the store goes on', async () => {
    await store.put('a/before', text('before'));
    const failure = failNextSync('ENOSPC');
    expect(await codeOf(store.put('a/object', text('x')))).toBe('store_full');
    expect(failure.hit()).toBe(true);
    expect([await keysOf(store, ''), store.brokenBy()]).toEqual([['a/before'], null]);
    await store.put('a/object', text('x'));
  });
});

describe('what has been acknowledged survives a power cut, for', () => {
  let events: string[];
  beforeEach(() => {
    events = recordDurability(folder.path);
  });

  /** All of these came before `event`, those of a list in its order; file and folder are made ready side by side. */
  function expectBefore(event: string, ...orders: readonly (readonly string[])[]): void {
    const before = events.slice(0, events.indexOf(event));
    expect(before).toHaveLength(orders.flat().length);
    for (const order of orders) expect(before.filter((each) => order.includes(each))).toEqual(order);
  }

  it('an object is on the disk before it has its name, and its name and new folders before the answer', async () => {
    await store.put('a/b/object', text('x'));
    expectBefore('rename a/b/object', ['sync ~tmp/*'], ['mkdir a', 'sync', 'mkdir a/b', 'sync a']);
    expect(events.slice(-2)).toEqual(['rename a/b/object', 'sync a/b']);
    events.length = 0;
    await store.putIfAbsent('a/b/other', text('x'));
    expect(events).toEqual(['sync ~tmp/*', 'link a/b/other', 'sync a/b']);
    events.length = 0;
    await store.putIfAbsent('a/b/other', Buffer.alloc(64 * 1024, 'refused, because it is there: which must be true after a power cut, too'));
    expect(events, 'what is large is not written to find that out').toEqual(['sync a/b']);
    events.length = 0;
    await store.putIfAbsent('a/b/other', text('refused'));
    expect(events).toEqual(['sync ~tmp/*', 'sync a/b']);
    events.length = 0;
    await store.delete('a/b/other');
    expect(events).toEqual(['sync a/b']);
  });

  it('a version of a register likewise, and the mark is there before the first version goes', async () => {
    let outcome: object = await store.putIfAbsent('a/HEAD', text('x'));
    expect(events).toEqual(['mkdir a', 'sync', 'sync a/~HEAD.1.*', 'link a/HEAD.1', 'sync a']);
    events.length = 0;
    await store.putIfAbsent('a/HEAD', text('refused'));
    expect(events).toEqual(['sync a']);
    for (let i = 2; 'etag' in outcome && i <= 5; i++) {
      events.length = 0;
      outcome = await store.compareAndSwap('a/HEAD', text('x'), String(outcome.etag));
    }
    expect(events).toEqual(['sync a/~HEAD.5.*', 'link a/HEAD.5', 'sync a', 'sync a']);
  });

  it('what another process wrote, once it is confirmed, with the folders that it made', async () => {
    const other = await makeFileStore({ root: folder.path });
    await other.put('a/b/object', text('x'));
    await other.putIfAbsent('a/c/HEAD', text('x'));
    events.length = 0;
    await store.confirm('a/b/object');
    expect(events).toEqual(['sync', 'sync a', 'sync a/b']);
    events.length = 0;
    await store.confirm('a/c/HEAD');
    expect(events).toEqual(['sync a', 'sync a/c']);
    const failure = failNextSync('EIO');
    expect([await codeOf(store.confirm('a/c/HEAD')), await codeOf(store.confirm('a/c/HEAD')), failure.hit()]).toEqual(['store_unavailable', 'store_unavailable', true]);
  });

  it('a folder is made sure of by each process itself, as the one that made it may have died before', async () => {
    await mkdir(join(folder.path, 'a'));
    events.length = 0;
    await store.put('a/object', text('x'));
    expectBefore('rename a/object', ['sync ~tmp/*'], ['sync']);
    expect(events.slice(-2)).toEqual(['rename a/object', 'sync a']);
  });

  it('names that come into a folder while it is synced wait for the next sync, together', async () => {
    await store.put('a/first', text('x'));
    events.length = 0;
    const held = holdNextSync(join(folder.path, 'a'));
    const writes = [store.put('a/0', text('x'))];
    await held.reached;
    let answered = 0;
    for (let n = 1; n <= 5; n++) writes.push(store.put(`a/${n}`, text('x')));
    for (const write of writes) void write.then(() => answered++);
    await expect.poll(() => events.filter((event) => event.startsWith('rename')).length).toBe(6);
    expect(answered).toBe(0);
    held.resume();
    await Promise.all(writes);
    expect(events.filter((event) => event === 'sync a')).toHaveLength(2);
    expect(events.at(-1)).toBe('sync a');
  });

  it('the root is made with its parents', async () => {
    await makeFileStore({ root: join(folder.path, 'x/y/z') });
    expect(events).toEqual(['mkdir x/y/z', 'sync x/y', 'sync x', 'sync', 'mkdir x/y/z/~tmp', 'sync x/y/z']);
  });
});

describe('failures of the disk', () => {
  it.each([
    ['link', 'ENOSPC', 'store_full'],
    ['link', 'EDQUOT', 'store_full'],
    ['link', 'EPERM', 'store_unsafe'],
    ['link', 'EIO', 'store_unavailable'],
    ['open', 'EMFILE', 'store_unavailable'],
    ['open', 'EROFS', 'store_unavailable'],
  ] as const)('at %s with %s become %s, and nothing remains', async (operation, code, expected) => {
    await store.put('a/before', text('x'));
    for (const key of ['a/object', 'a/HEAD']) {
      const failure = answerNext(operation, operation === 'link' ? /./ : /~/, () => {
        throw errno(code, operation);
      });
      expect(await codeOf(store.putIfAbsent(key, text('x')))).toBe(expected);
      expect(failure.hit()).toBe(true);
    }
    expect(await keysOf(store, '')).toEqual(['a/before']);
    expect(await readdir(join(folder.path, 'a'))).toEqual(['before']);
    expect(await readdir(join(folder.path, '~tmp'))).toEqual([]);
  });

  it('are told with the verb and the key', async () => {
    answerNext('open', /~/, () => {
      throw errno('EACCES', 'open');
    });
    await expect(store.put('a/object', text('x'))).rejects.toThrow('put a/object: EACCES');
  });
});

describe('the folder of a file store', () => {
  it('loses the temporary files of dead processes at the next start, once they are old', async () => {
    const [old, young] = [join(folder.path, '~tmp/old'), join(folder.path, '~tmp/young')];
    await writeFile(old, 'x');
    await writeFile(young, 'x');
    const twoHoursAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);
    await utimes(old, twoHoursAgo, twoHoursAgo);
    expect(await keysOf(store, '')).toEqual([]);
    await makeFileStore({ root: folder.path });
    expect(await readdir(join(folder.path, '~tmp'))).toEqual(['young']);
  });

  it('may hold files of others, which are not listed', async () => {
    await store.put('a/object', text('x'));
    await mkdir(join(folder.path, 'lost+found'));
    await writeFile(join(folder.path, 'a/ü'), 'x');
    await writeFile(join(folder.path, 'a/~HEAD.1.left-over'), 'x');
    await writeFile(join(folder.path, 'a/HEAD'), 'x');
    await symlink(folder.path, join(folder.path, 'a/loop'));
    expect(await keysOf(store, '')).toEqual(['a/object']);
    expect(await store.get('a/HEAD')).toBeNull();
  });

  it('may lose folders, which are made again', async () => {
    await store.put('a/b/object', text('x'));
    await store.putIfAbsent('a/c/HEAD', text('x'));
    await rm(join(folder.path, 'a'), { recursive: true });
    // The first write of each kind may find out; the next one succeeds.
    await store.put('a/b/object', text('x')).catch(() => undefined);
    await store.put('a/b/object', text('x'));
    await store.putIfAbsent('a/c/HEAD', text('x'));
    expect(await keysOf(store, '')).toEqual(['a/b/object', 'a/c/HEAD']);
  });

  it('that is renamed, or whose disk is not mounted, is a store that is away and not an empty one, until it is back', async () => {
    await store.put('a/object', text('x'));
    const created = await store.putIfAbsent('a/HEAD', text('1'));
    const etag = created.created ? created.etag : '';
    const away = `${folder.path}.away`;
    for (const isEmptyFolderThere of [false, true]) {
      await rename(folder.path, away);
      if (isEmptyFolderThere) await mkdir(folder.path);
      const calls = [
        () => store.get('a/object'), () => store.get('a/HEAD'), () => store.get('b/HEAD'), () => store.head('a/object'), () => store.head('a/HEAD'), () => keysOf(store, ''), () => keysOf(store, 'a/'),
        () => store.put('a/object', text('y')), () => store.put('c/object', text('y')), () => store.putIfAbsent('c/object', text('y')), () => store.putIfAbsent('a/HEAD', text('2')), () => store.putIfAbsent('c/HEAD', text('2')), () => store.compareAndSwap('a/HEAD', text('2'), etag), () => store.delete('a/object'), () => store.delete('c/object'),
        async () => {
          for await (const key of store.keys('a/')) expect.fail(key);
        },
      ];
      for (const [index, call] of calls.entries()) expect([index, await codeOf(call())]).toEqual([index, 'store_unavailable']);
      await rm(folder.path, { recursive: true, force: true });
      await rename(away, folder.path);
      expect(await keysOf(store, '')).toEqual(['a/HEAD', 'a/object']);
    }
    expect(await store.compareAndSwap('a/HEAD', text('2'), etag)).toMatchObject({ swapped: true });
    await store.put('c/object', text('z'));
  });

  it('is made with its parents where it is missing', async () => {
    const nested = await makeFileStore({ root: join(folder.path, 'x/y/z') });
    await nested.put('object', text('x'));
    expect(nested.description).toBe(`file:${join(folder.path, 'x/y/z')}`);
  });

  it('that cannot be made is store_unavailable', async () => {
    await writeFile(join(folder.path, 'file'), 'x');
    expect(await codeOf(makeFileStore({ root: join(folder.path, 'file/below') }))).toBe('store_unavailable');
  });
});

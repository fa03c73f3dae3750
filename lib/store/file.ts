// The file driver: the seam's verbs on a folder, with the promises of S3 and without locks. An ordinary object is one
// file, complete and on the disk before it gets its name; file-register.ts has the protocol of the registers.
// For a local file system: on network mounts, links and listings may be stale and the protocol's argument fails.

import { randomUUID } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { AppError } from '../errors.js';
import { withBudget } from './budget.js';
import { calls } from './file-calls.js';
import { errnoOf, infoOf, isAbsent, makeDisk, readBytesOf, removeName, removeOlder, toStoreError, unlessErrno, type FileInfo } from './file-disk.js';
import { type ListedKey, listKeys } from './file-list.js';
import { registerAt, type Register } from './file-register.js';
import {
  assertCompareAndSwap,
  assertKey,
  assertPut,
  assertPutIfAbsent,
  assertRange,
  couldStartKey,
  isRegister,
  withoutQuotes,
} from './keys.js';
import type { Body, CallOptions, GetOptions, ListOptions, ObjectInfo, Store, StoredObject } from './index.js';

/** `~` occurs in no key. */
const TEMP_FOLDER = '~tmp';
/** A living writer's temporary file is younger than this, or its writer is frozen and will get an error. */
const TEMP_LIFE_MS = 60 * 60 * 1000;
/** So much takes longer to write than to look whether it has to be. */
const LARGE_BYTES = 64 * 1024;
/** Files looked at together while listing. */
const LIST_BATCH = 32;
/** Names taken together where no file is looked at. */
const KEYS_BATCH = 1_000;

export interface FileStoreOptions {
  /** The folder, made if missing. Everything in it belongs to the store. */
  root: string;
}

export async function makeFileStore(options: FileStoreOptions): Promise<Store> {
  const root = resolve(options.root);
  const temps = join(root, TEMP_FOLDER);
  const disk = await opened(root, async () => {
    const made = await makeDisk(root);
    await made.makeFolder(temps);
    await removeOlder(temps, new Date(Date.now() - TEMP_LIFE_MS));
    return made;
  });
  const pathOf = (key: string): string => join(root, key);
  const registerOf = (key: string): Register => registerAt(dirname(pathOf(key)), disk);

  /**
   * Before anything is said to be absent, or made anew: without the folder that every store has, this is none. It was renamed, or its
   * disk is not mounted, and it may come back with all that is in it.
   */
  async function assertThere(): Promise<void> {
    const found = await calls.stat(temps).catch(unlessErrno('ENOENT', 'ENOTDIR'));
    if (!found?.isDirectory()) throw new AppError('store_unavailable', `${root} is not there, or is no store`);
  }

  async function foundOrAbsent<T>(found: T | null): Promise<T | null> {
    if (found === null) await assertThere();
    return found;
  }

  /** One verb, ended by its signal, its failure as the store's own error. */
  async function call<T>(what: string, { signal }: CallOptions, run: () => Promise<T>): Promise<T> {
    try {
      return await (signal === undefined ? run() : withBudget(what, Infinity, signal, run));
    } catch (error) {
      if (isAbsent(error)) disk.forgetFolders(); // somebody removed one: it is made again next time
      throw toStoreError(what, error);
    }
  }

  /** Writes the object beside its place, then gives it its name by `publish`; null if that is taken. */
  async function write(
    key: string,
    body: Body,
    signal: AbortSignal | undefined,
    publish: (temp: string, path: string) => Promise<'moved' | 'linked' | 'taken'>,
  ): Promise<FileInfo | null> {
    const path = pathOf(key);
    const temp = join(temps, randomUUID());
    const [written, made] = await Promise.allSettled([disk.writeNew(temp, body, signal), disk.makeFolder(dirname(path))]);
    if (written.status === 'rejected') throw written.reason;
    let outcome: 'moved' | 'linked' | 'taken' | null = null;
    try {
      if (made.status === 'rejected') throw made.reason;
      signal?.throwIfAborted();
      outcome = await publish(temp, path);
    } finally {
      if (outcome !== 'moved') await removeName(temp);
    }
    if (outcome === 'taken') return null;
    await disk.syncFolder(dirname(path));
    return written.value;
  }

  async function createObject(key: string, body: Uint8Array, signal?: AbortSignal): Promise<string | null> {
    // The link finds out as well; what is large may be worth a look before the work, in a folder that was made long ago.
    if (body.byteLength >= LARGE_BYTES && disk.isKnown(dirname(pathOf(key))) && (await infoOf(pathOf(key))) !== null) return null;
    return (await write(key, body, signal, linkIfAbsent))?.tag ?? null;
  }

  async function createRegister(key: string, body: Uint8Array, signal?: AbortSignal): Promise<string | null> {
    const register = registerOf(key);
    for (;;) {
      const current = await register.current();
      if (current !== null && !current.deleted) return null;
      const created = await register.advance(current, body, signal);
      if (created !== null) return created.etag;
    }
  }

  async function deleteRegister(key: string, signal?: AbortSignal): Promise<void> {
    const register = registerOf(key);
    for (;;) {
      const current = await register.current();
      if (current === null || current.deleted) return;
      if ((await register.advance(current, new Uint8Array(), signal)) !== null) return;
    }
  }

  /** @param version of a register, if it was the highest just now */
  async function look(key: string, version: number | null = null): Promise<ObjectInfo | null> {
    if (!isRegister(key)) {
      const info = await infoOf(pathOf(key));
      return info === null ? null : toObjectInfo(key, info);
    }
    const register = registerOf(key);
    const current = (version === null ? null : await register.listed(version)) ?? (await register.current());
    return current === null || current.deleted ? null : { ...toObjectInfo(key, current.info), etag: current.etag };
  }

  return {
    description: `file:${root}`,

    async put(key, body, callOptions = {}) {
      assertPut(key);
      return call(`put ${key}`, callOptions, async () => {
        const info = await write(key, body, callOptions.signal, async (temp, path) => {
          await calls.rename(temp, path);
          return 'moved';
        });
        return { etag: info?.tag ?? '' };
      });
    },

    async putIfAbsent(key, body, callOptions = {}) {
      assertPutIfAbsent(key, body);
      return call(`putIfAbsent ${key}`, callOptions, async () => {
        disk.assertTrusted();
        const folder = dirname(pathOf(key));
        if (isRegister(key)) {
          await assertThere(); // an object begins in a folder that only a store has
          await disk.makeFolder(folder);
        }
        const etag = isRegister(key)
          ? await createRegister(key, body, callOptions.signal)
          : await createObject(key, body, callOptions.signal);
        if (etag !== null) return { created: true, etag };
        await disk.syncFolder(folder); // whoever was first may not have come so far, and `created: false` is acted upon
        return { created: false };
      });
    },

    async compareAndSwap(key, body, etag, callOptions = {}) {
      assertCompareAndSwap(key, body);
      return call(`compareAndSwap ${key}`, callOptions, async () => {
        const register = registerOf(key);
        const current = await foundOrAbsent(await register.tagged(withoutQuotes(etag)));
        if (current === null || current.deleted) return { swapped: false };
        const version = await register.advance(current, body, callOptions.signal);
        return version === null ? { swapped: false } : { swapped: true, etag: version.etag };
      });
    },

    async get(key, getOptions: GetOptions = {}) {
      assertKey(key);
      if (getOptions.range !== undefined) assertRange(getOptions.range);
      return call(`get ${key}`, getOptions, async () => {
        if (!isRegister(key)) return foundOrAbsent(await readObject(pathOf(key), getOptions.range));
        const found = await registerOf(key).read(async (version) => {
          if (version.deleted) return { object: null };
          const object = await readObject(version.path, getOptions.range);
          return object === null ? null : { object: { ...object, etag: version.etag } };
        });
        return (await foundOrAbsent(found))?.object ?? null;
      });
    },

    async head(key, callOptions = {}) {
      assertKey(key);
      return call(`head ${key}`, callOptions, async () => foundOrAbsent(await look(key)));
    },

    async confirm(key, callOptions = {}) {
      assertKey(key);
      await call(`confirm ${key}`, callOptions, async () => {
        disk.assertTrusted();
        await assertThere();
        await disk.makeFolder(dirname(pathOf(key)));
        await disk.syncFolder(dirname(pathOf(key)));
      });
    },

    async *list(prefix, { after = '', limit = Infinity, signal }: ListOptions = {}) {
      if (!couldStartKey(prefix)) return;
      const keys = listKeys(root, prefix, after);
      for (let left = limit; left > 0; ) {
        const batch = await call(`list ${prefix}`, signal === undefined ? {} : { signal }, async () => {
          const next = await take(keys, Math.min(left, LIST_BATCH));
          return { ended: next.length === 0, found: await Promise.all(next.map(({ key, version }) => look(key, version))) };
        });
        if (batch.ended) return call(`list ${prefix}`, {}, assertThere);
        for (const info of batch.found) {
          if (info === null) continue;
          yield info;
          left -= 1;
        }
      }
    },

    async *keys(prefix, { after = '', limit = Infinity, signal }: ListOptions = {}) {
      if (!couldStartKey(prefix)) return;
      const keys = listKeys(root, prefix, after);
      for (let left = limit; left > 0; ) {
        const batch = await call(`list ${prefix}`, signal === undefined ? {} : { signal }, () => take(keys, Math.min(left, KEYS_BATCH)));
        if (batch.length === 0) return call(`list ${prefix}`, {}, assertThere);
        for (const { key, version } of batch) {
          // A deleted register still has its files.
          if (isRegister(key) && (await call(`list ${prefix}`, {}, () => look(key, version))) === null) continue;
          yield key;
          left -= 1;
        }
      }
    },

    async delete(key, callOptions = {}) {
      assertKey(key);
      return call(`delete ${key}`, callOptions, async () => {
        if (isRegister(key)) return deleteRegister(key, callOptions.signal);
        disk.assertTrusted();
        try {
          await calls.unlink(pathOf(key));
        } catch (error) {
          if (isAbsent(error)) return assertThere();
          if (errnoOf(error) === 'EISDIR') return;
          throw error;
        }
        // Emptied folders stay: removing one races with a writer that has just made sure of it.
        await disk.syncFolder(dirname(pathOf(key)));
      });
    },

    brokenBy: () => disk.failure(),

    async close() {
      // Nothing is held open between calls.
    },
  };
}

async function opened<T>(root: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw toStoreError(`open ${root}`, error);
  }
}

async function linkIfAbsent(temp: string, path: string): Promise<'linked' | 'taken'> {
  try {
    await calls.link(temp, path);
    return 'linked';
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return 'taken';
    throw error;
  }
}

async function readObject(path: string, range: GetOptions['range']): Promise<StoredObject | null> {
  const file = await readBytesOf(path, range);
  return file === null ? null : { body: file.bytes, etag: file.info.tag };
}

async function take(source: AsyncGenerator<ListedKey>, count: number): Promise<ListedKey[]> {
  const taken: ListedKey[] = [];
  while (taken.length < count) {
    const next = await source.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}

function toObjectInfo(key: string, info: FileInfo): ObjectInfo {
  return { key, sizeBytes: info.sizeBytes, etag: info.tag, modifiedAt: info.modifiedAt };
}

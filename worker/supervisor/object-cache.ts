// Copies of data objects on this worker's disk, so that samples can be read in any order. Each version of an object is
// fetched once, its hash computed while it passes by, and kept for later attempts until a newer one is there, or its room is
// needed: by another copy, or by whatever else the worker writes there.
import { mkdir, open, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { noRoom, roomFor, roomForState } from '../../lib/data/disk-room.js';
import { beginHashing, type Fingerprint } from '../../lib/data/fingerprint.js';
import { openSettled } from '../../lib/data/locations.js';
import { withParam } from '../../lib/data/naming.js';
import { fileNameOf } from '../../lib/data/object-locations.js';
import { openObject, type ObjectSource } from '../../lib/data/object-source.js';
import { addressOf, type DataObjects, type ObjectLocation, type ObjectPart } from '../../lib/data/objects.js';
import type { LocalFile } from '../../lib/data/settle.js';
import { AppError } from '../../lib/errors.js';
import type { Log } from '../../lib/log.js';

export interface ObjectCache {
  /** Copies that are fetched through it stay until it is released. */
  hold(): ObjectHold;
  /**
   * Gives up copies that nobody holds, those used longest ago first, until so many bytes may be written to their disk: of `data`,
   * which leave a reserve, or of `state`, which have it. None goes where that would not be enough. Says whether any went.
   * Never fails.
   */
  makeRoom(bytes: number, of: 'data' | 'state'): Promise<boolean>;
}

export interface ObjectHold {
  /**
   * A copy of the object as it is now. `members`: names of a zip's, whose checksums are compared by the way.
   * AppError with `param`: `data_missing` (after an abort, too), `data_changed`, `invalid_data`, `store_full`.
   */
  fetch(object: ObjectLocation, param: string, members: readonly string[], signal: AbortSignal): Promise<LocalFile>;
  /** Gives up what is still being fetched for nobody else. Harmless twice. */
  release(): void;
}

interface Fetched {
  path: string;
  fingerprint: Fingerprint;
  /** Members whose checksums were compared. */
  checked: readonly string[];
}

interface Copy {
  /** Of the object and its version. */
  key: string;
  address: string;
  sizeBytes: number;
  folder: string;
  fetched: Promise<Fetched>;
  /** It is fetched. */
  isThere: boolean;
  /** Of it, not written yet. */
  missingBytes: number;
  holders: number;
  giveUp: AbortController;
}

/** Asked for at a time, and how many of them at once, so that a far server's line is full: the memory that a fetch takes. */
const PART_BYTES = 4 * 1024 * 1024;
const PARTS_AHEAD = 4;

/**
 * @param folder for its copies alone; made when it is needed, and removed by whoever chose it
 * @param reclaim gives the room back that others left taken; asked where there is too little
 */
export function makeObjectCache(folder: string, objects: DataObjects, log: Pick<Log, 'info' | 'warn'>, reclaim: () => Promise<void> = () => Promise.resolve()): ObjectCache {
  /** By object and version; the one used longest ago comes first. */
  const copies = new Map<string, Copy>();
  /** What is being removed. */
  const leaving = new Set<Promise<void>>();
  let made = 0;

  const forget = (copy: Copy): void => {
    if (copies.get(copy.key) === copy) copies.delete(copy.key);
  };

  function copyOf(source: ObjectSource, members: readonly string[]): Copy {
    const key = JSON.stringify([source.object, source.etag, source.sizeBytes]);
    const copy = copies.get(key) ?? begin(key, source, members);
    copies.delete(key);
    copies.set(key, copy);
    return copy;
  }

  function begin(key: string, source: ObjectSource, members: readonly string[]): Copy {
    const fetched = Promise.resolve().then(() => fetchInto(copy, source, members));
    const { object, sizeBytes } = source;
    const copy: Copy = { key, address: addressOf(object), sizeBytes, folder: join(folder, String(++made)), fetched, isThere: false, missingBytes: sizeBytes, holders: 0, giveUp: new AbortController() };
    void fetched.then(
      () => {
        copy.isThere = true;
        dropOlder();
      },
      () => remove(copy),
    );
    return copy;
  }

  /** Never fails. */
  async function remove(copy: Copy): Promise<void> {
    forget(copy);
    const removing = rm(copy.folder, { recursive: true, force: true }).catch((error: unknown) => log.warn({ object: copy.address, err: error }, 'what was fetched of data was not removed'));
    leaving.add(removing);
    await removing;
    leaving.delete(removing);
  }

  const idle = (): Copy[] => [...copies.values()].filter(({ holders }) => holders === 0);

  /** Copies that nobody holds of versions that are the past: a later one was asked for since, and is there. */
  function dropOlder(): void {
    const newest = new Map([...copies.values()].filter(({ isThere }) => isThere).map((copy) => [copy.address, copy]));
    for (const copy of idle()) if (copy.isThere && newest.get(copy.address) !== copy) void remove(copy);
  }

  async function fetchInto(copy: Copy, source: ObjectSource, members: readonly string[]): Promise<Fetched> {
    const beganMs = performance.now();
    await mkdir(folder, { recursive: true });
    const { room } = await makeRoom(source.sizeBytes, roomFor, copy);
    if (source.sizeBytes > room) throw noRoom(`a copy of ${source.name}`, source.sizeBytes, room);
    await mkdir(copy.folder, { recursive: true });
    const path = join(await realpath(copy.folder), fileNameOf(source.object));
    // whoever asked first may give up, and the others still count on it
    const hashing = await beginHashing(source.shared(copy.giveUp.signal), members);
    const handle = await open(path, 'wx', 0o600);
    try {
      for await (const { bytes } of partsOf(objects, source, copy.giveUp.signal)) {
        hashing.take(bytes);
        await handle.writeFile(bytes); // all of it, from where the last one ended
        copy.missingBytes -= bytes.length;
      }
    } finally {
      await handle.close();
    }
    const sha256 = hashing.sha256();
    const { file, identity } = await openSettled(path);
    await file.close();
    log.info({ object: source.name, bytes: source.sizeBytes, ms: Math.round(performance.now() - beganMs) }, 'fetched data');
    return { path, fingerprint: { sha256, identity }, checked: members };
  }

  /**
   * Takes room from what others left, then from copies that nobody holds, if that is enough: what can never fit costs nobody
   * a copy. Says how much there is, or could be.
   * @param fetching a copy whose own bytes are not promised to somebody else
   */
  async function makeRoom(bytes: number, roomOn: (folder: string) => Promise<number>, fetching: Copy | null): Promise<{ room: number; removed: number }> {
    let removed = 0;
    for (let asked = false; ; asked = true) {
      const promisedBytes = [...copies.values()].reduce((sum, other) => sum + (other === fetching ? 0 : other.missingBytes), 0);
      const room = (await roomOn(folder)) - promisedBytes;
      if (bytes <= room) return { room, removed };
      if (!asked) {
        await Promise.all([reclaim(), ...leaving]);
        continue;
      }
      const [oldest, ...others] = idle();
      const most = [oldest, ...others].reduce((sum, copy) => sum + (copy?.sizeBytes ?? 0), room);
      if (oldest === undefined || bytes > most) return { room: most, removed };
      log.info({ object: oldest.address, bytes: oldest.sizeBytes }, 'gave up a copy of data for its room');
      await remove(oldest);
      removed += 1;
    }
  }

  return {
    hold() {
      const held = new Set<Copy>();
      let released = false;
      async function fetch(object: ObjectLocation, param: string, members: readonly string[], signal: AbortSignal): Promise<LocalFile> {
        const source = await openObject(objects, object, param, signal);
        for (;;) {
          if (released) throw givenUp();
          const copy = copyOf(source, members);
          if (!held.has(copy)) copy.holders += 1;
          held.add(copy);
          const { path, fingerprint, checked } = await orAborted(copy.fetched, signal);
          if (await isThere(path, fingerprint)) return { path, fingerprint: members.every((member) => checked.includes(member)) ? fingerprint : null };
          forget(copy); // somebody cleared the disk
        }
      }
      return {
        fetch: (object, param, members, signal) =>
          fetch(object, param, members, signal).catch((error: unknown) => {
            throw withParam(error, param);
          }),
        release() {
          for (const copy of held) {
            copy.holders -= 1;
            if (copy.holders > 0 || copy.missingBytes === 0) continue;
            forget(copy);
            copy.giveUp.abort();
          }
          held.clear();
          released = true;
          dropOlder();
        },
      };
    },
    async makeRoom(bytes, of) {
      try {
        await mkdir(folder, { recursive: true });
        return (await makeRoom(bytes, of === 'data' ? roomFor : roomForState, null)).removed > 0;
      } catch (error) {
        log.warn({ err: error }, 'no room was made on the disk of data');
        return false;
      }
    },
  };
}

const givenUp = (): AppError => new AppError('data_missing', 'the data is not needed any more: fetching it was given up');

async function isThere(path: string, { identity }: Fingerprint): Promise<boolean> {
  const settled = await openSettled(path).catch(() => null);
  await settled?.file.close();
  return settled?.identity === identity;
}

/** Ends the wait, not the work: others may wait for it. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(givenUp());
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}

/** All of an object's version, in order, some of it read ahead. Nothing is under way any more when it ends. */
async function* partsOf(objects: DataObjects, { object, etag, sizeBytes }: ObjectSource, signal: AbortSignal): AsyncGenerator<ObjectPart, void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const ahead: Promise<ObjectPart>[] = [];
  try {
    for (let asked = 0; ; ) {
      for (; asked < sizeBytes && ahead.length < PARTS_AHEAD; asked += PART_BYTES) {
        const part = objects.read(object, asked, Math.min(asked + PART_BYTES, sizeBytes), { etag, signal: either });
        part.catch(() => undefined); // whoever comes to it hears of it
        ahead.push(part);
      }
      const next = ahead.shift();
      if (next === undefined) return;
      yield await next;
    }
  } finally {
    over.abort();
    await Promise.allSettled(ahead);
  }
}

// A register as numbered files in its folder, changed without locks: `HEAD.<n>` is version n, the highest is current.
// Nobody holds anything, so a process that is frozen or killed at any line cannot wedge or corrupt the rest.
//
// A swap from version n links a finished file to `HEAD.<n+1>`; the file system lets exactly one link succeed.
// A delete is a swap to an empty version. Numbers are never used again, so a tag means one version for ever.
//
// Old versions are removed, and that opens a gap for whoever was frozen just before linking to an old number.
// It is closed thus. A writer (1) makes its file `~HEAD.<n+1>.<random>`, (2) looks that version n still exists,
// (3) links. A cleaner removes version k only when (a) version k-1 is gone, and (b) it has, after that, listed the
// folder and removed every `~HEAD.<k>.*`. A writer whose file outlived (b) made it after (a), so (2) found nothing
// at k-1 and it gave up; any other writer's link has no file to link. Version 1 has no predecessor: before it goes,
// `HEAD.0` is left behind for good, and its writers look that there is none. Hence a link that succeeds has won.
//
// A reader lists the folder and opens the highest version. Versions go in ascending order: if the one it chose still
// opens, nothing above it had gone, so the listing was complete and the choice was current during the call.

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '../errors.js';
import { calls } from './file-calls.js';
import { errnoOf, infoOf, namesIn, removeName, type Disk, type FileInfo } from './file-disk.js';
import { REGISTER_NAME } from './keys.js';

export interface Version {
  number: number;
  path: string;
  etag: string;
  /** True of the version that a delete leaves. */
  deleted: boolean;
  info: FileInfo;
}

export interface Register {
  /** The current version; null if there never was one. */
  current(): Promise<Version | null>;
  /** The version that has this tag, as long as no later one is there; null if it is not so. */
  tagged(etag: string): Promise<Version | null>;
  /** A version that was the highest in a listing; null if it has been cleaned away since. */
  listed(number: number): Promise<Version | null>;
  /** Reads the current version by `read`, again if that answers null because the version has just been cleaned away. */
  read<T>(read: (version: Version) => Promise<T | null>): Promise<T | null>;
  /** Puts `body` after `from`; null if something else already is. */
  advance(from: Version | null, body: Uint8Array, signal?: AbortSignal): Promise<Version | null>;
}

/** Kept for people, and so that readers seldom have to look twice. */
const KEPT_VERSIONS = 4;
/** A reader that loses this many races in a row is looking at a damaged folder. */
const MAX_READS = 1000;
const VERSION_FILE = new RegExp(`^${REGISTER_NAME}\\.(\\d+)$`);
const TEMP_FILE = new RegExp(`^~${REGISTER_NAME}\\.(\\d+)\\.`);

/** The number of a version's file, 0 of the mark; null of any other name. */
export const versionNumberOf = (name: string): number | null => numberOf(name, VERSION_FILE);

export function registerAt(folder: string, disk: Disk): Register {
  const pathOf = (number: number): string => join(folder, `${REGISTER_NAME}.${number}`);
  const mark = pathOf(0);

  async function versionAt(number: number): Promise<Version | null> {
    const path = pathOf(number);
    const info = await infoOf(path);
    if (info === null) return null;
    return { number, path, etag: `${number}-${info.tag}`, deleted: info.sizeBytes === 0, info };
  }

  async function read<T>(readVersion: (version: Version) => Promise<T | null>): Promise<T | null> {
    for (let i = 0; i < MAX_READS; i++) {
      const newest = numbersIn(await namesIn(folder)).at(-1);
      if (newest === undefined) {
        if ((await infoOf(mark)) === null) return null;
        continue; // version 1 went while the folder was listed
      }
      const version = await versionAt(newest);
      const result = version === null ? null : await readVersion(version);
      if (result !== null) return result;
    }
    throw new AppError('store_unavailable', `${join(folder, REGISTER_NAME)} has no readable version`);
  }

  const current = (): Promise<Version | null> => read(async (version) => version);

  /** Without listing: if the next one was not there and this one still is, there had been no next one yet. */
  async function tagged(etag: string): Promise<Version | null> {
    const number = Number(/^(\d+)-/.exec(etag)?.[1]);
    if (!Number.isSafeInteger(number) || (await infoOf(pathOf(number + 1))) !== null) return null;
    const version = await versionAt(number);
    return version?.etag === etag ? version : null;
  }

  /** Step (2). */
  async function isStillThere(from: Version | null): Promise<boolean> {
    if (from === null) return (await infoOf(mark)) === null;
    return (await infoOf(pathOf(from.number))) !== null; // a number is one version for ever
  }

  async function advance(from: Version | null, body: Uint8Array, signal?: AbortSignal): Promise<Version | null> {
    const number = (from?.number ?? 0) + 1;
    const temp = join(folder, `~${REGISTER_NAME}.${number}.${randomUUID()}`);
    const info = await disk.writeNew(temp, body, signal);
    try {
      if (!(await isStillThere(from))) return null;
      signal?.throwIfAborted();
      await calls.link(temp, pathOf(number));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EEXIST' || errno === 'ENOENT') return null; // taken, or long ago (b)
      throw error;
    } finally {
      await removeName(temp);
    }
    await disk.syncFolder(folder);
    const deleted = body.byteLength === 0;
    await tidy(number, deleted ? 1 : KEPT_VERSIONS).catch(() => undefined); // the swap stands; the next one tidies again
    return { number, path: pathOf(number), etag: `${number}-${info.tag}`, deleted, info };
  }

  /** Removes all but the newest `keep` versions, where `newest` is one this call's caller has linked itself. */
  async function tidy(newest: number, keep: number): Promise<void> {
    const last = newest - keep;
    if (last < 1) return;
    // As a rule one is to go, and the one before it has gone.
    let oldest = last === 1 || (await infoOf(pathOf(last - 1))) === null ? last : (numbersIn(await namesIn(folder))[0] ?? newest);
    // Here (a) holds for `oldest`: it is below `newest`, so the one before it has existed, and it is gone.
    while (oldest <= last) {
      if (oldest === 1) await leaveMark();
      const names = await namesIn(folder);
      await removeTemps(names, oldest);
      await removeName(pathOf(oldest));
      oldest = numbersIn(names).find((number) => number > oldest) ?? newest;
    }
  }

  async function leaveMark(): Promise<void> {
    calls.close(await calls.open(mark, 'a'));
    await disk.syncFolder(folder);
  }

  /** Step (b). */
  async function removeTemps(names: readonly string[], upTo: number): Promise<void> {
    for (const name of names) {
      const target = numberOf(name, TEMP_FILE);
      if (target !== null && target <= upTo) await removeName(join(folder, name));
    }
  }

  return { current, tagged, listed: versionAt, read, advance };
}

function numberOf(name: string, pattern: RegExp): number | null {
  const digits = pattern.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}

/** Of the versions among the names, ascending. */
function numbersIn(names: readonly string[]): number[] {
  return names
    .map((name) => numberOf(name, VERSION_FILE))
    .filter((number) => number !== null)
    .filter((number) => number > 0)
    .sort((a, b) => a - b);
}

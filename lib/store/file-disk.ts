// What the file driver asks of a disk: whole files that are on the disk before anyone sees them, folders that survive
// a power cut, and errno turned into the store's errors. It knows neither keys nor registers.

import { dirname, join, resolve } from 'node:path';
import { AppError, isAppError, isDiskFull } from '../errors.js';
import { piecesOf } from './body.js';
import { calls } from './file-calls.js';
import type { Body } from './index.js';

export interface FileInfo {
  /** Differs for every file ever written here: inode, time of the last write in nanoseconds, size. */
  tag: string;
  sizeBytes: number;
  modifiedAt: Date;
}

export interface Disk {
  /** Throws once an fsync has failed. */
  assertTrusted(): void;
  /** Which fsync that was; null: none. */
  failure(): string | null;
  /** Writes a new file and brings it to the disk; after a failure there is no file. */
  writeNew(path: string, body: Body, signal?: AbortSignal): Promise<FileInfo>;
  /** Makes a folder inside the root, with all its parents, that survives a power cut. */
  makeFolder(path: string): Promise<void>;
  /** Whether this process has made sure of it. */
  isKnown(path: string): boolean;
  /** Takes no folder for granted any more. */
  forgetFolders(): void;
  /** Brings the names in a folder to the disk, together with those of others who ask meanwhile. */
  syncFolder(path: string): Promise<void>;
}

/** A sync of a folder that is under way, and the one after it if somebody waits for that. */
interface SyncTurns {
  now: Promise<void>;
  next: Promise<void> | null;
}

/** Written between two looks at the signal. */
const CHUNK_BYTES = 1 << 20;
/** One read call is bounded by 2³¹ − 1 bytes; less keeps other reads from waiting long. */
const READ_BYTES = 64 << 20;
/** Folders that this process has made sure of; above this number it starts afresh. */
const MAX_KNOWN_FOLDERS = 20_000;
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK']);

export async function makeDisk(rootPath: string): Promise<Disk> {
  const root = resolve(rootPath);
  // A folder that another process has just made may not be on the disk yet: each process syncs each parent itself, once.
  const known = new Set<string>();
  const turns = new Map<string, SyncTurns>();
  let failed: string | null = null;

  /**
   * After a failed fsync the kernel may have dropped the pages and call the next fsync a success
   * (https://wiki.postgresql.org/wiki/Fsync_Errors), so nothing written afterwards can be trusted. Only a lack of space,
   * which some file systems notice so late, concerns nothing but a new file, and that is thrown away.
   */
  async function sync(fd: number, what: string, isNewFile = false): Promise<void> {
    try {
      await calls.fsync(fd);
    } catch (error) {
      if (isNewFile && isDiskFull(error)) throw error;
      failed = `fsync of ${what} failed: ${errnoOf(error) ?? 'unknown'}`;
      throw new AppError('store_unavailable', failed, { cause: error });
    }
  }

  function assertTrusted(): void {
    if (failed !== null) throw new AppError('store_unavailable', `writes are refused since ${failed}`);
  }

  async function syncNames(path: string): Promise<void> {
    assertTrusted();
    const fd = calls.openFolder(path);
    try {
      await sync(fd, path);
    } finally {
      calls.close(fd);
    }
  }

  /** One that is under way may have begun before the caller's name was there, so all who come while it is share the one that follows. */
  function syncFolder(path: string): Promise<void> {
    const found = turns.get(path);
    if (found) return (found.next ??= found.now.then(() => begin(), () => begin()));
    return begin();

    function begin(): Promise<void> {
      const turn: SyncTurns = { now: syncNames(path), next: null };
      turns.set(path, turn);
      const end = (): void => {
        if (turn.next === null) turns.delete(path);
      };
      turn.now.then(end, end);
      return turn.now;
    }
  }

  async function makeFolder(path: string): Promise<void> {
    if (path === root || known.has(path)) return;
    const parent = dirname(path);
    await makeFolder(parent);
    await calls.mkdir(path).catch(unlessErrno('EEXIST'));
    await syncFolder(parent);
    if (known.size >= MAX_KNOWN_FOLDERS) known.clear();
    known.add(path);
  }

  async function writeNew(path: string, body: Body, signal?: AbortSignal): Promise<FileInfo> {
    assertTrusted();
    const fd = await calls.open(path, 'wx');
    let info: FileInfo | null = null;
    try {
      await writeFully(fd, body, signal);
      await sync(fd, path, true);
      info = toFileInfo(calls.fstat(fd, { bigint: true }));
      return info;
    } finally {
      calls.close(fd);
      if (info === null) await removeName(path);
    }
  }

  const firstMade = await calls.mkdir(root, { recursive: true });
  for (let path = root; firstMade !== undefined && path.length >= firstMade.length; path = dirname(path)) {
    await syncFolder(dirname(path));
  }
  return { assertTrusted, failure: () => failed, writeNew, makeFolder, isKnown: (path) => known.has(path), forgetFolders: () => known.clear(), syncFolder };
}

/** Names in a folder; none if there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  return calls.readdir(folder).catch((error: unknown) => {
    if (isAbsent(error)) return [];
    throw error;
  });
}

/** A file's data about itself; null if there is no file of that name. */
export async function infoOf(path: string): Promise<FileInfo | null> {
  try {
    const stat = await calls.lstat(path, { bigint: true });
    return stat.isFile() ? toFileInfo(stat) : null;
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

/** A whole file or an inclusive range of it; null if there is no file of that name. */
export async function readBytesOf(
  path: string,
  range?: { start: number; end: number },
): Promise<{ bytes: Buffer; info: FileInfo } | null> {
  const fd = await calls.open(path, 'r').catch(unlessErrno('ENOENT', 'ENOTDIR'));
  if (fd === undefined) return null;
  try {
    const stat = calls.fstat(fd, { bigint: true });
    if (!stat.isFile()) return null;
    const info = toFileInfo(stat);
    const start = range?.start ?? 0;
    if (range !== undefined && start >= info.sizeBytes) {
      throw new AppError('range_not_satisfiable', `byte ${start} lies outside an object of ${info.sizeBytes} bytes`);
    }
    const end = Math.min(info.sizeBytes, (range?.end ?? Infinity) + 1);
    return { bytes: await readFully(fd, start, end - start), info };
  } finally {
    calls.close(fd);
  }
}

async function readFully(fd: number, start: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await calls.read(fd, bytes, filled, Math.min(READ_BYTES, length - filled), start + filled);
    if (bytesRead === 0) throw new AppError('store_unavailable', 'a file was cut short by somebody else');
    filled += bytesRead;
  }
  return bytes;
}

async function writeFully(fd: number, body: Body, signal?: AbortSignal): Promise<void> {
  let at = 0;
  for await (const piece of piecesOf(body, CHUNK_BYTES)) {
    for (let written = 0; written < piece.byteLength; ) {
      signal?.throwIfAborted();
      const { bytesWritten } = await calls.write(fd, piece, written, piece.byteLength - written, at + written);
      written += bytesWritten;
    }
    at += piece.byteLength;
  }
}

/** Removes a name, if it is there. */
export async function removeName(path: string): Promise<void> {
  await calls.unlink(path).catch(unlessErrno('ENOENT'));
}

/** Removes the files of a folder that were last written before `before`: left there by processes that died. */
export async function removeOlder(folder: string, before: Date): Promise<void> {
  for (const name of await namesIn(folder)) {
    const info = await infoOf(join(folder, name));
    if (info !== null && info.modifiedAt < before) await removeName(join(folder, name));
  }
}

function toFileInfo(stat: { ino: bigint; mtimeNs: bigint; size: bigint; mtime: Date }): FileInfo {
  return {
    tag: [stat.ino, stat.mtimeNs, stat.size].map((part) => part.toString(36)).join('-'),
    sizeBytes: Number(stat.size),
    modifiedAt: stat.mtime,
  };
}

export function errnoOf(error: unknown): string | null {
  const { code } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown };
  // Node's own complaints about its arguments (ERR_OUT_OF_RANGE) are none of the system's.
  return typeof code === 'string' && !code.startsWith('ERR_') ? code : null;
}

/** No such name, or a name above it is a file. */
export function isAbsent(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

/** For `catch`: the named failures become undefined. */
export function unlessErrno(...accepted: string[]): (error: unknown) => undefined {
  return (error) => {
    if (!accepted.includes(errnoOf(error) ?? '')) throw error;
    return undefined;
  };
}

export function toStoreError(what: string, error: unknown): unknown {
  if (isAppError(error)) return error;
  const errno = errnoOf(error);
  if (errno === null) return error; // a mistake of ours, not the disk's
  if (isDiskFull(error)) return new AppError('store_full', `${what}: the disk is full (${errno})`, { cause: error });
  const { syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'link' && NO_LINKS.has(errno)) {
    return new AppError('store_unsafe', `${what}: this file system has no hard links (${errno})`, { cause: error });
  }
  return new AppError('store_unavailable', `${what}: ${errno === 'EROFS' ? 'the disk can only be read (EROFS)' : errno}`, { cause: error });
}

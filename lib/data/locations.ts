// Where files of data may lie: under the data roots, and nowhere else. A location is judged by the real path of the file that
// was opened, never by its text alone, so that no link leads outside, not even one that is swapped at the wrong moment.
// Locations in buckets are object-locations.ts.
import { constants } from 'node:fs';
import { lstat, open, readlink, realpath, stat, type FileHandle } from 'node:fs/promises';
import { basename, isAbsolute, join, relative, sep } from 'node:path';
import { AppError } from '../errors.js';
import { makeDataFile } from './data-file.js';
import type { DataFile } from './source.js';

/** Pawl's own folder: jobs, checkpoints, perhaps tokens. No data set. */
const PRIVATE_FOLDER = '.pawl';

export interface SettledFile {
  file: FileHandle;
  sizeBytes: number;
  /** Changes when the file does (a change within the file system's clock tick aside). */
  identity: string;
  /** When the file last changed, in ms since 1970. */
  changedAtMs: number;
}

/**
 * The real path of the file that a location names: a relative path, bare or with `file:`, under the first of the roots
 * that has it. AppError with `param`: `invalid_location` (absolute, `..`, another scheme, leads outside, no plain file),
 * `data_missing`.
 * @param closed folders that hold no data even where they lie in a root
 */
export async function resolveLocation(location: string, roots: readonly string[], param = 'location', closed: readonly string[] = []): Promise<string> {
  const path = relativePathOf(location, param);
  for (const root of roots) {
    let realRoot: string;
    try {
      realRoot = await realpath(root);
    } catch (error) {
      if (isAbsent(error)) continue;
      throw unreadable(location, error, param);
    }
    let found: OpenedFile | 'unsteady' | null;
    try {
      found = await openOnce(join(realRoot, path));
    } catch (error) {
      if (isAbsent(error)) continue;
      throw unreadable(location, error, param);
    }
    if (found === null) throw refused(location, 'is not a file', param);
    if (found === 'unsteady') throw refused(location, 'changes while it is looked at', param);
    await found.file.close();
    const { realPath } = found;
    if (!isInside(realPath, realRoot)) throw refused(location, 'leads outside of the data roots', param);
    if (hasPrivateFolder(relative(realRoot, realPath).split(sep))) throw refused(location, `leads into a ${PRIVATE_FOLDER} folder`, param);
    for (const folder of await realFolders(closed)) {
      // a root within such a folder was opened on purpose
      if (isInside(realPath, folder) && (folder === realRoot || isInside(folder, realRoot))) throw refused(location, 'leads into a folder of Pawl’s own', param);
    }
    return realPath;
  }
  throw new AppError('data_missing', `${JSON.stringify(location)} is under none of the ${roots.length} data roots`, { param });
}

/** Opens it as data, under its base name. Errors as openSettled. */
export async function openDataFile(path: string, param: string | null = null): Promise<DataFile> {
  const { file } = await openSettled(path);
  return makeDataFile(file, basename(path), param);
}

/** A file that changed less than this ago can change again without its times showing it. */
const UNSETTLED_MS = 2_000;
export const isAtRest = ({ changedAtMs }: SettledFile): boolean => Date.now() - changedAtMs >= UNSETTLED_MS;

/**
 * Opens a path that resolveLocation gave, if it still is a real path. Whoever opens closes.
 * AppError `data_missing`, or `data_changed` where the path now leads elsewhere.
 */
export async function openSettled(path: string): Promise<SettledFile> {
  const name = basename(path);
  let found: OpenedFile | 'unsteady' | null;
  try {
    found = await openOnce(path);
  } catch (error) {
    throw isAbsent(error) ? new AppError('data_missing', `${JSON.stringify(name)} is not there any more`) : unreadable(name, error);
  }
  if (found !== null && found !== 'unsteady') {
    const { file, realPath, status } = found;
    if (realPath === path) {
      const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = status;
      return { file, sizeBytes: Number(size), identity: [path, dev, ino, size, mtimeNs, ctimeNs].join(':'), changedAtMs: Number(ctimeMs) };
    }
    await file.close();
  }
  throw notAsItWas(path);
}

function isInside(path: string, folder: string): boolean {
  const inside = relative(folder, path);
  return inside !== '' && !isAbsolute(inside) && inside.split(sep)[0] !== '..';
}

/** Of those that are there. */
async function realFolders(folders: readonly string[]): Promise<string[]> {
  const real = await Promise.all(folders.map((folder) => realpath(folder).catch(() => null)));
  return real.filter((folder) => folder !== null);
}

export const notAsItWas = (path: string, param: string | null = null): AppError =>
  new AppError('data_changed', `${JSON.stringify(basename(path))} is not the file any more that it was`, param === null ? {} : { param });

/** Reading it was given up. */
export const notNeeded = (name: string): AppError => new AppError('data_missing', `${name}: reading it was given up, it is not needed any more`);

/** Half of a pair would be another name to a file system or a server. */
export const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

/** Without a look at any disk. AppError `invalid_location` with `param` for everything but a path that stays below where it begins. */
export function relativePathOf(location: string, param: string): string {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(location)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'file') throw refused(location, `has the scheme ${scheme}:; only paths, bare or with file:, and s3: are read`, param);
  const path = scheme === 'file' ? location.slice('file:'.length) : location;
  if (!isWellFormed(path)) throw refused(location, 'is not well-formed Unicode', param);
  if (path.includes('\0') || path.includes('\\')) throw refused(location, 'has a NUL or a backslash', param);
  if (path.startsWith('/')) throw refused(location, 'is absolute; give a path relative to a data root', param);
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.length === 0) throw refused(location, 'names no file', param);
  if (segments.includes('..')) throw refused(location, 'goes up with ..', param);
  if (hasPrivateFolder(segments)) throw refused(location, `leads into a ${PRIVATE_FOLDER} folder`, param);
  return segments.join('/');
}

function hasPrivateFolder(segments: readonly string[]): boolean {
  return segments.some((segment) => segment.toLowerCase() === PRIVATE_FOLDER); // file systems may not tell cases apart
}

interface OpenedFile {
  file: FileHandle;
  /** The path of the very file that is open. */
  realPath: string;
  status: Awaited<ReturnType<typeof statOf>>;
}

const statOf = (file: FileHandle) => file.stat({ bigint: true });

/**
 * Opens first and asks for the real path afterwards: that path, without a link in it, names the open file by device and
 * number, or somebody swapped a link in between ('unsteady'). Two swaps in a row could still get past that, so where the
 * system itself says which path a descriptor has (Linux), that has the last word. Null for anything but a plain file.
 */
async function openOnce(path: string): Promise<OpenedFile | 'unsteady' | null> {
  if (!(await stat(path)).isFile()) return null; // opening a device or a pipe can have effects
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const status = await statOf(file);
    const realPath = await realpath(path);
    const there = await lstat(realPath, { bigint: true });
    const systemPath = await readlink(`/proc/self/fd/${file.fd}`).catch(() => realPath);
    if (status.isFile() && status.dev === there.dev && status.ino === there.ino && systemPath === realPath) return { file, realPath, status };
    await file.close();
    return status.isFile() ? 'unsteady' : null;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function refused(location: string, why: string, param: string): AppError {
  return new AppError('invalid_location', `${JSON.stringify(location)} ${why}`, { param });
}

function unreadable(location: string, cause: unknown, param?: string): AppError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
  if (code === 'ELOOP' || code === 'ENAMETOOLONG') return refused(location, `names no file (${code})`, param ?? 'location');
  return new AppError('data_missing', `${JSON.stringify(location)} cannot be read (${code})`, { cause, ...(param === undefined ? {} : { param }) });
}

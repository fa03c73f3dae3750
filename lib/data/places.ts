// Where data may be read: folders of this machine, and buckets. And a look at what a location leads to, without a copy of it.
import { AppError } from '../errors.js';
import { interruptible, unlessAborted } from './interruptible.js';
import { openDataFile, relativePathOf, resolveLocation } from './locations.js';
import { isObjectLocation, objectAt, type DataBuckets } from './object-locations.js';
import { openObject } from './object-source.js';
import type { ByteSource } from './source.js';

export interface DataPlaces {
  /** Folders that paths are relative to. */
  roots: readonly string[];
  /** Folders that hold no data even where they lie in a root: the store's, and what else is Pawl's own. */
  closed?: readonly string[];
  /** Null: none may be read. */
  buckets: DataBuckets | null;
  /** How long a look may take; LOOK_MS without it. */
  lookMs?: number;
}

/** What does not give its headers and labels in this time, a large file or a disk that hangs, is left to a worker. */
const LOOK_MS = 8_000;

/** AppError `invalid_location` with `param` where a location's text alone says that it leads to no data. */
export function checkLocation(location: string, { buckets }: DataPlaces, param: string): void {
  if (isObjectLocation(location)) objectAt(location, buckets, param);
  else relativePathOf(location, param);
}

/**
 * For a look, not for a training: after `lookMs` nothing more is read. Whoever opens closes. AppError with `param`:
 * `invalid_location`, `data_missing` (also where the time is over), `data_changed`, `invalid_data`.
 */
export async function openLocation({ roots, closed, buckets, lookMs = LOOK_MS }: DataPlaces, location: string, param: string): Promise<ByteSource> {
  const signal = AbortSignal.timeout(lookMs);
  if (isObjectLocation(location)) return openObject(buckets!.objects, objectAt(location, buckets, param), param, signal);
  const opening = resolveLocation(location, roots, param, closed).then((path) => openDataFile(path, param));
  const late = (): AppError => new AppError('data_missing', `${JSON.stringify(location)} was not read within ${lookMs} ms`, { param });
  const file = await unlessAborted(() => opening, signal, late).catch((error: unknown) => {
    void opening.then((opened) => opened.close()).catch(() => undefined);
    throw error;
  });
  return interruptible(file, signal, late);
}

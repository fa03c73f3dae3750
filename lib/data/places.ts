// Where data may be read: folders of this machine, and buckets. And a look at what a location leads to, without a copy of it.
import { AppError } from '../errors.js';
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
  const inTime = <T>(work: () => Promise<T>): Promise<T> => unlessAborted(work, signal, () => new AppError('data_missing', `${JSON.stringify(location)} was not read within ${lookMs} ms`, { param }));
  const file = await inTime(() => opening).catch((error: unknown) => {
    void opening.then((late) => late.close()).catch(() => undefined);
    throw error;
  });
  return {
    name: file.name,
    param: file.param,
    sizeBytes: file.sizeBytes,
    readAt: (into, positionBytes) => inTime(() => file.readAt(into, positionBytes)),
    // A read that hangs would keep it from closing: it closes after that.
    close: async () => {
      const closing = file.close().catch(() => undefined);
      if (!signal.aborted) await closing;
    },
  };
}

/** Work that is not begun after the signal, and not waited for any longer. */
async function unlessAborted<T>(work: () => Promise<T>, signal: AbortSignal, late: () => AppError): Promise<T> {
  if (signal.aborted) throw late();
  let end = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => (end = () => reject(late())));
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}

// Where data may be read: folders of this machine, and buckets. And a look at what a location leads to, without a copy of it.
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
}

/** An object of which headers and labels do not come in this time is left to a worker. */
const LOOK_MS = 8_000;

/** AppError `invalid_location` with `param` where a location's text alone says that it leads to no data. */
export function checkLocation(location: string, { buckets }: DataPlaces, param: string): void {
  if (isObjectLocation(location)) objectAt(location, buckets, param);
  else relativePathOf(location, param);
}

/** Whoever opens closes. AppError with `param`: `invalid_location`, `data_missing`, `data_changed`, `invalid_data`. */
export async function openLocation({ roots, closed, buckets }: DataPlaces, location: string, param: string): Promise<ByteSource> {
  if (!isObjectLocation(location)) return openDataFile(await resolveLocation(location, roots, param, closed), param);
  const object = objectAt(location, buckets, param);
  return openObject(buckets!.objects, object, param, AbortSignal.timeout(LOOK_MS));
}

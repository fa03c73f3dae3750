// Which objects may be data: those of the buckets that the operator named, and none of the store's own.
import { AppError } from '../errors.js';
import { isWellFormed } from './locations.js';
import type { DataObjects, ObjectLocation } from './objects.js';

/** Buckets in which data may lie. */
export interface DataBuckets {
  names: readonly string[];
  /** Where the store keeps what is its own, with a slash at the prefix's end unless it is the whole bucket; null: not in a bucket. */
  store: { bucket: string; prefix: string } | null;
  objects: DataObjects;
}

/** Bytes of a key, by S3's own limit. */
const MAX_KEY_BYTES = 1024;

export const isObjectLocation = (location: string): boolean => /^s3:/i.test(location);

/** AppError `invalid_location` with `param`: not `s3://bucket/key`, a bucket that is not for data, a key of the store's own. */
export function objectAt(location: string, buckets: DataBuckets | null, param: string): ObjectLocation {
  const refuse = (why: string): never => {
    throw new AppError('invalid_location', `${JSON.stringify(location)} ${why}`, { param });
  };
  const [, bucket, key] = /^[sS]3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(.+)$/s.exec(location) ?? refuse('is not s3://bucket/key');
  const object = { bucket: bucket!, key: key! };
  if (buckets === null || !buckets.names.includes(object.bucket)) return refuse(`is in a bucket that holds no data for Pawl: PAWL_DATA_BUCKETS names ${buckets === null || buckets.names.length === 0 ? 'none' : buckets.names.join(', ')}`);
  if (!isWellFormed(object.key)) refuse('is not well-formed Unicode');
  if (Buffer.byteLength(object.key) > MAX_KEY_BYTES) refuse(`has a key of more than ${MAX_KEY_BYTES} bytes`);
  const { store } = buckets;
  // the second is what a gateway makes of it that decodes once too often
  for (const spelling of [object.key, decoded(object.key)]) {
    // servers that keep objects as files make paths of keys
    if (spelling.split('/').some((segment) => segment === '' || segment === '.' || segment === '..')) refuse('has an empty segment, . or .. in its key');
    if (/[\0-\x1f\x7f\\]/.test(spelling)) refuse('has a control character or a backslash in its key');
    // file systems may not tell cases apart
    if (store !== null && store.bucket === object.bucket && `${spelling}/`.toLowerCase().startsWith(store.prefix.toLowerCase())) refuse('lies in the store, which holds no data');
  }
  return object;
}

/** The key with its percent signs understood; itself where they mean nothing. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

/** A file's name for a copy of it: the end of its key, as far as any file system takes it. */
export const fileNameOf = ({ key }: ObjectLocation): string => key.slice(key.lastIndexOf('/') + 1).replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(-100);


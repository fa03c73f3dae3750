// From a store's URL to its driver, and to the places of data beside it. The S3 SDK is loaded only for those who use it.

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataPlaces } from '../data/places.js';
import { AppError } from '../errors.js';
import { makeFileStore } from './file.js';
import type { Store } from './index.js';
import type { S3ClientOptions } from './s3-client.js';

export interface OpenStoreOptions {
  /** For `s3:` URLs. */
  s3?: S3ClientOptions;
}

/** `file:<folder>` (absolute, or relative to the working directory), `file:///<folder>`, or `s3://<bucket>[/<prefix>]`. */
export async function openStore(url: string, options: OpenStoreOptions = {}): Promise<Store> {
  if (url.startsWith('file:')) return makeFileStore({ root: parseFolder(url) });
  const place = parseBucket(url);
  const { makeS3Store } = await import('./s3.js');
  return makeS3Store({ ...options.s3, ...place });
}

export interface OpenDataPlacesOptions extends OpenStoreOptions {
  roots: readonly string[];
  closed: readonly string[];
  /** Names of buckets that may be read; their server is the store's. */
  buckets: readonly string[];
  /** The store's URL: what is its own is no data. */
  store: string;
  /** How long an object's server is waited for when it does not answer. */
  patienceMs: number;
}

/** Whoever opens closes the buckets' objects. */
export async function openDataPlaces({ roots, closed, buckets, store, s3, patienceMs }: OpenDataPlacesOptions): Promise<DataPlaces> {
  if (buckets.length === 0) return { roots, closed, buckets: null };
  const { makeS3Objects } = await import('./s3-objects.js');
  const own = store.startsWith('file:') ? null : parseBucket(store);
  return { roots, closed, buckets: { names: buckets, store: own && { bucket: own.bucket, prefix: own.prefix === '' ? '' : `${own.prefix}/` }, objects: makeS3Objects({ ...s3, patienceMs }) } };
}

/** The prefix without slashes at its end. */
function parseBucket(url: string): { bucket: string; prefix: string } {
  const [, bucket, prefix = ''] = /^s3:\/\/([^/?#@]+)(?:\/([^?#]*))?$/.exec(url) ?? [];
  if (bucket === undefined) {
    throw new AppError('invalid_location', 'a store is file:<folder> or s3://<bucket>[/<prefix>]');
  }
  return { bucket, prefix: prefix.replace(/\/$/, '') };
}

function parseFolder(url: string): string {
  if (url.startsWith('file://')) return fileURLToPath(url);
  const path = url.slice('file:'.length);
  if (path === '') throw new AppError('invalid_location', 'file: needs a folder');
  return resolve(path);
}

// From a store's URL to its driver. The S3 SDK is loaded only for those who use it.

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError } from '../errors.js';
import { makeFileStore } from './file.js';
import type { Store } from './index.js';
import type { S3StoreOptions } from './s3.js';

export interface OpenStoreOptions {
  /** For `s3:` URLs. */
  s3?: Omit<S3StoreOptions, 'bucket' | 'prefix'>;
}

/** `file:<folder>` (absolute, or relative to the working directory), `file:///<folder>`, or `s3://<bucket>[/<prefix>]`. */
export async function openStore(url: string, options: OpenStoreOptions = {}): Promise<Store> {
  if (url.startsWith('file:')) return makeFileStore({ root: parseFolder(url) });
  const [, bucket, prefix] = /^s3:\/\/([^/?#@]+)(?:\/([^?#]*))?$/.exec(url) ?? [];
  if (bucket === undefined) {
    throw new AppError('invalid_location', 'a store is file:<folder> or s3://<bucket>[/<prefix>]');
  }
  const { makeS3Store } = await import('./s3.js');
  return makeS3Store({ ...options.s3, bucket, prefix: (prefix ?? '').replace(/\/$/, '') });
}

function parseFolder(url: string): string {
  if (url.startsWith('file://')) return fileURLToPath(url);
  const path = url.slice('file:'.length);
  if (path === '') throw new AppError('invalid_location', 'file: needs a folder');
  return resolve(path);
}

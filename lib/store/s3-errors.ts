// What an S3 failure means: the SDK's errors read by shape and turned into the store's own.
// Messages carry the error's name and status only: the SDK's texts and response objects can hold signed headers.

import { AppError, isAppError } from '../errors.js';

const FULL = new Set(['QuotaExceeded', 'InsufficientStorage', 'XMinioStorageFull', 'XAmzStorageFull']);
const NO_OBJECT = new Set(['NoSuchKey', 'NotFound']);

interface Failure {
  name: string;
  /** HTTP status of the answer; null when there was none. */
  status: number | null;
  /** A socket's errno, such as ECONNRESET. */
  code: string | null;
}

function readFailure(error: unknown): Failure {
  const shape = (typeof error === 'object' && error !== null ? error : {}) as {
    name?: unknown;
    code?: unknown;
    $metadata?: { httpStatusCode?: unknown };
  };
  const status = shape.$metadata?.httpStatusCode;
  return {
    name: typeof shape.name === 'string' ? shape.name : 'Error',
    status: typeof status === 'number' ? status : null,
    code: typeof shape.code === 'string' ? shape.code : null,
  };
}

/** No such object. A missing bucket is not a missing object, except in answers to HEAD, which have no body to tell. */
export function isMissing(error: unknown): boolean {
  return NO_OBJECT.has(readFailure(error).name);
}

/** The server evaluated the condition of a write, and it did not hold. */
export function isConditionFailed(error: unknown): boolean {
  return readFailure(error).status === 412;
}

/** An answer that says the write was not done, as opposed to no answer or a server's failure half-way. */
export function isRefusal(error: unknown): boolean {
  const { status } = readFailure(error);
  return status !== null && status >= 400 && status < 500;
}

export function toStoreError(what: string, error: unknown): AppError {
  if (isAppError(error)) return error;
  const { name, status, code } = readFailure(error);
  const why = [name, code, status === null ? null : `HTTP ${status}`].filter((part) => part !== null).join(', ');
  if (FULL.has(name) || status === 507) return new AppError('store_full', `${what}: the store is full (${why})`);
  if (status === 416) return new AppError('range_not_satisfiable', `${what}: the range lies outside the object`);
  return new AppError('store_unavailable', `${what}: ${why}`);
}

// What an S3 failure means: the SDK's errors read by shape and turned into the store's own, or into what they say of data.
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

/** The server has too much to do, or takes only so many writes of a key a second (R2: one): worth another try, somewhat later. */
export function isThrottled(error: unknown): boolean {
  const { name, status } = readFailure(error);
  return status === 429 || (status === 503 && name === 'SlowDown');
}

const wordsOf = ({ name, status, code }: Failure): string => [name, code, status === null ? null : `HTTP ${status}`].filter((part) => part !== null).join(', ');

/** Of an object that was to be read as data; `address` for people. */
export function toDataError(address: string, error: unknown): AppError {
  if (isAppError(error)) return isAppError(error, 'store_unavailable') ? new AppError('data_missing', error.message, { cause: error }) : error;
  const failure = readFailure(error);
  const missing = (why: string): AppError => new AppError('data_missing', `${address}: ${why} (${wordsOf(failure)})`);
  if (failure.name === 'NoSuchBucket') return missing('there is no such bucket');
  switch (failure.status) {
    case 301:
    case 307:
      return missing('its bucket is in another region (AWS_REGION)');
    case 401:
    case 403:
      return missing('access to it is denied');
    case 404:
      return missing('there is no such object');
    case 412:
      return new AppError('data_changed', `${address} was replaced while it was read`);
    case 416:
      return new AppError('invalid_data', `${address}: it is empty`);
    case null:
    default:
      return missing('it cannot be read');
  }
}

export function toStoreError(what: string, error: unknown): AppError {
  if (isAppError(error)) return error;
  const failure = readFailure(error);
  const { name, status } = failure;
  const why = wordsOf(failure);
  if (FULL.has(name) || status === 507) return new AppError('store_full', `${what}: the store is full (${why})`);
  if (status === 416) return new AppError('range_not_satisfiable', `${what}: the range lies outside the object`);
  return new AppError('store_unavailable', `${what}: ${why}`);
}

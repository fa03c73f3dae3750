// What S3 failures mean.

import { describe, expect, it } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import { isConditionFailed, isMissing, isRefusal, isThrottled, toStoreError } from '../../../lib/store/s3-errors.js';

const answer = (name: string, httpStatusCode: number): Error =>
  Object.assign(new Error('signed with AKIA-SECRET'), { name, $metadata: { httpStatusCode }, $response: { headers: {} } });

describe('an S3 failure', () => {
  it.each([
    ['PreconditionFailed', 412, { failed: true, missing: false, refused: true, throttled: false }],
    ['NoSuchKey', 404, { failed: false, missing: true, refused: true, throttled: false }],
    ['NotFound', 404, { failed: false, missing: true, refused: true, throttled: false }],
    ['NoSuchBucket', 404, { failed: false, missing: false, refused: true, throttled: false }],
    ['ConditionalRequestConflict', 409, { failed: false, missing: false, refused: true, throttled: false }],
    ['AccessDenied', 403, { failed: false, missing: false, refused: true, throttled: false }],
    ['InternalError', 500, { failed: false, missing: false, refused: false, throttled: false }],
    ['SlowDown', 503, { failed: false, missing: false, refused: false, throttled: true }],
    ['ServiceUnavailable', 503, { failed: false, missing: false, refused: false, throttled: false }],
    ['TooManyRequests', 429, { failed: false, missing: false, refused: true, throttled: true }],
  ])('%s is read for what it says about the write', (name, status, { failed, missing, refused, throttled }) => {
    const error = answer(name, status);
    expect(isConditionFailed(error)).toBe(failed);
    expect(isMissing(error)).toBe(missing);
    expect(isRefusal(error)).toBe(refused);
    expect(isThrottled(error)).toBe(throttled);
  });

  it('without an answer says nothing about the write', () => {
    const error = Object.assign(new Error('socket hang up'), { name: 'TimeoutError', code: 'ECONNRESET' });
    expect(isRefusal(error) || isMissing(error) || isConditionFailed(error)).toBe(false);
    expect(toStoreError('put x', error)).toMatchObject({ code: 'store_unavailable', message: 'put x: TimeoutError, ECONNRESET' });
  });

  it.each([
    ['QuotaExceeded', 403, 'store_full'],
    ['InsufficientStorage', 507, 'store_full'],
    ['InvalidRange', 416, 'range_not_satisfiable'],
    ['SlowDown', 503, 'store_unavailable'],
    ['NoSuchBucket', 404, 'store_unavailable'],
  ])('%s with status %i becomes %s', (name, status, code) => {
    expect(toStoreError('get x', answer(name, status)).code).toBe(code);
  });

  it('is told by its name and status, never by its text, and takes nothing of the SDK along', () => {
    const error = toStoreError('get x', answer('SignatureDoesNotMatch', 403));
    expect(error.message).toBe('get x: SignatureDoesNotMatch, HTTP 403');
    expect(error.cause).toBeUndefined();
    expect(toStoreError('x', 'a string').code).toBe('store_unavailable');
  });

  it('that is one of ours already stays as it is', () => {
    const own = new AppError('store_unsafe', 'mine');
    expect(toStoreError('x', own)).toBe(own);
  });
});

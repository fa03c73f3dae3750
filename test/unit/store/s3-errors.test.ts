// What S3 failures mean.

import { describe, expect, it } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import { isConditionFailed, isMissing, isRefusal, toStoreError } from '../../../lib/store/s3-errors.js';

const answer = (name: string, httpStatusCode: number): Error =>
  Object.assign(new Error('signed with AKIA-SECRET'), { name, $metadata: { httpStatusCode }, $response: { headers: {} } });

describe('an S3 failure', () => {
  it.each([
    ['PreconditionFailed', 412, { failed: true, missing: false, refused: true }],
    ['NoSuchKey', 404, { failed: false, missing: true, refused: true }],
    ['NotFound', 404, { failed: false, missing: true, refused: true }],
    ['NoSuchBucket', 404, { failed: false, missing: false, refused: true }],
    ['ConditionalRequestConflict', 409, { failed: false, missing: false, refused: true }],
    ['AccessDenied', 403, { failed: false, missing: false, refused: true }],
    ['InternalError', 500, { failed: false, missing: false, refused: false }],
    ['SlowDown', 503, { failed: false, missing: false, refused: false }],
  ])('%s is read for what it says about the write', (name, status, { failed, missing, refused }) => {
    const error = answer(name, status);
    expect(isConditionFailed(error)).toBe(failed);
    expect(isMissing(error)).toBe(missing);
    expect(isRefusal(error)).toBe(refused);
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

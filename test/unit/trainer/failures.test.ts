import { expect, test } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import { trainerEnvironment } from '../../../worker/trainer-environment.js';
import { failureOf } from '../../../worker/trainer/failures.js';

test.each([
  [new AppError('invalid_data', 'no'), 'invalid_data'],
  [new Error('Invalid TF_Status: 8\nMessage: OOM when allocating tensor with shape[1]'), 'oom'],
  [new Error('RESOURCE_EXHAUSTED: out of memory'), 'oom'],
  [new RangeError('Array buffer allocation failed'), 'oom'],
  [new Error('Invalid TF_Status: 80'), 'trainer_crashed'],
  [Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }), 'store_full'],
  [Object.assign(new Error('EFBIG: file too large, write'), { code: 'EFBIG' }), 'store_full'],
  [new TypeError('x is not a function'), 'trainer_crashed'],
  ['thrown text', 'trainer_crashed'],
  [null, 'trainer_crashed'],
])('%s is %s', (error, code) => expect(failureOf(error).code).toBe(code));

test('the environment pins threads and refuses nonsense', () => {
  expect(trainerEnvironment({ engine: 'wasm', intraOpThreads: 3, interOpThreads: 2, gpu: null })).toMatchObject({ PAWL_ENGINE: 'wasm', TF_NUM_INTRAOP_THREADS: '3', TF_NUM_INTEROP_THREADS: '2', TF_DETERMINISTIC_OPS: '1', TF_ENABLE_ONEDNN_OPTS: '1' });
  for (const threads of [0, -1, 1.5, NaN]) expect(() => trainerEnvironment({ engine: 'auto', intraOpThreads: threads, interOpThreads: 1, gpu: null })).toThrow(/intraOpThreads/);
});

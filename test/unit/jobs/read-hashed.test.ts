import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { isAppError } from '../../../lib/errors.js';
import { readHashed, readSegment } from '../../../lib/jobs/history.js';

const good = Buffer.from('{"update":1}\n');
const damaged = Buffer.from('{"update":3}\n');
const sha256 = createHash('sha256').update(good).digest('hex');

/** A store whose answers come one after the other; the last one stays. */
function answering(...bodies: (Buffer | null)[]) {
  let reads = 0;
  return {
    reads: () => reads,
    get: async () => {
      const body = bodies[Math.min(reads++, bodies.length - 1)]!;
      return body && { body, etag: 'x' };
    },
  };
}

it('what arrives damaged once is whole', async () => {
  const store = answering(damaged, good);
  expect(await readHashed(store, 'k', sha256)).toEqual({ body: good, whole: true });
  expect(store.reads()).toBe(2);
});

it('what is damaged every time is damaged, and what is not there is not there', async () => {
  expect(await readHashed(answering(damaged), 'k', sha256)).toEqual({ body: damaged, whole: false });
  expect(await readHashed(answering(null), 'k', sha256)).toBeNull();
});

it('a segment is given up only when it is damaged where it lies', async () => {
  const segment = { key: 'k', bytes: good.length, sha256, first: 1, last: 1, count: 1, level: 0 };
  expect(await readSegment(answering(damaged, good), segment)).toEqual(good);
  await expect(readSegment(answering(damaged), segment)).rejects.toSatisfy((error) => isAppError(error, 'checkpoint_corrupt'));
});

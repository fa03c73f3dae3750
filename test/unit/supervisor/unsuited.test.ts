// What a worker cannot run it leaves to others for a while, longer each time, and not for ever.
import { expect, test } from 'vitest';
import { emptyHead } from '../../../lib/jobs/lifecycle.js';
import type { AttemptOutcome } from '../../../worker/supervisor/session.js';
import { makeUnsuited } from '../../../worker/supervisor/unsuited.js';

const ticket = (fence: number, gen = 0) => ({ job: 'job_1', gen, fence });
const NOT_HERE: AttemptOutcome = { kind: 'unsuited', message: 'another class' };
const MINUTE = 60_000;

function world() {
  const time = { ms: 0 };
  return { time, unsuited: makeUnsuited({ monotonicMs: () => time.ms }) };
}

test('its tickets are left to others, whatever their fence, and no other job’s', () => {
  const { unsuited } = world();
  expect(unsuited.putOffMs(ticket(1))).toBe(0);
  unsuited.ended(ticket(1), NOT_HERE);
  expect(unsuited.putOffMs(ticket(2))).toBeGreaterThan(0);
  expect(unsuited.putOffMs(ticket(9))).toBeGreaterThan(0);
  expect(unsuited.putOffMs({ ...ticket(2), job: 'job_2' })).toBe(0);
});

test('it is tried again after a minute, then after two, and at least every hour', () => {
  const { time, unsuited } = world();
  const waits: number[] = [];
  for (let round = 0; round < 9; round++) {
    unsuited.ended(ticket(round), NOT_HERE);
    const since = time.ms;
    while (unsuited.putOffMs(ticket(round + 1)) > 0) time.ms += MINUTE / 4;
    waits.push((time.ms - since) / MINUTE);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
});

test('a retry is another job, and one that ran is forgotten', () => {
  const { unsuited } = world();
  unsuited.ended(ticket(1), NOT_HERE);
  expect(unsuited.putOffMs(ticket(2, 1))).toBe(0);
  unsuited.ended(ticket(2), { kind: 'ended', executed: 5, wasted: 0, scheduled: false, head: emptyHead() });
  expect(unsuited.putOffMs(ticket(3))).toBe(0);
});

test('of many jobs the latest are remembered', () => {
  const { unsuited } = world();
  for (let job = 0; job <= 10_000; job++) unsuited.ended({ job: `job_${job}`, gen: 0, fence: 1 }, NOT_HERE);
  expect([0, 1, 10_000].map((job) => unsuited.putOffMs({ job: `job_${job}`, gen: 0, fence: 2 }) > 0)).toEqual([false, true, true]);
});

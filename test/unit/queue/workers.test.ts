// How many workers so many jobs keep busy, which is what an autoscaler goes by.
import { describe, expect, test } from 'vitest';
import { hasFreeSlot, type ListedWorker, workersFor } from '../../../lib/queue/index.js';

const worker = (id: string, part: Partial<ListedWorker> = {}): ListedWorker => ({ id, engine: null, device: null, slots: 1, jobs: [], draining: false, started_at: '', host: '', pid: 1, version: '', silentMs: 0, ...part });

describe('workers for so many jobs', () => {
  test.each<[number, number[], number]>([
    [0, [], 0],
    [0, [4], 0],
    [5, [], 5],
    [5, [1, 1], 5],
    [5, [2], 3],
    [8, [4, 4, 4], 2],
    [9, [4, 4, 4], 3],
    [6, [1, 3], 3],
  ])('%d jobs, slots of the live %j: %d', (jobs, slots, wanted) => {
    expect(workersFor(jobs, slots.map((count, index) => worker(`wrk_${index}`, { slots: count })))).toBe(wanted);
  });
});

test('a free slot is one of another worker that lives, takes tickets and is not full', () => {
  expect(hasFreeSlot([worker('wrk_me')], 'wrk_me')).toBe(false);
  expect(hasFreeSlot([worker('wrk_me'), worker('wrk_b', { slots: 2, jobs: ['job_1'] })], 'wrk_me')).toBe(true);
  for (const part of [{ draining: true }, { silentMs: 5_000 }, { jobs: ['job_1'] }]) expect(hasFreeSlot([worker('wrk_b', part)], 'wrk_me')).toBe(false);
});

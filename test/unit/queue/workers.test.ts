// How many workers so many jobs keep busy, and which to let go first: what an autoscaler goes by.
import { describe, expect, test } from 'vitest';
import { drainOrder, hasFreeSlot, hasNeighbour, jobsInHand, type ListedWorker, workersFor } from '../../../lib/queue/index.js';

const worker = (id: string, part: Partial<ListedWorker> = {}): ListedWorker => ({ id, engine: null, device: null, slots: 1, jobs: [], draining: false, uncommitted_seconds: 0, youngest_seconds: null, started_at: '', host: '', machine: '', pid: 1, version: '', silentMs: 0, ...part });

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

test('jobs in hand are those of workers that beat, each once', () => {
  expect(jobsInHand([])).toBe(0);
  expect(jobsInHand([worker('a', { jobs: ['job_1', 'job_2'], slots: 2 }), worker('b', { jobs: ['job_2', 'job_3'], draining: true }), worker('gone', { jobs: ['job_4'], silentMs: 5_000 })])).toBe(3);
});

test('a neighbour is another worker of the same machine, whatever its host is called', () => {
  const me = { id: 'wrk_me', machine: 'boot-1' };
  expect(hasNeighbour([worker('wrk_me', { machine: 'boot-1', host: 'pod-1' }), worker('wrk_far', { machine: 'boot-2', host: 'pod-1' })], me)).toBe(false);
  expect(hasNeighbour([worker('wrk_near', { machine: 'boot-1', host: 'pod-2', draining: true })], me)).toBe(true);
});

describe('which worker to let go first', () => {
  const busy = (id: string, uncommitted: number, youngest: number, part: Partial<ListedWorker> = {}): ListedWorker => worker(id, { jobs: [`job_${id}`], uncommitted_seconds: uncommitted, youngest_seconds: youngest, ...part });

  test('those that go already, the idle, those that lose least, and last those whose job has just come', () => {
    const workers = [busy('fresh', 1, 119), busy('much', 25, 3_600), busy('fresher', 0, 2), worker('idle'), busy('little', 3, 120), busy('going', 29, 5, { draining: true })];
    expect(drainOrder(workers)).toEqual(['going', 'idle', 'little', 'much', 'fresher', 'fresh']);
    expect(drainOrder([...workers].reverse())).toEqual(drainOrder(workers));
  });

  test('of equals always the same one', () => {
    expect(drainOrder([worker('b'), worker('a'), worker('c')])).toEqual(['a', 'b', 'c']);
  });
});

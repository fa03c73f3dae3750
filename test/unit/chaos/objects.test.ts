import { describe, expect, it } from 'vitest';
import { leakedBlobs, silenceProblems } from '../../chaos/run/invariants/objects.js';
import { surplusProblems, surplusTrainers } from '../../chaos/run/invariants/trainers.js';
import { type Circumstances, wasteBound, wasteProblems } from '../../chaos/run/invariants/waste.js';
import { headAt, manifestName } from './records.js';

const listing = (...entries: [string, string][]) => new Map(entries);
const EVERY = { every_seconds: null, every_updates: null, every_micro_batches: null, keep_last: 2, keep_best: null };

describe('a displaced worker', () => {
  const owners = new Map([[1, 'a1'], [2, 'b2']]);
  const before = listing([manifestName(1), 'x'], ['jobs/job_x/attempts/0000000001.json', 'y'], ['jobs/job_x/data/0000000001/w1', 'z']);
  it('may write and delete what has its own fence’s name', () => {
    const after = listing([manifestName(1), 'x'], [manifestName(2, 1, 'a1'), 'x'], [manifestName(2, 2, 'b2'), 'x'], ['jobs/job_x/attempts/0000000001.json', 'y']);
    expect(silenceProblems(before, after, owners)).toEqual([]);
  });
  it('is caught when it writes under another’s fence', () => {
    const after = new Map([...before, [manifestName(3, 2, 'a1'), 'x']]);
    expect(silenceProblems(before, after, owners)[0]).toContain('under fence 2, which belongs to attempt b2');
    expect(silenceProblems(before, new Map([...before, [manifestName(3, 4, 'c4'), 'x'], [manifestName(4, 4, 'd4'), 'x']]), owners), 'of a fence that HEAD was never seen to have').toHaveLength(1);
  });
  it('is caught when it writes again, or removes, what is written once', () => {
    expect(silenceProblems(before, new Map([...before, ['jobs/job_x/attempts/0000000001.json', 'other']]), owners)[0]).toContain('was written again');
    expect(silenceProblems(before, listing(['jobs/job_x/attempts/0000000001.json', 'y']), owners)[0]).toContain('was there, and is gone');
  });
});

describe('what is left of a job that is over', () => {
  it('is caught when nothing refers to it', () => {
    const head = headAt(3, { state: 'succeeded', owner: null });
    const segment = { key: 'jobs/job_x/data/0000000001/rows', bytes: 1, sha256: 'r', first: 1, last: 2, count: 2, level: 0 };
    const needed = [...head.retained.flatMap(({ blobs }) => blobs.map(({ key }) => key)), segment.key];
    expect(leakedBlobs(head, [segment], needed)).toEqual([]);
    expect(leakedBlobs(head, [segment], [...needed, 'jobs/job_x/data/0000000001/w1'])).toEqual(['jobs/job_x/data/0000000001/w1']);
  });
});

describe('trainers of one job', () => {
  it('are caught when the displaced one goes on', () => {
    const inHand = [{ job: 'job_x', attempt: 'a1', worker: 'wrk_1' }, { job: 'job_x', attempt: 'b2', worker: 'wrk_2' }, { job: 'job_y', attempt: 'c1', worker: 'wrk_3' }];
    const owners = new Map([['job_x', 'b2'], ['job_y', 'd2']]);
    expect(surplusTrainers(inHand, owners), 'nobody else trains job_y yet').toEqual([inHand[0]]);
    expect(surplusTrainers(inHand, new Map([['job_x', 'b2'], ['job_y', 'c1']])).map(({ attempt }) => attempt)).toEqual(['a1']);
    expect(surplusProblems(new Map([['a1', 10_000]]), 45_000)).toEqual([]);
    expect(surplusProblems(new Map([['a1', 46_000]]), 45_000)[0]).toContain('46 s later');
  });
});

describe('waste', () => {
  const calm: Circumstances = { disturbed: false, microBatchesPerSecond: 100, accumIters: 5, longestCommitGap: 6 };
  const end = (end_reason: string, wasted_micro_batches: number) => ({ number: 2, end_reason, wasted_micro_batches });
  const policy = { ...EVERY, every_micro_batches: 3 };
  it('is none after a notice, a verb or the end', () => {
    for (const reason of ['preempted_notice', 'user', 'completed']) {
      expect(wasteProblems(end(reason, 0), policy, calm)).toEqual([]);
      expect(wasteProblems(end(reason, 1), policy, calm)[0]).toContain(`ended in order (${reason}) and wasted 1`);
      expect(wasteProblems(end(reason, 1), policy, { ...calm, disturbed: true })).toEqual([]);
    }
  });
  it('is an interval and what is on the way after a kill', () => {
    expect(wasteBound(policy, calm)).toBe(3 + 5 + 12);
    expect(wasteProblems(end('preempted_kill', 20), policy, calm)).toEqual([]);
    expect(wasteProblems(end('lease_lost', 21), policy, calm)[0]).toContain('more than 20');
    expect(wasteBound({ ...EVERY, every_updates: 2 }, calm)).toBe(10 + 5 + 12);
    expect(wasteBound({ ...EVERY, every_seconds: 0.5 }, { ...calm, longestCommitGap: 1_000 }), 'at most what two commits take').toBe(50 + 5 + 400);
  });
});

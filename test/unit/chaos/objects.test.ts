import { describe, expect, it } from 'vitest';
import { leakedBlobs, silenceProblems } from '../../chaos/run/invariants/objects.js';
import { surplusProblems, surplusTrainers } from '../../chaos/run/invariants/trainers.js';
import { headAt, manifestName } from './records.js';

const listing = (...entries: [string, string][]) => new Map(entries);

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

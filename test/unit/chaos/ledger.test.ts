import { describe, expect, it } from 'vitest';
import { markerProblems, resubmitProblems, strandedProblems, verbProblems, wantsAttention } from '../../chaos/run/invariants/ledger.js';
import { headAt } from './records.js';

const want = (verb: 'run' | 'pause' | 'cancel') => ({ want: { verb, seq: 1, cause: 'user' as const } });

describe('a submission repeated under its key', () => {
  it('is answered with the job of then, or not at all', () => {
    expect(resubmitProblems('job_a', { status: 201, id: 'job_a', replayed: true })).toEqual([]);
    for (const status of [0, 429, 500, 503]) expect(resubmitProblems('job_a', { status, id: null, replayed: false })).toEqual([]);
  });
  it('is caught when it makes a second job, is refused, or was forgotten', () => {
    expect(resubmitProblems('job_a', { status: 201, id: 'job_b', replayed: false })[0]).toContain('a second job, job_b');
    expect(resubmitProblems('job_a', { status: 409, id: null, replayed: false })[0]).toContain('409');
    expect(resubmitProblems('job_a', { status: 201, id: 'job_a', replayed: false })[0]).toContain('made anew');
  });
});

describe('an acknowledged verb', () => {
  const pause = { verb: 'pause', gen: 0, seq: 3, keepsBest: false } as const;
  const cancel = { verb: 'cancel', gen: 0, seq: 3, keepsBest: false } as const;
  it('holds', () => {
    expect(verbProblems(pause, headAt(3, want('pause')), headAt(5, want('pause')))).toEqual([]);
    expect(verbProblems(pause, headAt(3, want('pause')), headAt(4, want('cancel'))), 'cancel absorbs pause').toEqual([]);
    expect(verbProblems(cancel, headAt(3, want('cancel')), headAt(4, { ...want('cancel'), state: 'cancelled', owner: null }))).toEqual([]);
  });
  it('is caught when it is forgotten', () => {
    expect(verbProblems(pause, headAt(3, want('pause')), headAt(4, want('run')))[0]).toContain('HEAD wants run');
    expect(verbProblems(cancel, headAt(3, want('cancel')), headAt(4, { ...want('cancel'), state: 'succeeded', owner: null }))[0]).toContain('the job succeeded');
    expect(verbProblems(pause, headAt(3, want('pause')), headAt(4, { ...want('pause'), state: 'succeeded', owner: null }))[0]).toContain('the job succeeded');
    expect(verbProblems(cancel, headAt(3, want('cancel')), headAt(4, { ...want('run'), gen: 1 }))[0]).toContain('gen 1 began unasked');
  });
  it('is caught when training goes on', () => {
    expect(verbProblems(pause, headAt(3, want('pause')), headAt(7, want('pause')))[0]).toContain('4 commits after pause');
    expect(verbProblems({ ...pause, keepsBest: true }, headAt(3, want('pause')), headAt(7, want('pause'))), 'best epochs wait in line').toEqual([]);
    const paused = headAt(4, { ...want('pause'), state: 'paused', owner: null });
    expect(verbProblems(pause, paused, headAt(4, { ...want('pause'), version: 50, fence: 2, attempt: 'b2' }))[0]).toContain('claimed while it was paused');
  });
});

describe('an open job', () => {
  it('is caught without a marker, and without an owner and a ticket', () => {
    expect(markerProblems(headAt(3), true)).toEqual([]);
    expect(markerProblems(headAt(3), false)[0]).toContain('no open marker');
    expect(markerProblems(headAt(3, { state: 'failed', owner: null }), false)).toEqual([]);
    expect(strandedProblems(10_000, 90_000)).toEqual([]);
    expect(strandedProblems(91_000, 90_000)[0]).toContain('for 91 s');
  });
  it('wants somebody unless it is held or over', () => {
    expect(wantsAttention(headAt(3, { owner: null }))).toBe(true);
    expect(wantsAttention(headAt(3, { ...want('pause'), state: 'paused', owner: null }))).toBe(false);
    expect(wantsAttention(headAt(3, { ...want('pause') })), 'its owner has to carry it out').toBe(true);
    expect(wantsAttention(headAt(3, { state: 'succeeded', owner: null }))).toBe(false);
  });
});

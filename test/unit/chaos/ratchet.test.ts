import { describe, expect, it } from 'vitest';
import type { Head } from '../../../lib/contract/records.js';
import { baseProblems, ratchetProblems } from '../../chaos/run/invariants/ratchet.js';
import { commitAt, headAt, manifestName } from './records.js';

const chain = (seq: number): string[] => Array.from({ length: seq }, (_, index) => manifestName(seq - index));
const problems = (last: Head, head: Head, ancestors: string[] | null = chain(head.seq)): string => ratchetProblems(last, head, ancestors).join('; ');

describe('the ratchet', () => {
  it('has nothing against a job that goes on', () => {
    expect(problems(headAt(3), headAt(5))).toBe('');
    expect(problems(headAt(3), headAt(5, { fence: 2, attempt: 'b2', owner: null }))).toBe('');
    expect(problems(headAt(3, { state: 'cancelled', owner: null }), headAt(3, { version: 40, gen: 1, owner: null })), 'a retry').toBe('');
  });
  it('catches a version that fell', () => {
    expect(problems(headAt(3), headAt(3, { version: 30 }))).toContain('version fell');
  });
  it('catches a fence, a seq and a gen that fell', () => {
    expect(problems(headAt(3, { fence: 2 }), headAt(4))).toContain('(gen, fence, seq) fell from 0,2,3 to 0,1,4');
    expect(problems(headAt(3), headAt(2, { version: 40 }))).toContain('(gen, fence, seq) fell');
    expect(problems(headAt(3), headAt(2, { version: 40, fence: 2, attempt: 'b2', owner: null }))).toContain('seq fell');
    expect(problems(headAt(3, { gen: 1 }), headAt(4, { fence: 2, attempt: 'b2', owner: null }))).toContain('fell');
  });
  it('catches a terminal state that changed within a gen', () => {
    expect(problems(headAt(3, { state: 'succeeded', owner: null }), headAt(3, { version: 40, state: 'open', owner: null }))).toContain('succeeded became open within gen 0');
  });
  it('catches two attempts under one fence', () => {
    expect(problems(headAt(3), headAt(4, { attempt: 'b2', owner: null }))).toContain('belongs to two attempts');
  });
  it('catches a commit that does not descend from the last one seen', () => {
    expect(problems(headAt(3), headAt(5), [manifestName(5), manifestName(2), manifestName(1)])).toContain('does not descend');
    expect(problems(headAt(3), headAt(5, { quarantined: [manifestName(3)] }), [manifestName(5), manifestName(2), manifestName(1)]), 'a fall-back says so').toBe('');
    expect(problems(headAt(3), headAt(5), null), 'the store is away').toBe('');
  });
  it('catches event ids that fell', () => {
    const last = headAt(3);
    expect(problems({ ...last, counters: { ...last.counters, events: 5 } }, headAt(4))).toContain('event ids fell');
  });
});

describe('bases of retained commits', () => {
  const spare = headAt(3, { retained: [commitAt(2, { base: 'w0' }), commitAt(3, { base: 'w1' })] });
  it('may be one as long as there is only one', () => {
    expect(baseProblems(headAt(1, { retained: [commitAt(1, { base: 'w0' })] }), headAt(2, { retained: [commitAt(1, { base: 'w0' }), commitAt(2, { base: 'w0' })] }))).toEqual([]);
  });
  it('are two for ever once they were', () => {
    const one = headAt(4, { retained: [commitAt(3, { base: 'w1' }), commitAt(4, { base: 'w1' })] });
    expect(baseProblems(spare, one)[0]).toContain('no retained commit is left');
    expect(baseProblems(spare, { ...one, quarantined: [manifestName(2)] }), 'but for a damaged one').toEqual([]);
    expect(baseProblems(spare, headAt(4, { retained: [commitAt(2, { base: 'w0' }), commitAt(3, { base: 'w1' }), commitAt(4, { base: 'w1' })] }))).toEqual([]);
  });
});

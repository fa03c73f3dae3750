import { describe, expect, it } from 'vitest';
import type { Head } from '../../../lib/contract/records.js';
import { hindranceOf } from '../../chaos/run/invariants/hindrance.js';
import { type Circumstances, wasteBound, wasteProblems } from '../../chaos/run/invariants/waste.js';
import { kindsOf, PARTS, type StoreKind, type StrikeKind } from '../../chaos/run/kinds.js';
import { makeSchedule, type Planned } from '../../chaos/run/schedule.js';
import { noteHead, startSightings, workOf } from '../../chaos/run/sightings.js';
import { headAt } from './records.js';

const EVERY = { every_seconds: null, every_updates: null, every_micro_batches: null, keep_last: 2, keep_best: null };
const calm: Circumstances = { microBatchesPerSecond: 100, accumIters: 5, longestCommitGap: 6 };
const policy = { ...EVERY, every_micro_batches: 3 };
const end = (end_reason: string, wasted_micro_batches: number) => ({ number: 2, end_reason, wasted_micro_batches });

describe('waste', () => {
  it('is none after a notice, a verb or the end', () => {
    for (const reason of ['preempted_notice', 'user', 'completed', 'server_shutdown']) {
      expect(wasteProblems(end(reason, 0), policy, calm)).toEqual([]);
      for (const wasted of [1, 500]) expect(wasteProblems(end(reason, wasted), policy, calm)[0]).toContain(`ended in order (${reason}) and wasted ${wasted} micro-batches`);
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

const strike = (kind: StrikeKind, target: number, from: number, to: number | null, struck = true) => ({ kind, target, struck, from, to });
const work = { worker: 1, from: 20_000, to: 25_000, endReason: 'preempted_notice' };
const ITS_GATE = PARTS.indexOf('worker-1');

describe('what exempts an attempt', () => {
  it('is a freeze of its worker or a spoilt store, while it trained what it did not keep', () => {
    for (const [kind, target] of [['worker-freeze', 1], ['supervisor-freeze', 1], ['trainer-freeze', 1], ['worker-cut-off', 1], ['store-outage', 0], ['store-slow', ITS_GATE], ['store-late', PARTS.length]] as const) {
      expect(hindranceOf([strike(kind, target, 21_000, 22_000)], work)).toBe(kind);
      expect(hindranceOf([strike(kind, target, 24_000, null)], work), 'it lasts').toBe(kind);
      expect(hindranceOf([strike(kind, target, 21_000, 22_000, false)], work), 'it missed').toBeNull();
      expect(hindranceOf([strike(kind, target, 1_000, 18_900)], work), 'it was over').toBeNull();
      expect(hindranceOf([strike(kind, target, 25_001, 40_000)], work), 'it came later').toBeNull();
    }
  });
  it('is not what befell others', () => {
    for (const [kind, target] of [['worker-freeze', 0], ['worker-cut-off', 2], ['controller-freeze', 0], ['store-slow', PARTS.indexOf('worker-0')], ['store-late', PARTS.indexOf('api')]] as const) expect(hindranceOf([strike(kind, target, 20_000, 25_000)], work)).toBeNull();
    expect(hindranceOf([strike('worker-freeze', 0, 20_000, 25_000)], { ...work, worker: null }), 'unless nobody knows whose it was').toBe('worker-freeze');
  });
  it('is not what ends attempts, nor anything of Redis', () => {
    for (const kind of ['worker-kill', 'worker-term', 'trainer-kill', 'trainer-term', 'notice', 'notice-kill', 'drain', 'pause', 'cancel', 'redis-freeze', 'redis-stall'] as const) expect(hindranceOf([strike(kind, 1, 21_000, 22_000)], work)).toBeNull();
    expect(hindranceOf([strike('trainer-kill', 1, 21_000, 21_001)], { ...work, endReason: 'server_shutdown' }), 'but for a trainer that was to save').toBe('trainer-kill');
  });
  it('is not a jump of any clock, whatever else there was before or after', () => {
    const jumps = PARTS.map((_, target) => strike('clock-jump', target, 20_000, 25_000));
    expect(hindranceOf(jumps, work)).toBeNull();
    expect(hindranceOf([...jumps, strike('worker-freeze', 1, 1_000, 10_000), strike('store-outage', 0, 40_000, 45_000)], work)).toBeNull();
  });
});

describe('an attempt as the run sees it', () => {
  const owned = (number: number, seq: number): Head => ({ ...headAt(seq), counters: { ...headAt(seq).counters, attempts: number } });
  const seen = startSightings(1_000);
  const before = { ...headAt(0, { owner: null }) };
  noteHead(seen, null, before, 1_100, 1_110);
  noteHead(seen, before, owned(1, 0), 2_000, 2_010);
  noteHead(seen, owned(1, 0), owned(1, 2), 3_000, 3_010);
  noteHead(seen, owned(1, 2), owned(1, 3), 4_000, 4_010);
  noteHead(seen, owned(1, 3), owned(1, 4), 5_000, 5_010);
  seen.lookedAt = 5_800;
  noteHead(seen, owned(1, 4), { ...owned(1, 5), owner: null }, 6_000, 6_010);
  noteHead(seen, { ...owned(1, 5), owner: null }, owned(3, 5), 7_000, 7_010);

  it('lasts from the last look without it to the first look after it, by no clock but the run’s', () => {
    expect(seen.attempts.get(1)).toEqual({ from: 1_100, to: 6_010 });
    expect(seen.attempts.get(2), 'one between two looks').toEqual({ from: 6_000, to: 7_010 });
    expect(seen.attempts.get(3)).toEqual({ from: 6_000, to: null });
  });
  it('has put at risk what was trained since its last commit but two, and as long as its worker lived', () => {
    expect(workOf(seen, 1, [], Infinity)).toEqual({ from: 1_100, to: 6_010 });
    expect(workOf(seen, 1, [5, 1, 2, 3, 4], Infinity)).toEqual({ from: 3_000, to: 6_010 });
    expect(workOf(seen, 1, [1, 2, 3, 4, 5], 4_500)).toEqual({ from: 3_000, to: 4_500 });
    expect(workOf(seen, 3, [], Infinity), 'its end was not seen').toBeNull();
    expect(workOf(seen, 4, [], Infinity)).toBeNull();
  });
});

/** Of attempts that the kills, notices and verbs of a plan end, each with some seconds at risk: those that nothing exempts. */
function shareJudged(planned: readonly Planned[]): number {
  const strikes = planned.map((plan) => ({ ...plan, struck: true, from: plan.atMs, to: plan.atMs + plan.lastsMs }));
  const ends = strikes.filter(({ kind }) => ['worker-term', 'worker-kill', 'trainer-kill', 'drain', 'notice', 'notice-kill', 'pause', 'cancel'].includes(kind));
  return ends.filter(({ target, from }) => hindranceOf(strikes, { worker: target % 3, from: from - 6_000, to: from + 1_000, endReason: '' }) === null).length / ends.length;
}

it.each<[StoreKind, number]>([['file', 0.7], ['s3', 0.25]])('of half an hour on a store of kind %s many attempts are judged, even if every strike meets somebody', (store, least) => {
  for (let seed = 1; seed <= 4; seed++) expect(shareJudged(makeSchedule({ seed, durationMs: 1_800_000, everyMs: 2_000, kinds: kindsOf(store) })), `seed ${seed}`).toBeGreaterThan(least);
});

import { expect, it } from 'vitest';
import { firstPlace, withMore } from '../../../lib/jobs/newest-first.js';
import { makeXorshift } from '../../support/xorshift.js';

it('merges whatever is new into what is there, which stays as it was', () => {
  const random = makeXorshift(7);
  const draw = (count: number): string[] => Array.from({ length: count }, () => `job_${Math.floor(random() * 1e12).toString(36).padStart(9, '0')}`);
  const sorted = (ids: readonly string[]): string[] => [...new Set(ids)].sort().reverse();
  for (let round = 0; round < 300; round++) {
    const all = sorted(draw(round % 40));
    const there = sorted(all.filter(() => random() < 0.6));
    const kept = [...there];
    const more = all.filter((id) => !there.includes(id)).sort(() => random() - 0.5);
    expect(withMore(there, more)).toEqual(all);
    expect(there).toEqual(kept);
  }
});

it('finds the first place from which on something holds', () => {
  const ids = ['d', 'c', 'b', 'a'];
  expect(['e', 'd', 'c', 'bb', 'a', ''].map((id) => firstPlace(ids, (one) => one < id))).toEqual([0, 1, 2, 2, 4, 4]);
  expect(firstPlace([], () => true)).toBe(0);
});

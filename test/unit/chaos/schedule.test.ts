import { describe, expect, it } from 'vitest';
import { parseArguments, UsageError } from '../../chaos/run/arguments.js';
import { KINDS, kindsOf, SLOTS, targetsOf } from '../../chaos/run/kinds.js';
import { quantile } from '../../chaos/run/report.js';
import { makeSchedule, recipeAt, recipesOf } from '../../chaos/run/schedule.js';

const options = { seed: 7, durationMs: 300_000, everyMs: 2_000, kinds: kindsOf('s3') };

describe('the schedule', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(makeSchedule(options)).toEqual(makeSchedule(options));
    expect(makeSchedule(options)).not.toEqual(makeSchedule({ ...options, seed: 8 }));
  });
  it('of a longer run begins as that of a shorter one', () => {
    const short = makeSchedule({ ...options, durationMs: 60_000 });
    expect(makeSchedule(options).slice(0, short.length)).toEqual(short);
  });
  it('deals every kind before it deals the deck again, at targets that are there and for as long as the kind lasts', () => {
    const planned = makeSchedule(options);
    const cards = options.kinds.reduce((sum, kind) => sum + KINDS[kind].cards, 0);
    expect(planned.length).toBeGreaterThan(cards);
    expect(new Set(planned.slice(0, cards).map(({ kind }) => kind))).toEqual(new Set(options.kinds));
    for (const { kind, target, atMs, lastsMs } of planned) {
      const { aim, lasts: [from, to] } = KINDS[kind];
      expect(target).toBeLessThan(targetsOf(aim));
      expect(lastsMs).toBeGreaterThanOrEqual(from);
      expect(lastsMs).toBeLessThanOrEqual(to);
      expect(atMs).toBeLessThan(options.durationMs);
    }
    expect(planned.length).toBeGreaterThan(120);
    expect(planned.length).toBeLessThan(180);
  });
  it('leaves out what a folder cannot suffer', () => {
    expect(kindsOf('file').filter((kind) => kind.startsWith('store'))).toEqual([]);
    expect(kindsOf('s3')).toEqual(expect.arrayContaining(['store-damage', 'worker-kill']));
  });
  it('chooses recipes by the seed, another one for each slot to begin with', () => {
    const all = ['a', 'b', 'c', 'd', 'e', 'f'];
    expect(recipesOf(3, all, 4)).toEqual(recipesOf(3, all, 4));
    expect(new Set(recipesOf(3, all, 99))).toEqual(new Set(all));
    const first = Array.from({ length: SLOTS }, (_, slot) => recipeAt(3, slot, 0, all.length));
    expect(new Set(first).size).toBe(SLOTS);
    expect(recipeAt(3, 1, 5, 6)).toBe(recipeAt(3, 1, 5, 6));
  });
});

describe('the command line', () => {
  it('is read', () => {
    expect(parseArguments([])).toMatchObject({ seed: null, minutes: 2, store: 'file', everyMs: 2_000, json: false });
    expect(parseArguments(['--seed', '3', '--minutes', '0.5', '--store', 's3', '--kinds', 'worker-kill,store-damage', '--json'])).toMatchObject({ seed: 3, minutes: 0.5, store: 's3', kinds: ['worker-kill', 'store-damage'], recipes: 3, json: true });
    expect(parseArguments(['--help'])).toBe('help');
  });
  it('is refused by what is wrong with it', () => {
    for (const wrong of [['--seed', 'x'], ['--seed', '-1'], ['--minutes', '0'], ['--store', 'ftp'], ['--kinds', 'store-damage'], ['--kinds', 'earthquake'], ['--nonsense']]) expect(() => parseArguments(wrong)).toThrow(UsageError);
  });
});

describe('figures', () => {
  it('have quantiles', () => {
    expect(quantile([], 0.5)).toBeNull();
    expect(quantile([5, 1, 3], 0.5)).toBe(3);
    expect(quantile([5, 1, 3], 0.95)).toBe(5);
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2);
  });
});

// A sweep drawn with characters: as wide as it may be, and with colours only where they are wanted.
import { describe, expect, it } from 'vitest';
import { importanceBars, sweepPlots } from '../../../api/cli/sweep-plots.js';
import { ASHA, factsAfter, manyTrials, MIXED, notBegun } from '../sweeps/report/facts.js';

const PLAIN = { columns: 80, colour: false };
const drawn = ({ whole, importance }: ReturnType<typeof factsAfter>, canvas = PLAIN): string[] => sweepPlots(whole, importance, canvas);
const widest = (parts: readonly string[]): number => Math.max(...parts.join('\n').split('\n').map((line) => [...line].length));

describe('a sweep on a terminal', () => {
  it('has the best so far, the rungs and the importances', () => {
    const facts = factsAfter(ASHA);
    const [chart, rungs, bars] = drawn(facts);
    expect(chart).toMatch(/^best val_loss so far, by trial\n/);
    const best = facts.whole.sweep.best!.value.toPrecision(3);
    expect(chart!.split('\n').filter((line) => line.includes('┤')).at(-1)).toContain(best);
    expect(chart).toMatch(/39$/);
    const { rungs: figures, counts } = facts.whole.sweep;
    const rows = rungs!.split('\n').map((line) => line.split(/ {2,}/));
    expect(rows[0]).toEqual(['BRACKET', 'UPDATES', 'TRIALS', 'PROMOTED', 'PRUNED', 'WAITING', 'ENDED', 'BEST']);
    expect(rows.slice(1).map((row) => row.slice(0, 3))).toEqual(figures.map(({ bracket, resource, trials }) => [String(bracket), String(resource), String(trials)]));
    for (const [, , all, ...rest] of rows.slice(1)) expect(rest.slice(0, 4).reduce((sum, each) => sum + Number(each), 0)).toBe(Number(all));
    expect(rows.slice(1).reduce((sum, row) => sum + Number(row[6]), 0)).toBe(counts.succeeded);
    expect(bars).toMatch(/^importance, of \d+ trials that ran to their end\n\S+ +[█░]{30} +\d+%\n/);
  });

  it('is as wide as the terminal, or less', () => {
    const facts = factsAfter({ ...MIXED, parameters: { ...MIXED.parameters, [`a.${'very_'.repeat(20)}long_name`]: { min: 0.1, max: 0.9 } } });
    for (const columns of [40, 80, 200]) expect([columns, widest(drawn(facts, { columns, colour: false })) <= Math.max(columns, 49)]).toEqual([columns, true]);
    expect(widest(drawn(factsAfter(MIXED), { columns: 200, colour: false }))).toBeGreaterThan(70);
    expect(widest(drawn(manyTrials(ASHA, 10_000)))).toBeLessThanOrEqual(80);
  });

  it('has colour codes only where there are colours, and none in what they colour', () => {
    const facts = factsAfter(ASHA);
    const coloured = drawn(facts, { columns: 80, colour: true });
    expect(coloured.join('\n')).toContain('\u001b[36m');
    expect(drawn(facts).join('\n')).not.toContain('\u001b');
    // the same but for the colours
    expect(coloured.join('\n').replaceAll(/\u001b\[\d+m/g, '')).toBe(drawn(facts).join('\n'));
  });

  it('is nothing where there is nothing to draw', () => {
    expect(drawn(notBegun(MIXED))).toEqual([]);
    expect(drawn(factsAfter(MIXED, { fails: () => true }))).toEqual([]);
    expect(drawn(factsAfter({ ...MIXED, run_cap: 1 }))).toEqual([]);
    const { metric: _, ...without } = MIXED;
    expect(drawn(factsAfter(without, { value: () => null }))).toEqual([]);
  });

  it('leaves out what ran away, and is not steered by names', () => {
    const [chart] = drawn(factsAfter({ ...MIXED, metric: { name: 'a\u001b[2Jb' } }, { value: (params, step) => ((params['lr'] as number) < 2e-3 ? 1e20 : 1 / step + (params['lr'] as number)) }));
    expect(chart).toMatch(/^best a\?\[2Jb so far/);
    expect(chart).not.toMatch(/e\+?20/);
  });

  it('shows the most important of many parameters', () => {
    const parameters = Array.from({ length: 11 }, (_, n) => ({ name: `p${n}`, share: n === 0 ? 0.9 : 0.01 }));
    const bars = importanceBars({ object: 'importance', trials: 5, parameters }, PLAIN)!;
    expect(bars.split('\n')).toHaveLength(10);
    expect(bars).toMatch(/\np0 █{27}░{3} {2}90%\n.*\n3 more$/s);
    expect(importanceBars({ object: 'importance', trials: 0, parameters: parameters.map((each) => ({ ...each, share: 0 })) }, PLAIN)).toBeNull();
  });
});

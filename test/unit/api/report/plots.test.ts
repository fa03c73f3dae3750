// The plots as the plotting library draws them: rendered to SVG, in which each mark says that it is one.
import * as echarts from 'echarts';
import { describe, expect, it } from 'vitest';
import { plotsOf } from '../../../../api/report/plots/index.js';
import type { Plot } from '../../../../api/report/plots/plot.js';
import { sweepReport, type SweepFacts } from '../../../../lib/sweeps/report/report.js';
import { ASHA, factsAfter, lossOf, manyTrials, MIXED, notBegun, NOW } from '../../sweeps/report/facts.js';

function svgOf({ option, heightPx }: Plot): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 1_000, height: heightPx });
  try {
    // as the page gets it
    chart.setOption({ animation: false, ...(JSON.parse(JSON.stringify(option)) as object) });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}
const marksIn = (svg: string): number => svg.split('ecmeta_ssr_type="chart"').length - 1;
const textsIn = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);

/** Each plot by its id, drawn. */
function drawn(facts: SweepFacts): Record<string, { plot: Plot; svg: string; marks: number; notes: string }> {
  const { whole, slices } = plotsOf(sweepReport(facts, NOW));
  return Object.fromEntries([...whole, ...slices].map((plot) => {
    const svg = svgOf(plot);
    return [plot.id, { plot, svg, marks: marksIn(svg), notes: plot.notes.join(' ') }];
  }));
}
const marksOf = (plots: ReturnType<typeof drawn>): Record<string, number> => Object.fromEntries(Object.entries(plots).map(([id, { marks }]) => [id, marks]));

describe('the plots of a sweep', () => {
  it('have a mark for each trial that has a value, and axes with names', () => {
    const plots = drawn(factsAfter(MIXED, { fails: (trial) => trial === 3 }));
    const having = 39;
    const sgd = factsAfter(MIXED).whole.trials.filter(({ params, number }) => params['type'] === 'sgd' && number !== 3).length;
    expect(marksOf(plots)).toEqual({ history: having, parallel: having, importance: 5, timeline: 40, 'slice-0': having, 'slice-1': having, 'slice-2': having, 'slice-3': sgd });
    expect(textsIn(plots['history']!.svg)).toEqual(expect.arrayContaining(['trial', 'val_loss', 'succeeded', 'best so far']));
    expect(textsIn(plots['parallel']!.svg)).toEqual(expect.arrayContaining(['lr', 'width', 'adam', 'momentum', 'val_loss']));
    expect(textsIn(plots['slice-0']!.svg)).toEqual(expect.arrayContaining(['lr (log)', '0.001']));
    expect(textsIn(plots['importance']!.svg)).toEqual(expect.arrayContaining(['share of all importances, %', 'lr']));
    expect(textsIn(plots['timeline']!.svg)).toEqual(expect.arrayContaining(['seconds since the first trial began', 'failed']));
    expect(plots['history']!.notes).toContain('1 trial without a value is not drawn.');
    expect(plots['slice-3']!.notes).toBe(`${having - sgd} trials that do not have it are left out.`);
    expect(plots['parallel']!.notes).toContain('goes past the axes of parameters that it does not have');
  });

  it('have rungs and curves where trials are stopped early', () => {
    const facts = factsAfter(ASHA);
    const plots = drawn(facts);
    const { figures, curves } = sweepReport(facts, NOW).rungs;
    const outcomes = figures.filter(({ wentOn }) => wentOn > 0).length + figures.filter(({ pruned }) => pruned > 0).length + figures.filter(({ finished }) => finished > 0).length;
    expect(outcomes).toBeGreaterThan(5);
    // a bar of no trials has no height, and is a mark all the same
    expect(plots['rungs']!.marks).toBe(3 * figures.length);
    expect(plots['curves']!.marks).toBe(curves.reduce((sum, { points }) => sum + points.length, 0));
    expect(textsIn(plots['rungs']!.svg)).toEqual(expect.arrayContaining(['updates', 'trials', 'went on', 'pruned', '27']));
    expect(textsIn(plots['curves']!.svg)).toEqual(expect.arrayContaining(['1', '3', '9', '27', 'val_loss']));
  });

  it('name choices, however long their names are', () => {
    const long = ['a_very_long_name_of_a_choice_1', 'a_very_long_name_of_a_choice_2'];
    const texts = textsIn(drawn(factsAfter({ ...MIXED, parameters: { ...MIXED.parameters, type: { values: long }, momentum: { min: 0.1, max: 0.9 } } }))['slice-2']!.svg);
    expect(texts.filter((text) => /^a_very_lo.*\.\.\.$/.test(text))).toHaveLength(2);
  });

  it('tell brackets apart', () => {
    const plots = drawn(factsAfter({ ...ASHA, early_terminate: { ...ASHA.early_terminate, brackets: 2 } }));
    expect(textsIn(plots['rungs']!.svg)).toEqual(expect.arrayContaining(['bracket 0: 1', 'bracket 1: 3']));
  });

  it('are drawn of one trial', () => {
    expect(marksOf(drawn(factsAfter({ ...MIXED, run_cap: 1 })))).toEqual({ history: 1, parallel: 1, timeline: 1, 'slice-0': 1, 'slice-1': 1, 'slice-2': 1 });
  });

  it('are thinned out of 10,000 trials, and say so', () => {
    const plots = drawn(manyTrials(ASHA, 10_000));
    expect(marksOf(plots)).toMatchObject({ history: 2_000, parallel: 500, timeline: 1_000, 'slice-0': 2_000 });
    expect(plots['history']!.notes).toContain('2,000 of 10,000 values are drawn: the best quarter of them, and of the others every so-manieth.');
    expect(plots['parallel']!.notes).toContain('500 of 10,000 trials are drawn');
    expect(plots['curves']!.notes).toContain('500 of 10,000 curves are drawn: evenly chosen.');
    expect(plots['timeline']!.notes).toContain('1,000 of 10,000 trials are drawn: evenly chosen.');
  });

  it('are none of a sweep that has not begun, and only a timeline without values', () => {
    expect(drawn(notBegun(MIXED))).toEqual({});
    const { metric: _, ...without } = MIXED;
    expect(marksOf(drawn(factsAfter(without, { value: () => null })))).toEqual({ timeline: 40 });
    const failed = drawn(factsAfter(MIXED, { fails: () => true }));
    expect([marksOf(failed), textsIn(failed['timeline']!.svg)]).toEqual([{ timeline: 40 }, expect.arrayContaining(['failed'])]);
  });

  it('say what is out of all proportion, whichever way is better', () => {
    const wild = (sign: number) => ({ value: (params: Readonly<Record<string, unknown>>, step: number) => sign * ((params['lr'] as number) > 0.08 ? 1e20 : lossOf(params, step)) });
    expect(drawn(factsAfter(MIXED, wild(1)))['history']!.notes).toMatch(/\d+ values above [\d.]+ are left out: far worse than the others\./);
    const maximized = drawn(factsAfter({ ...MIXED, metric: { name: 'acc', goal: 'maximize' } }, wild(-1)))['history']!;
    expect(maximized.notes).toMatch(/\d+ values below -[\d.]+ are left out/);
    expect(textsIn(maximized.svg).join(' ')).not.toMatch(/,000,000/);
  });

  it('colour the best the same, whichever way is better', () => {
    // the last line, which lies on top
    const best = (facts: SweepFacts): string => / stroke="([^"]+)"/.exec(drawn(facts)['parallel']!.svg.split('<polyline').at(-1)!)![1]!;
    const minimized = factsAfter(MIXED);
    const maximized = factsAfter({ ...MIXED, metric: { name: 'acc', goal: 'maximize' } }, { value: (params, step) => -lossOf(params, step) });
    expect([best(minimized), best(maximized)]).toEqual(['rgb(214,69,123)', 'rgb(214,69,123)']);
  });
});

// What a report shows of a sweep, counted and computed by hand or by another way than the code's.
import { describe, expect, it } from 'vitest';
import type { Trial } from '../../../../lib/contract/sweep-views.js';
import { axesOf, labelOf, placeOn } from '../../../../lib/sweeps/report/axes.js';
import { sweepReport } from '../../../../lib/sweeps/report/report.js';
import { curvesOf, rungFigures } from '../../../../lib/sweeps/report/rungs.js';
import { bestSoFar, type Scored, spread, thinned } from '../../../../lib/sweeps/report/scored.js';
import { timelineOf } from '../../../../lib/sweeps/report/timeline.js';
import { valueWindow } from '../../../../lib/sweeps/report/value-window.js';
import { rulesOf } from '../world.js';
import { ASHA, factsAfter, manyTrials, MIXED, notBegun, NOW } from './facts.js';

const scored = (values: readonly number[], status: Scored['status'] = 'succeeded'): Scored[] => values.map((value, number) => ({ number, value, status, params: {} }));

describe('the best so far', () => {
  it('is each trial that was better than all before it, whichever way is better', () => {
    const values = scored([5, 7, 3, 3, 8, 1]);
    expect(bestSoFar(values, 'minimize').map(({ number }) => number)).toEqual([0, 2, 5]);
    expect(bestSoFar(values, 'maximize').map(({ number }) => number)).toEqual([0, 1, 4]);
    expect(bestSoFar([], 'minimize')).toEqual([]);
  });

  it('leaves out values of trials that were pruned, unless no trial ran to its end', () => {
    const mixed = [...scored([1], 'pruned'), { ...scored([4])[0]!, number: 1 }];
    expect(bestSoFar(mixed, 'minimize').map(({ number }) => number)).toEqual([1]);
    expect(bestSoFar(scored([4, 1], 'pruned'), 'minimize').map(({ number }) => number)).toEqual([0, 1]);
  });
});

describe('too many trials', () => {
  it('become as many as may be, the best among them, in their order', () => {
    const all = scored(Array.from({ length: 1_000 }, (_, number) => (number * 617) % 1_000));
    const few = thinned(all, 100, 'minimize');
    expect([few.length, new Set(few.map(({ number }) => number)).size]).toEqual([100, 100]);
    expect(few.map(({ number }) => number)).toEqual(few.map(({ number }) => number).sort((a, b) => a - b));
    const values = new Set(few.map(({ value }) => value));
    for (let value = 0; value < 25; value++) expect([value, values.has(value)]).toEqual([value, true]);
    // of the others, from everywhere
    expect([few.some(({ number }) => number < 20), few.some(({ number }) => number > 980)]).toEqual([true, true]);
    expect(thinned(all, 1_000, 'minimize')).toEqual(all);
    expect(thinned(all, 4, 'maximize').some(({ value }) => value === 999)).toBe(true);
  });

  it('are spread with both ends', () => {
    expect(spread([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4)).toEqual([0, 3, 6, 9]);
    expect([spread([1, 2], 5), spread([1, 2, 3], 1)]).toEqual([[1, 2], [1]]);
  });
});

describe('the window of values', () => {
  it('is all of them, but for those that are out of all proportion', () => {
    expect(valueWindow([], 'minimize')).toBeNull();
    expect(valueWindow([3, 1, 2], 'minimize')).toEqual({ low: 1, high: 3, beyond: 0 });
    expect(valueWindow([1, 2, 3, 2, 1e30], 'minimize')).toEqual({ low: 1, high: 3, beyond: 1 });
    expect(valueWindow([1, 2, 3, 2, -1e30], 'maximize')).toEqual({ low: 1, high: 3, beyond: 1 });
    // where more is better, a large value is no reason to look away
    expect(valueWindow([1, 2, 3, 2, 1e30], 'maximize')).toMatchObject({ high: 1e30, beyond: 0 });
    expect(valueWindow([2, 2, 2, 2, 5], 'minimize')).toEqual({ low: 2, high: 5, beyond: 0 });
  });
});

describe('axes', () => {
  const parameters = {
    ...MIXED.parameters,
    size: { distribution: 'log_normal', mu: 0, sigma: 1 },
    shift: { distribution: 'normal', mu: 0, sigma: 1 },
    group: { parameters: { inner: { distribution: 'q_log_uniform_values', min: 1, max: 100, q: 1 } } },
    shape: { values: [[8, 8], [8, 16]] },
  };
  const { spec, space } = rulesOf({ execution: 'external', ...MIXED, parameters });

  it('are logarithmic where the space is, as long as it is, and have none for constants', () => {
    const axes = axesOf(spec, space, [{ size: 0.5, shift: -3 }, { size: 8, shift: 2 }]);
    expect(axes.map((axis) => [axis.name, axis.kind === 'number' ? [axis.log, axis.low, axis.high] : axis.choices])).toEqual([
      ['lr', [true, 1e-4, 1e-1]],
      ['width', ['8', '16', '32']],
      ['type', ['sgd', 'adam']],
      ['momentum', [false, 0.1, 0.9]],
      ['size', [true, 0.5, 8]],
      ['shift', [false, -3, 2]],
      ['group.inner', [true, 1, 100]],
      ['shape', ['[8,8]', '[8,16]']],
    ]);
  });

  it('have a place for a trial that has the parameter, and none for one that does not', () => {
    const axes = axesOf(spec, space, []);
    const places = (params: Record<string, unknown>) => axes.map((axis) => placeOn(axis, params));
    expect(places({ lr: 0.01, width: 32, type: 'sgd', momentum: 0.5, shape: [8, 16] })).toEqual([0.01, 2, 0, 0.5, null, null, null, 1]);
  });

  it('show of very many choices those that trials had, and of long ones the beginning', () => {
    const many = rulesOf({ execution: 'external', ...MIXED, parameters: { n: { values: Array.from({ length: 500 }, (_, n) => n) } } });
    const [axis] = axesOf(many.spec, many.space, [{ n: 7 }, { n: 499 }]);
    expect(axis).toMatchObject({ choices: ['7', '499'] });
    expect([placeOn(axis!, { n: 499 }), placeOn(axis!, { n: 8 })]).toEqual([1, null]);
    expect(labelOf('x'.repeat(100))).toBe(`${'x'.repeat(31)}…`);
  });
});

describe('rungs', () => {
  it('count what became of each trial that came there', () => {
    const { whole } = factsAfter(ASHA, { fails: (trial) => trial === 3 });
    const figures = rungFigures(whole.trials, whole.sweep.spec, 'minimize');
    expect(figures.map(({ step }) => step)).toEqual([1, 3, 9, 27]);
    expect(figures.map(({ trials }) => trials)).toEqual(whole.sweep.rungs.map(({ trials }) => trials));
    expect(figures.map(({ best }) => best)).toEqual(whole.sweep.rungs.map(({ best }) => best));
    for (const { trials, wentOn, waiting, pruned, finished, lost } of figures) expect(wentOn + waiting + pruned + finished + lost).toBe(trials);
    // who went on from a rung came to the next one
    expect(figures.slice(0, -1).map(({ wentOn }) => wentOn)).toEqual(figures.slice(1).map(({ trials }) => trials));
    expect(figures.reduce((sum, { pruned }) => sum + pruned, 0)).toBe(whole.sweep.counts.pruned);
    expect(figures.at(-1)).toMatchObject({ finished: whole.sweep.counts.succeeded });
    expect(curvesOf(whole.trials, whole.sweep.spec.early_terminate)).toHaveLength(39);
  });

  it('know who waits, who was lost, and who goes on', () => {
    const trial = (status: Trial['status'], steps: number[], onwards: number): Trial => ({ id: 'x', object: 'trial', number: 0, params: {}, status, bracket: 0, fork: null, step: null, up_to: null, client: null, value: 0.5, values: steps.map((step) => ({ step, value: step === 3 ? null : 0.5 })), job_id: null, started_at: NOW.toISOString(), ended_at: null, why: Array.from({ length: onwards }, () => ({ event: 1, decision: 'go_on' })) });
    const spec = { ...rulesOf({ execution: 'external', ...ASHA }).spec, execution: 'external' as const };
    const rule = spec.early_terminate;
    const [first, second] = rungFigures([trial('paused', [1], 0), trial('running', [1], 1), trial('cancelled', [1, 3], 1), trial('pruned', [1, 3], 1)], spec, 'maximize');
    expect(first).toEqual({ bracket: 0, step: 1, trials: 4, wentOn: 3, waiting: 1, pruned: 0, finished: 0, lost: 0, best: 0.5 });
    expect(second).toMatchObject({ trials: 2, wentOn: 0, pruned: 1, lost: 1, best: null });
    // what is no number has no point
    expect(curvesOf([trial('pruned', [1, 3], 1)], rule)[0]!.points).toEqual([[1, 0.5]]);
    // programs tell more than the rungs, and need not tell at each
    const told = rungFigures([trial('running', [1, 2, 4, 5], 2), trial('paused', [1, 2, 4], 1), trial('paused', [2], 0), trial('running', [1, 2], 1)], spec, 'maximize');
    expect(told.map(({ step, trials, wentOn, waiting }) => [step, trials, wentOn, waiting])).toEqual([[1, 4, 3, 1], [3, 2, 1, 1]]);
    expect(rungFigures([trial('running', [1, 2, 3], 0)], { ...spec, early_terminate: { type: 'none' } }, 'maximize')).toEqual([]);
  });
});

describe('the timeline', () => {
  const at = (seconds: number) => new Date(Date.parse('2026-01-01T00:00:00.000Z') + 1_000 * seconds).toISOString();
  const trial = (number: number, status: Trial['status'], started: number, ended: number | null): Trial => ({ id: 'x', object: 'trial', number, params: {}, status, bracket: 0, fork: null, step: null, up_to: null, client: null, value: null, values: [], job_id: null, started_at: at(started), ended_at: ended === null ? null : at(ended), why: [] });

  it('goes from beginnings to ends, and until now for those that are not over', () => {
    expect(timelineOf([trial(0, 'succeeded', 10, 25), trial(1, 'running', 12, null), trial(2, 'failed', 13, null)], new Date(at(70)))).toEqual([
      { trial: 0, status: 'succeeded', fromSeconds: 0, toSeconds: 15 },
      { trial: 1, status: 'running', fromSeconds: 2, toSeconds: 60 },
    ]);
    expect(timelineOf([], NOW)).toEqual([]);
  });

  it('has the times of the log', () => {
    const { whole } = factsAfter({ ...MIXED, run_cap: 2 });
    // entries are a second apart: both begin with the first, and end with one each
    expect(timelineOf(whole.trials, NOW).map(({ fromSeconds, toSeconds }) => [fromSeconds, toSeconds]).sort()).toEqual([[0, 1], [0, 2]]);
  });
});

describe('a report', () => {
  it('has a point for each value, on every axis that a trial has', () => {
    const { history, slices, parallel, table, window } = sweepReport(factsAfter(MIXED, { fails: (trial) => trial === 3 }), NOW);
    expect(history).toMatchObject({ share: { shown: 39, of: 39 }, without: 1, lastTrial: 39 });
    expect(window).toMatchObject({ beyond: 0 });
    expect(slices.map(({ axis, points, without }) => [axis.name, points.length + without])).toEqual([['lr', 39], ['width', 39], ['type', 39], ['momentum', 39]]);
    const sgd = slices[2]!.points.filter(({ place }) => place === 0);
    expect(slices[3]!.points.map(({ trial }) => trial.number)).toEqual(sgd.map(({ trial }) => trial.number));
    expect(parallel!.lines.map(({ trial }) => trial.value)).toEqual(history.points.map(({ value }) => value).sort((a, b) => b - a));
    expect([table.rows.length, table.rows[0]!.value, table.rows.at(-1)!.number]).toEqual([40, parallel!.lines.at(-1)!.trial.value, 3]);
  });

  it('says of 10,000 trials how many it shows', () => {
    const { history, parallel, rungs, timeline, table } = sweepReport(manyTrials(ASHA, 10_000), NOW);
    expect([history.share, parallel!.share, rungs.curvesShare, timeline.share, table.share]).toEqual([2_000, 500, 500, 1_000, 1_000].map((shown) => ({ shown, of: 10_000 })));
    expect([history.points.length, parallel!.lines.length, rungs.curves.length, timeline.stays.length, table.rows.length]).toEqual([2_000, 500, 500, 1_000, 1_000]);
    // the figures of rungs are of all
    expect(rungs.figures[0]!.trials).toBe(10_000);
  });

  it('draws the most important of very many parameters', () => {
    const parameters = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`p${n}`, { min: 0.1, max: 0.9 }]));
    const { slices, slicesShare, importance } = sweepReport(factsAfter({ ...MIXED, parameters }, { value: (params) => params['p17'] as number }), NOW);
    expect([slices.length, slicesShare]).toEqual([12, { shown: 12, of: 20 }]);
    expect([slices[0]!.axis.name, importance.parameters[0]!.name]).toEqual(['p17', 'p17']);
  });

  it('is one of a sweep that nobody has begun, that has no metric, or whose trials all failed', () => {
    expect(sweepReport(notBegun(MIXED), NOW)).toMatchObject({ window: null, parallel: null, slices: [], history: { points: [], best: [] }, timeline: { stays: [] }, table: { rows: [] } });
    const { metric: _, ...without } = MIXED;
    expect(sweepReport(factsAfter(without, { value: () => null }), NOW)).toMatchObject({ metric: 'value', goal: 'minimize', window: null, parallel: null, history: { without: 40 } });
    expect(sweepReport(factsAfter(MIXED, { fails: () => true }), NOW)).toMatchObject({ window: null, history: { without: 40 }, table: { share: { shown: 40, of: 40 } } });
  });

  it('leaves what ran away out of the plots, and counts it', () => {
    const { history, slices, parallel, window } = sweepReport(factsAfter(MIXED, { value: (params, step) => ((params['lr'] as number) > 0.05 ? 1e20 : 1 / step + (Math.floor((params['lr'] as number) * 1e6) % 5)) }), NOW);
    expect(window!.beyond).toBeGreaterThan(0);
    expect(history.points).toHaveLength(40 - window!.beyond);
    expect([slices[0]!.points.length, parallel!.lines.length]).toEqual([history.points.length, history.points.length]);
    expect(Math.max(...history.points.map(({ value }) => value))).toBeLessThan(10);
  });
});

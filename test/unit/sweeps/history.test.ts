// What samplers are told of trials that have no value of their own.
import { describe, expect, test } from 'vitest';
import type { MetricSpec } from '../../../lib/contract/sweep.js';
import { historyOf } from '../../../lib/sweeps/history.js';
import { splitTrials } from '../../../lib/sweeps/samplers/past-trials.js';
import type { TrialState } from '../../../lib/sweeps/state.js';
import { runSweep } from './world.js';

/** Of a model that begins to learn at once. */
const sampler = { n_startup_trials: 0 };
const METRIC: MetricSpec = { name: 'loss', goal: 'minimize', target: null, impute: 'worst', impute_while_running: false };
const trial = (status: TrialState['status'], value: number | null, ...values: (number | null)[]): TrialState => ({
  number: 0, params: {}, started_at: '', bracket: 0, fork: null, ended_at: null, upTo: null, why: [], status, value, values: values.map((each, index) => ({ step: index + 1, value: each })),
});
const seen = (metric: Partial<MetricSpec>, ...trials: TrialState[]) => historyOf({ metric: { ...METRIC, ...metric }, early_terminate: { type: 'none' }, sampler }, 1, trials.map((each, number) => ({ ...each, number })), null);
const values = (metric: Partial<MetricSpec>, ...trials: TrialState[]) => seen(metric, ...trials).trials.map(({ state, value }) => `${state} ${value}`);

describe('a trial that is over without a value', () => {
  const over = [trial('failed', null, 5, 2, 3), trial('cancelled', null, 4), trial('pruned', null, 7, null), trial('succeeded', null, 6, 8), trial('failed', null)];

  test.each<[MetricSpec['impute'], MetricSpec['goal'], string[]]>([
    ['worst', 'minimize', ['complete Infinity', 'complete Infinity', 'complete Infinity', 'complete Infinity', 'complete Infinity']],
    ['latest', 'minimize', ['complete 3', 'complete 4', 'complete 7', 'complete 8', 'complete Infinity']],
    ['best', 'minimize', ['complete 2', 'complete 4', 'complete 7', 'complete 6', 'complete Infinity']],
    // lower is better to samplers, whatever the goal
    ['latest', 'maximize', ['complete -3', 'complete -4', 'complete -7', 'complete -8', 'complete Infinity']],
    ['best', 'maximize', ['complete -5', 'complete -4', 'complete -7', 'complete -8', 'complete Infinity']],
  ])('counts as its own values say: %s, to %s', (impute, goal, expected) => {
    expect(values({ impute, goal }, ...over)).toEqual(expected);
    expect(seen({ impute, goal }, ...over).imputed).toBe(5);
  });

  test('is never one of the good ones, if it is the worst', () => {
    const { trials } = seen({}, trial('failed', null, 0.1), trial('succeeded', 5), trial('pruned', null));
    expect(splitTrials(trials, 3).below.map(({ number }) => number)).toEqual([1]);
  });
});

test('a trial with a value keeps it', () => {
  const { trials, imputed } = seen({ impute: 'best' }, trial('succeeded', 5, 1), trial('pruned', 4, 2, 4));
  expect(trials).toMatchObject([{ state: 'complete', value: 5 }, { state: 'pruned', steps: [{ step: 1, value: 2 }, { step: 2, value: 4 }] }]);
  expect(imputed).toBe(0);
});

describe('a trial that runs, or waits at a rung', () => {
  const under = [trial('running', 3, 2, 3), trial('paused', 6, 6), trial('running', null, null), trial('running', null)];

  test.each<[MetricSpec['impute_while_running'], string[]]>([
    [false, ['running 3', 'running 6', 'running null', 'running null']],
    ['latest', ['complete 3', 'complete 6', 'running null', 'running null']],
    ['best', ['complete 2', 'complete 6', 'running null', 'running null']],
    ['worst', ['complete Infinity', 'complete Infinity', 'complete Infinity', 'complete Infinity']],
  ])('counts as %s', (impute_while_running, expected) => {
    expect(values({ impute_while_running, impute: 'worst' }, ...under)).toEqual(expected);
  });
});

describe('tpe', () => {
  const spec = { execution: 'external', method: 'tpe', parameters: { x: { min: 0, max: 1, distribution: 'uniform' } }, metric: { name: 'loss' }, run_cap: 60, sampler: { n_startup_trials: 5 }, early_terminate: { type: 'asha', min_iter: 1, max_iter: 27 } };

  test('keeps away from where trials end without a value, or goes there, as it is told to', () => {
    /** Above a half, 0.8 is the best; below it the lowest begins better than that, and has no value at its end. */
    const lowest = (impute: string): number => {
      const { state } = runSweep({ ...spec, metric: { name: 'loss', impute }, early_terminate: { type: 'median', min_iter: 1 } }, { end: 2, value: ({ x }, step) => ((x as number) > 0.5 ? Math.abs((x as number) - 0.8) : step === 1 ? (x as number) - 1 : null) });
      return state.trials.filter(({ params }) => (params['x'] as number) < 0.5).length;
    };
    expect(lowest('best')).toBeGreaterThan(2 * lowest('worst'));
  });

  test('says how many values are not what trials ended with, and learns from those that wait', () => {
    const why = (metric: object) => runSweep({ ...spec, metric: { ...spec.metric, ...metric } }, { end: 27, value: ({ x }) => x as number }).state.trials[12]!.why[0]!.why;
    expect(why({})).toMatchObject({ kind: 'tpe', at_step: expect.any(Number) });
    expect(why({})).not.toHaveProperty('imputed');
    expect(why({ impute_while_running: 'latest' })).toMatchObject({ kind: 'tpe', imputed: expect.any(Number) as number });
  });
});

test('constants are nothing to learn: with many of them tpe does as without', () => {
  const x = { min: 0, max: 1, distribution: 'uniform' };
  const constants = Object.fromEntries(Array.from({ length: 30 }, (_, k) => [`c${k}`, { value: k }]));
  const learned = (parameters: object) => {
    const spec = { execution: 'external', method: 'tpe', metric: { name: 'loss' }, run_cap: 40, early_terminate: { type: 'asha', min_iter: 1, max_iter: 27 }, parameters };
    return runSweep(spec, { end: 27, value: ({ x }) => x as number }).state.trials.map(({ params, why }) => [params['x'], why[0]!.why['kind'], why[0]!.why['at_step']]);
  };
  const alone = learned({ x });
  expect(learned({ x, ...constants })).toEqual(alone);
  expect(alone.slice(20).map(([, kind]) => kind)).toEqual(Array(20).fill('tpe'));
});

test.each([['maximize', 1], ['minimize', -1]] as const)('why says which value is just good enough as the metric has it: %s', (goal, sign) => {
  const spec = { execution: 'external', method: 'tpe', metric: { name: 'score', goal }, parameters: { x: { min: 0, max: 1, distribution: 'uniform' } }, run_cap: 30 };
  const { trials } = runSweep(spec, { value: ({ x }) => sign * (1 + (x as number)) }).state;
  const learned = trials.flatMap(({ why }) => (why[0]!.why['kind'] === 'tpe' ? [why[0]!.why] : []));
  expect(learned.length).toBeGreaterThan(15);
  const values = new Set(trials.map(({ value }) => value));
  for (const { cutoff } of learned) expect(values).toContain(cutoff);
});

describe('of a sweep that stops trials early', () => {
  const early_terminate = { type: 'asha', variant: 'promotion', resource: 'updates', min_iter: 1, max_iter: 3, eta: 3, brackets: 1 } as const;
  const numbered = (trials: TrialState[]) => trials.map((each, number) => ({ ...each, number }));
  const of = (trials: TrialState[], metric: Partial<MetricSpec> = {}) => historyOf({ metric: { ...METRIC, ...metric }, early_terminate, sampler }, 1, numbered(trials), null);
  const paused = [trial('paused', 5, 5), trial('paused', 4, 6, 4), trial('pruned', 9, 9), trial('paused', 3, 7, 3)];

  test('goes by the highest step that enough trials have come to', () => {
    expect(of(paused)).toMatchObject({ step: 1, trials: [{ state: 'complete', value: 5 }, { state: 'complete', value: 6 }, { state: 'complete', value: 9 }, { state: 'complete', value: 7 }] });
    const further = of([...paused, trial('running', 2, 8, 2), trial('failed', null), trial('running', null)]);
    expect(further.step).toBe(2);
    expect(further.trials.map(({ state, value }) => `${state} ${value}`)).toEqual(['running null', 'complete 4', 'running null', 'complete 3', 'complete 2', 'complete Infinity', 'running null']);
  });

  test('goes by no step to which fewer have come than the model begins with', () => {
    const of = (n_startup_trials: number) => historyOf({ metric: METRIC, early_terminate, sampler: { n_startup_trials } }, 1, numbered([...paused, trial('running', 2, 8, 2)]), null).step;
    expect([of(3), of(4), of(5), of(6)]).toEqual([2, 1, 1, null]);
  });

  test('goes by their ends where enough have ended, few have got anywhere, or it is said what they count as', () => {
    expect(of(paused.slice(0, 2)).step).toBeNull();
    expect(of([...paused, trial('succeeded', 1, 1, 1), trial('succeeded', 1, 1, 1)]).step).toBe(2);
    expect(of([...paused, ...Array.from({ length: 3 }, () => trial('succeeded', 1, 1, 1, 1))]).step).toBeNull();
    expect(of(paused, { impute_while_running: 'latest' }).step).toBeNull();
  });

  test('counts those of another sweep too that have a value there, as older than its own', () => {
    const imported = numbered([trial('pruned', 8, 8), trial('succeeded', 1), trial('pruned', 2, 7, 2), trial('pruned', 6, 6)]);
    const of = (...trials: TrialState[]) => historyOf({ metric: METRIC, early_terminate, sampler }, 1, numbered(trials), { trials: imported });
    const shown = ({ trials }: ReturnType<typeof of>) => trials.map(({ number, state, value }) => `${number} ${state} ${value}`);
    const first = of(trial('running', null));
    expect([first.step, first.imported, shown(first)]).toEqual([1, 3, ['-3 complete 8', '-2 complete 7', '-1 complete 6', '0 running null']]);
    const later = of(trial('paused', 3, 9, 3), trial('paused', 4, 9, 4), trial('paused', 5, 5));
    expect([later.step, later.imported, shown(later)]).toEqual([2, 1, ['-1 complete 2', '0 complete 3', '1 complete 4', '2 running null']]);
  });
});

// What a sweep takes from one before it: a first trial, and trials that its sampler counts. Both sweeps are without jobs.
import { describe, expect, test } from 'vitest';
import { decide } from '../../../lib/sweeps/decide.js';
import type { LogEntry } from '../../../lib/sweeps/events.js';
import { applied, bestTrial, emptySweep } from '../../../lib/sweeps/state.js';
import { beginWith, type Earlier, importProblems, IMPORTED_MAX, type WarmStart } from '../../../lib/sweeps/warm-start.js';
import { told } from './spaces.js';
import { rulesOf, runSweep, type World, type WorldOptions } from './world.js';

const FROM = `swp_${'0'.repeat(26)}`;
const SPEC = { execution: 'external', metric: { name: 'loss' }, parameters: { x: { min: 0.0, max: 1.5 }, kind: { values: ['a', 'b'] } }, method: 'random', run_cap: 15 };
const NEXT = { ...SPEC, method: 'tpe', warm_start: { from: FROM, import_trials: true } };
const value = ({ x }: { x?: unknown }): number => Math.abs((x as number) - 0.3);

const earlier = (spec: object = SPEC, options: WorldOptions = { value }): Earlier & { world: World } => {
  const world = runSweep(spec, options);
  return { id: FROM, spec: world.rules.spec, state: world.state, world };
};
const begin = (spec: object, from: Earlier | null, isValid: WorldOptions['isValid'] = () => true): WarmStart => beginWith(rulesOf(spec, isValid), from);
const starts = (world: World) => world.state.trials.map(({ params, why }) => ({ params, why: why[0]!.why }));

describe('the best of a sweep', () => {
  test('is a first trial, after the points', () => {
    const from = earlier();
    const best = bestTrial(from.spec, from.state)!;
    const spec = { ...SPEC, run_cap: 4, warm_start: { from: FROM, points: [{ x: 0.25, kind: 'b' }] } };
    const warm = begin(spec, from);
    expect(warm).toEqual({ from: FROM, best: { trial: best.number, params: best.params, leftOut: [] }, trials: [], warnings: [] });
    const [first, second, third] = starts(runSweep(spec, { value, warm }));
    expect(first).toEqual({ params: { x: 0.25, kind: 'b' }, why: { sampler: 'warm_start', point: 0 } });
    expect(second).toEqual({ params: best.params, why: { sampler: 'warm_start', from: FROM, trial: best.number } });
    expect(third!.why).toMatchObject({ sampler: 'random' });
  });

  test('has what this sweep cannot have of it drawn, and says so', () => {
    const from = earlier();
    const best = bestTrial(from.spec, from.state)!;
    const spec = { ...SPEC, parameters: { kind: SPEC.parameters.kind, x: { min: 5, max: 9 }, y: { values: [7] } }, warm_start: { from: FROM } };
    const warm = begin(spec, from);
    expect(warm.best).toEqual({ trial: best.number, params: { kind: best.params['kind'], x: expect.any(Number) as number, y: 7 }, leftOut: ['x'] });
    expect(warm.best!.params['x']).toBeGreaterThanOrEqual(5);
    expect(told(warm.warnings)).toEqual([`warm_start.from: x of ${FROM}.${best.number} is left out: it must be a number from 5 to 9 in steps of 1, got ${best.params['x'] as number}`]);
    expect(starts(runSweep(spec, { warm }))[0]).toMatchObject({ params: warm.best!.params, why: { from: FROM, left_out: ['x'] } });
  });

  test('brings parameters about that only some trials have', () => {
    const from = earlier({ ...SPEC, parameters: { kind: { values: ['b'] } } }, { value: () => 1 });
    const spec = { ...SPEC, parameters: { kind: { values: ['a', 'b'], distribution: 'categorical' }, depth: { min: 1, max: 9, when: { kind: ['b'] } } }, warm_start: { from: FROM } };
    expect(begin(spec, from).best!.params).toEqual({ kind: 'b', depth: expect.any(Number) as number });
  });

  test('is drawn to the end until it makes a job, and is none where it cannot', () => {
    const from = earlier();
    const spec = { ...SPEC, parameters: { ...SPEC.parameters, y: { min: 0, max: 1, distribution: 'uniform' } }, warm_start: { from: FROM } };
    const y = (warm: WarmStart): number => warm.best!.params['y'] as number;
    const first = y(begin(spec, from));
    expect(y(begin(spec, from, (params) => params['y'] !== first))).not.toBe(first);
    for (const [changed, isValid] of [[spec, () => false], [SPEC, () => false], [{ ...spec, failure: { on_invalid_params: 'fail' } }, (params: Record<string, unknown>) => params['y'] !== first]] as const) {
      const none = begin({ ...changed, warm_start: { from: FROM } }, from, isValid);
      expect([none.best, told(none.warnings)]).toEqual([null, [expect.stringMatching(/^warm_start\.from: swp_0+\.\d+ makes no valid job here, and is no first trial: it is not valid$/)]]);
    }
  });

  test.each<[string, object, Earlier | null, RegExp]>([
    ['no trial has a value', SPEC, earlier(SPEC, { value: () => null }), /^warm_start\.from: no trial of swp_0+ has a value yet/],
    ['it shares no parameter', { ...SPEC, parameters: { z: { values: [1, 2] } } }, earlier({ ...SPEC, parameters: { x: { value: 3 } } }), /: nothing is left of swp_0+\.0: it is no first trial$/],
    ['a schedule has started none', SPEC, null, /^warm_start\.from: the schedule has started no sweep before this one/],
  ])('is none where %s', (_, spec, from, warning) => {
    const warm = begin({ ...spec, warm_start: { from: from ? FROM : 'previous' } }, from);
    expect([warm.from, warm.best, told(warm.warnings).at(-1)]).toEqual([from && FROM, null, expect.stringMatching(warning)]);
    expect(runSweep({ ...spec, run_cap: 3 }, { warm }).state.trials).toHaveLength(3);
  });

  test('of a grid is one more trial than it has points', () => {
    const grid = { ...SPEC, method: 'grid', run_cap: null, parameters: { x: { values: [1, 2, 3] } }, warm_start: { from: FROM } };
    const warm = begin(grid, earlier({ ...grid, warm_start: {} }, { value: ({ x }) => Math.abs((x as number) - 2) }));
    expect(starts(runSweep(grid, { warm })).map(({ params }) => params['x'])).toEqual([2, 1, 2, 3]);
  });
});

describe('trials that are taken over', () => {
  test('let tpe begin at once, and count for nothing else', () => {
    const from = earlier();
    const warm = begin({ ...NEXT, run_cap: 5 }, from);
    expect(warm.trials).toHaveLength(15);
    const asha = { ...NEXT, run_cap: 5, metric: { name: 'loss', target: 0 }, budget: { max_failed: 0 }, early_terminate: { type: 'asha', min_iter: 1, max_iter: 9 } };
    const { state } = runSweep(asha, { warm, end: 9, value: ({ x }) => 1 + value({ x }) });
    expect(state).toMatchObject({ end: { status: 'succeeded', why: { trials: 5 } }, failed: 0 });
    expect(state.rungs[0]![0]!.entries.map(({ trial }) => trial).sort()).toEqual([0, 1, 2, 3, 4]);
    expect(bestTrial(rulesOf(asha).spec, state)!.value).toBeGreaterThanOrEqual(1);
    expect(state.trials[1]!.why[0]!.why).toMatchObject({ sampler: 'tpe', kind: 'tpe', imported: 15 });
    // by itself it draws from the prior first
    expect(runSweep({ ...asha, warm_start: {} }).state.trials[1]!.why[0]!.why).toMatchObject({ kind: 'startup' });
  });

  test('teach a sweep that stops trials early from its second trial on', () => {
    const rule = { early_terminate: { type: 'asha', min_iter: 1, max_iter: 27 } };
    const options = { value, end: 27 };
    const warm = begin({ ...NEXT, ...rule }, earlier({ ...SPEC, ...rule, run_cap: 40 }, options));
    const { trials } = runSweep({ ...NEXT, ...rule, run_cap: 12 }, { ...options, warm }).state;
    expect(trials.slice(1).map(({ why }) => why[0]!.why['kind'])).toEqual(Array(11).fill('tpe'));
    for (const { why } of trials.slice(1)) expect(why[0]!.why['imported']).toBeGreaterThan(10);
  });

  test('are those whose parameters this sweep can have, by its conditions', () => {
    const from = earlier({ ...SPEC, run_cap: 40, parameters: { ...SPEC.parameters, other: { values: [1, 2] } } });
    const narrow = { ...NEXT, parameters: { x: { min: 0, max: 1, distribution: 'uniform' }, kind: { values: ['a', 'b'] }, depth: { values: [1], when: { kind: ['b'] } } } };
    const warm = begin(narrow, from);
    const fitting = from.state.trials.filter(({ params }) => params['kind'] === 'a' && (params['x'] as number) <= 1);
    expect(fitting.length).toBeGreaterThan(5);
    expect(fitting.length).toBeLessThan(30);
    expect(warm.trials.map(({ number, params }) => [number, params])).toEqual(fitting.map(({ number, params: { x, kind } }) => [number, { x, kind }]));
    expect(told(warm.warnings)).toContain(`warm_start.import_trials: ${40 - fitting.length} of the 40 trials of ${FROM} with a value are left out: their parameters are none of this sweep's`);
  });

  test('have a value: failed ones have none, and pruned ones one at the same kind of steps', () => {
    const rule = { type: 'asha', min_iter: 1, max_iter: 9 };
    const from = earlier({ ...SPEC, early_terminate: rule }, { end: 9, fails: (trial) => trial === 3, value: (params, step) => (step === 1 && value(params) > 1 ? null : value(params)) });
    const whole = from.state.trials.filter(({ status }) => status === 'succeeded').map(({ number }) => number);
    const pruned = from.state.trials.filter(({ status, value }) => status === 'pruned' && value !== null).map(({ number }) => number);
    expect([whole.length > 0, pruned.length > 3, whole.length + pruned.length < 14]).toEqual([true, true, true]);
    const taken = (early_terminate: object) => begin({ ...NEXT, early_terminate }, from).trials.map(({ number }) => number);
    expect(taken(rule)).toEqual([...whole, ...pruned].sort((a, b) => a - b));
    // where this sweep compares its trials they can be compared with them; else how far a pruned one came is all that is known of it
    for (const { number, values } of begin({ ...NEXT, early_terminate: rule }, from).trials) expect(values).toEqual(from.state.trials[number]!.values);
    const comparedAt3 = begin({ ...NEXT, early_terminate: { ...rule, min_iter: 3 } }, from).trials;
    for (const { number, values } of comparedAt3) expect(values).toEqual(from.state.trials[number]!.values.filter(({ step }, index, all) => step >= 3 || index === all.length - 1));
    for (const { status, value: last, values } of begin(NEXT, from).trials) expect(values).toEqual(status === 'pruned' ? [{ step: expect.any(Number) as number, value: last }] : []);
    for (const { values } of begin({ ...NEXT, early_terminate: { type: 'median', min_iter: 1 } }, from).trials) expect(values.length).toBeLessThan(2);
    expect(taken({ type: 'none' })).toEqual(taken(rule));
    expect(taken({ ...rule, resource: 'samples' })).toEqual(whole);
  });

  test('are so many at most, the newest', () => {
    const from = earlier({ ...SPEC, run_cap: IMPORTED_MAX + 30 });
    const warm = begin(NEXT, from);
    expect([warm.trials.length, warm.trials[0]!.number, warm.trials.at(-1)!.number]).toEqual([IMPORTED_MAX, 30, IMPORTED_MAX + 29]);
    expect(told(warm.warnings)).toEqual([`warm_start.import_trials: 30 of the ${IMPORTED_MAX + 30} trials of ${FROM} with a value are left out: at most ${IMPORTED_MAX}, the newest, are taken over`]);
  });

  test('are refused where their values are of something else; of a schedule’s last sweep they are left', () => {
    const from = earlier();
    for (const [metric, given] of [[{ name: 'val_loss' }, 'val_loss (minimize)'], [{ name: 'loss', goal: 'maximize' }, 'loss (maximize)']] as const) {
      const { spec } = rulesOf({ ...NEXT, metric });
      expect(told(importProblems(spec, from))).toEqual([`warm_start.import_trials: needs a sweep with the same metric, ${given}; ${FROM} has loss (minimize)`]);
      const warm = begin({ ...NEXT, metric, warm_start: { from: 'previous', import_trials: true } }, from);
      expect([warm.trials, warm.best?.trial, warm.warnings.length]).toEqual([[], bestTrial(from.spec, from.state)!.number, 1]);
    }
    expect(importProblems(rulesOf(NEXT).spec, from)).toEqual([]);
    expect(importProblems(rulesOf({ ...NEXT, metric: { name: 'other' }, warm_start: { from: FROM } }).spec, from)).toEqual([]);
  });
});

test('whatever becomes of the earlier sweep, the decisions are those of the record', () => {
  const from = earlier(SPEC, { value, says: { 8: { type: 'said', verb: 'pause' } } });
  const warm = JSON.parse(JSON.stringify(begin(NEXT, from))) as WarmStart;
  expect([from.state.end, warm.trials.length > 3]).toEqual([null, true]);
  const { log, rules } = runSweep(NEXT, { value, warm });
  let state = emptySweep(rules.spec);
  for (const entry of JSON.parse(JSON.stringify(log)) as LogEntry[]) {
    expect(JSON.stringify(decide(rules, state, entry.event))).toBe(JSON.stringify(entry.decisions));
    state = applied(rules.spec, state, entry);
  }
  // with another record they are others
  const later = begin(NEXT, earlier());
  expect(later.trials.length).toBeGreaterThan(warm.trials.length);
  expect(runSweep(NEXT, { value, warm: later }).log).not.toEqual(log);
});

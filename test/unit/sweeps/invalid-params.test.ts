// Parameters that make no valid job: other ones are drawn, or the trial has failed; and a space of which nothing is valid comes to an end.
import { describe, expect, test } from 'vitest';
import { decide } from '../../../lib/sweeps/decide.js';
import type { Params } from '../../../lib/sweeps/dimension.js';
import { remembered } from '../../../lib/sweeps/refusals.js';
import { applied, emptySweep } from '../../../lib/sweeps/state.js';
import { DRAWS_MAX, INVALID_TRIALS_MAX } from '../../../lib/sweeps/suggest.js';
import { rulesOf, runSweep } from './world.js';

const X = { execution: 'external', method: 'random', metric: { name: 'loss' }, parameters: { x: { min: 0, max: 1, distribution: 'uniform' } }, run_cap: 25 };
const FAIL = { failure: { on_invalid_params: 'fail' } };
const isLow = ({ x }: Params): boolean => (x as number) < 0.5;

describe('on_invalid_params: fail', () => {
  test.each(['random', 'qmc', 'tpe'])('makes them failed trials, which count and never run: %s', (method) => {
    const { state, log } = runSweep({ ...X, ...FAIL, method }, { isValid: isLow });
    const failed = state.trials.filter(({ status }) => status === 'failed');
    expect([state.trials.length, state.failed, state.skipped, state.end!.status]).toEqual([25, failed.length, 0, 'succeeded']);
    expect(failed.length).toBeGreaterThan(1);
    for (const { params, why, values } of state.trials) expect([isLow(params), why[0]!.decision === 'start', values]).toEqual([why[0]!.decision === 'start', isLow(params), []]);
    for (const { why } of failed) expect([why.length, why[0]]).toEqual([1, expect.objectContaining({ decision: 'fail', why: expect.objectContaining({ refused: 'it is not valid' }) as object })]);
    // nothing was seen of them, and so they had no job
    const seen = new Set(log.flatMap(({ event }) => ('trial' in event ? [event.trial] : [])));
    expect(failed.filter(({ number }) => seen.has(number))).toEqual([]);
  });

  test('lets a grid have each of its points once', () => {
    const grid = { ...X, ...FAIL, method: 'grid', run_cap: null, parameters: { a: { values: [1, 2, 3] }, b: { min: 1, max: 4 } } };
    const { state } = runSweep(grid, { isValid: ({ a }) => a !== 2 });
    expect(state.trials.map(({ params: { a, b }, status }) => `${a as number}${b as number} ${status}`)).toEqual([1, 2, 3].flatMap((a) => [1, 2, 3, 4].map((b) => `${a}${b} ${a === 2 ? 'failed' : 'succeeded'}`)));
  });

  test('ends the sweep when more of them have failed than may, in the middle of an event', () => {
    const { state, log } = runSweep({ ...X, ...FAIL, budget: { max_failed: 3 } }, { isValid: () => false });
    expect([log.length, state.trials.length, state.end]).toMatchObject([1, 4, { status: 'failed', why: { budget: 'max_failed', failed: 4 } }]);
  });

  test('gives a sweep up that would go on forever', () => {
    const { state, log } = runSweep({ ...X, ...FAIL, run_cap: null }, { isValid: () => false });
    expect([log.length, state.trials.length, state.end]).toMatchObject([1, INVALID_TRIALS_MAX, { status: 'failed', why: { trials: INVALID_TRIALS_MAX, gave_up: `${INVALID_TRIALS_MAX} trials in a row have parameters that make no valid job` } }]);
  });
});

describe('points that make no valid job', () => {
  const two = { ...X, parameters: { ...X.parameters, y: { values: ['a', 'b'] } }, run_cap: 3 };
  const point = (x: number) => ({ ...two, warm_start: { points: [{ x, y: 'a' }] } });

  test('are failed trials where there is nothing left to draw', () => {
    const { state } = runSweep(point(0.9), { isValid: isLow });
    expect(state.trials[0]).toMatchObject({ params: { x: 0.9, y: 'a' }, status: 'failed', why: [{ decision: 'fail', why: { sampler: 'warm_start', point: 0, refused: 'it is not valid' } }] });
    expect([state.trials.length, state.failed]).toEqual([3, 1]);
  });

  test('get other values for what they leave open', () => {
    const { state } = runSweep({ ...two, warm_start: { points: [{ y: 'a' }] } }, { isValid: ({ x }) => (x as number) < 0.1 });
    expect(state.trials[0]).toMatchObject({ params: { y: 'a' }, status: 'succeeded', why: [{ why: { sampler: 'warm_start', draw: expect.any(Number) as number } }] });
    const grid = { ...two, method: 'grid', run_cap: null, parameters: { x: { values: [0.2, 0.9] }, y: { values: ['a', 'b'] } }, warm_start: { points: [{ y: 'b' }, { x: 0.9 }] } };
    // what a point draws takes no place of the grid
    expect(runSweep(grid, { isValid: isLow }).state.trials.map(({ params: { x, y }, status }) => `${x as number}${y as string} ${status}`).slice(2)).toEqual(['0.2a succeeded', '0.2b succeeded']);
  });
});

describe('a space of which nothing is valid', () => {
  test('ends the sweep, which says why', () => {
    const nothing = runSweep(X, { isValid: () => false });
    expect([nothing.state.trials, nothing.state.end]).toMatchObject([[], { status: 'failed', why: { trials: 0, gave_up: `${DRAWS_MAX} combinations of parameters in a row make no valid job: it is not valid` } }]);
    const some = runSweep({ ...X, warm_start: { points: [{ x: 0.5 }] } }, { isValid: ({ x }) => x === 0.5 });
    expect(some.state.end).toMatchObject({ status: 'succeeded', why: { trials: 1, gave_up: expect.any(String) as string } });
    // a sweep that has had all its trials says nothing of it
    expect(runSweep(X).state.end!.why).toEqual({ trials: 25 });
  });

  test('is asked for each combination once, however many events there are', () => {
    let asked = 0;
    const rules = rulesOf({ ...X, parameters: { x: { values: Array.from({ length: 40 }, (_, index) => index) } }, budget: { max_concurrent: 8 }, warm_start: { points: [{ x: 7 }] } });
    const of = { ...rules, refusalOf: remembered(({ x }) => (asked++, x === 7 ? null : 'no')) };
    let state = emptySweep(of.spec);
    for (const event of [{ type: 'created' }, { type: 'said', verb: 'pause' }, { type: 'said', verb: 'resume' }, { type: 'said', verb: 'pause' }, { type: 'said', verb: 'resume' }] as const) {
      state = applied(of.spec, state, { at: '', event, decisions: decide(of, state, event) });
    }
    expect(state.trials.length).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(40);
  });

  test('makes others wait for the next event, once very many were drawn at this one', () => {
    let asked = 0;
    // one in three hundred is valid
    const rules = { ...rulesOf({ ...X, budget: { max_concurrent: 100 }, run_cap: 100 }), refusalOf: () => (++asked % 300 === 0 ? null : 'no') };
    const decisions = decide(rules, emptySweep(rules.spec), { type: 'created' });
    expect(decisions.map(({ type }) => type)).toEqual(['start', 'start', 'start', 'start']);
    expect(asked).toBe(1_200);
    // or were trials that failed for it
    asked = 0;
    const failing = { ...rulesOf({ ...X, ...FAIL, budget: { max_concurrent: 1_000 }, run_cap: null }), refusalOf: () => (++asked % 60 === 0 ? null : 'no') };
    const types = decide(failing, emptySweep(failing.spec), { type: 'created' }).map(({ type }) => type);
    expect([types.filter((type) => type === 'start').length, types.filter((type) => type === 'fail').length]).toEqual([16, 1_001]);
  });
});

test('what is remembered is forgotten, what was asked for longest ago first', () => {
  const asked: number[] = [];
  const refusal = remembered(({ x }) => (asked.push(x as number), (x as number) > 1 ? 'too much' : null), 2);
  expect([1, 2, 1, 3, 1, 2].map((x) => refusal({ x }))).toEqual([null, 'too much', null, 'too much', null, 'too much']);
  expect(asked).toEqual([1, 2, 3, 2]);
});

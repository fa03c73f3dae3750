import { describe, expect, test } from 'vitest';
import { decide } from '../../../lib/sweeps/decide.js';
import type { LogEntry } from '../../../lib/sweeps/events.js';
import { applied, bestTrial, emptySweep, sweepStatus } from '../../../lib/sweeps/state.js';
import { rulesOf, runSweep, type World } from './world.js';

const X = { parameters: { x: { min: 0.0, max: 1.5 } }, execution: 'external', metric: { name: 'loss' } };
const asha = { type: 'asha', min_iter: 1, max_iter: 27, eta: 3 };
const value = ({ x }: { x?: unknown }, step: number): number => Math.abs((x as number) - 0.3) + 1 / step;
const counts = ({ state }: World): Record<string, number> => state.trials.reduce<Record<string, number>>((all, { status }) => ({ ...all, [status]: (all[status] ?? 0) + 1 }), {});
const ofType = (world: World, type: string) => world.log.flatMap(({ decisions }) => decisions.filter((decision) => decision.type === type));

const SWEEPS: Record<string, unknown> = {
  random: { ...X, method: 'random', run_cap: 20 },
  qmc: { ...X, method: 'qmc', run_cap: 20 },
  tpe: { ...X, method: 'tpe', run_cap: 30 },
  grid: { ...X, method: 'grid', parameters: { a: { values: [1, 2, 3] }, b: { min: 1, max: 4 } } },
  'asha by promotion': { ...X, method: 'random', run_cap: 40, early_terminate: asha },
  'asha by stopping': { ...X, method: 'random', run_cap: 40, early_terminate: { ...asha, variant: 'stopping' } },
  'asha in brackets, with tpe': { ...X, method: 'tpe', run_cap: 40, early_terminate: { ...asha, brackets: 3 }, budget: { max_concurrent: 7 } },
  hyperband: { ...X, method: 'random', run_cap: 40, early_terminate: { type: 'hyperband', min_iter: 3 } },
  median: { ...X, method: 'random', run_cap: 40, early_terminate: { type: 'median', min_iter: 5 } },
};

describe.each(Object.entries(SWEEPS))('a sweep: %s', (_name, spec) => {
  const options = { value: (params: Record<string, unknown>, step: number) => value(params['x'] === undefined ? { x: (params['a'] as number) / 10 } : params, step), end: 27, fails: (trial: number) => trial === 3 };

  test('comes to its end with every trial over, and exactly as many as there may be', () => {
    const world = runSweep(spec, options);
    const { run_cap: cap } = world.rules.spec;
    expect(world.state.end).toMatchObject({ status: 'succeeded' });
    expect(world.state.trials).toHaveLength(cap ?? 12);
    expect(world.state.trials.filter(({ status }) => ['waiting', 'running', 'paused'].includes(status))).toEqual([]);
    expect(counts(world)['failed']).toBe(1);
    expect(world.state.trials.map(({ number }) => number)).toEqual(world.state.trials.map((_, index) => index));
    expect(bestTrial(world.rules.spec, world.state)!.status).toBe('succeeded');
    for (const trial of world.state.trials) expect(trial.why.length).toBeGreaterThan(0);
  });

  test('never runs more at a time than it may', () => {
    const world = runSweep(spec, options);
    let state = emptySweep(world.rules.spec);
    for (const entry of world.log) {
      state = applied(world.rules.spec, state, entry);
      expect(state.trials.filter(({ status }) => status === 'running').length).toBeLessThanOrEqual(world.rules.spec.budget.max_concurrent ?? 4);
    }
  });

  test('a controller that dies at any event comes to the same log, byte for byte', () => {
    const { log, rules } = runSweep(spec, options);
    for (let at = 0; at < log.length; at++) {
      // Replayed from the log alone, as JSON.
      const before = (JSON.parse(JSON.stringify(log.slice(0, at))) as LogEntry[]).reduce((state, entry) => applied(rules.spec, state, entry), emptySweep(rules.spec));
      const { event, decisions } = log[at]!;
      expect(JSON.stringify(decide(rules, before, event)), `event ${at}`).toBe(JSON.stringify(decisions));
    }
  });
});

describe('asha by promotion', () => {
  const spec = SWEEPS['asha by promotion'];

  test.each([1, 2])('trains no more trials in full where trainings end before the last rungs: %i brackets', (brackets) => {
    const world = runSweep({ ...X, method: 'random', run_cap: 20, early_terminate: { type: 'asha', min_iter: 1, max_iter: 243, brackets } }, { value, end: 20 });
    expect(world.state.end).toMatchObject({ status: 'succeeded' });
    const whole = world.state.trials.filter(({ status }) => status === 'succeeded');
    // one of 27, and in each bracket one
    expect([whole.length >= 1, whole.length <= 2 * brackets]).toEqual([true, true]);
    expect(new Set(whole.map(({ bracket }) => bracket)).size).toBe(brackets);
    expect(world.state.trials.filter(({ status }) => status === 'pruned')).toHaveLength(20 - whole.length);
  });

  test('promotes the best that waits though a worse one has ended early', () => {
    const early = ({ x }: { x?: unknown }): boolean => (x as number) > 0.8;
    const world = runSweep({ ...X, method: 'random', run_cap: 8, early_terminate: { type: 'asha', min_iter: 50, max_iter: 450 } }, { value, end: (params) => (early(params) ? 40 : 450) });
    const whole = world.state.trials.filter(({ status }) => status === 'succeeded');
    expect([whole.some(({ params }) => early(params)), whole.some(({ params }) => !early(params))], 'both ended').toEqual([true, true]);
    const best = Math.min(...world.state.trials.map(({ params }) => value(params, 450)));
    expect(Math.min(...whole.map((trial) => trial.value!))).toBe(best);
  });

  test('lets the best third of each rung go on, and says by what rank', () => {
    const world = runSweep(spec, { value, end: 27 });
    const reached = [1, 3, 9, 27].map((step) => world.state.trials.filter(({ values, status }) => values.some((each) => each.step === step) || (step === 27 && status === 'succeeded')).length);
    expect(reached[0]).toBe(40);
    // Without waiting a few more than a third go on: whoever was among the best when it was looked at.
    for (const [rung, least] of [13, 4, 1].entries()) expect(reached[rung + 1]).toBeGreaterThanOrEqual(least);
    expect(reached[1]).toBeLessThan(20);
    for (const { why } of ofType(world, 'go_on')) expect(why['rank']).toBeLessThanOrEqual(Math.floor((why['of'] as number) / 3));
    expect(counts(world)).toEqual({ succeeded: reached[3], pruned: 40 - reached[3]! });
  });

  test('prunes what has no value, and promotes the best that waits when nothing else can happen', () => {
    const world = runSweep({ ...X, method: 'random', run_cap: 2, early_terminate: asha }, { end: 27, value: ({ x }, step) => ((x as number) > 0 && step === 1 ? (x as number) : (x as number)) });
    expect(counts(world)).toEqual({ succeeded: 1, pruned: 1 });
    const none = runSweep({ ...X, method: 'random', run_cap: 5, early_terminate: asha }, { end: 27, value: () => null });
    expect([counts(none), none.state.end?.status]).toEqual([{ pruned: 5 }, 'succeeded']);
  });

  test('has the value at a job’s end among those at the rungs, where that is the last one', () => {
    const { state } = runSweep(spec, { value, end: 27 });
    const whole = state.trials.filter(({ status }) => status === 'succeeded');
    expect(whole.length).toBeGreaterThan(0);
    for (const trial of whole) expect(trial.values.at(-1)).toEqual({ step: 27, value: trial.value });
    // one whose training ends before its next rung has not been there
    const short = runSweep({ ...X, method: 'random', run_cap: 3, early_terminate: { type: 'hyperband', min_iter: 3 } }, { value, end: 2 });
    expect(short.state.trials.map(({ values }) => values)).toEqual([[], [], []]);
  });

  test('is over at max_iter also where the training would go on', () => {
    const world = runSweep(spec, { value, end: 1_000 });
    expect(ofType(world, 'complete').length).toBe(counts(world)['succeeded']);
    expect(bestTrial(world.rules.spec, world.state)).toMatchObject({ status: 'succeeded', values: [{ step: 1 }, { step: 3 }, { step: 9 }, { step: 27 }] });
  });
});

describe('a grid', () => {
  test('has every combination once, and passes over those that make no job', () => {
    const all = runSweep(SWEEPS['grid']);
    expect(new Set(all.state.trials.map(({ params }) => JSON.stringify(params))).size).toBe(12);
    const some = runSweep(SWEEPS['grid'], { isValid: ({ a, b }) => a !== 2 || b === 4 });
    expect(some.state.trials.map(({ params }) => `${params['a'] as number}${params['b'] as number}`).sort()).toEqual(['11', '12', '13', '14', '24', '31', '32', '33', '34']);
  });
});

test('combinations that make no job are drawn again and do not count', () => {
  for (const method of ['random', 'qmc', 'tpe']) {
    const world = runSweep({ ...X, method, run_cap: 25 }, { isValid: ({ x }) => (x as number) < 0.5, value });
    expect(world.state.trials).toHaveLength(25);
    for (const { params } of world.state.trials) expect(params['x']).toBeLessThan(0.5);
    expect(world.state.skipped).toBeGreaterThan(0);
  }
});

test('warm-start points come first, completed by what the method draws', () => {
  const two = { x: { min: 0.0, max: 1.5 }, y: { values: ['a', 'b'] } };
  const world = runSweep({ ...X, parameters: two, method: 'tpe', run_cap: 4, warm_start: { points: [{ x: 0.25, y: 'b' }, { x: 1.25 }] } });
  expect(world.state.trials.slice(0, 2).map(({ params }) => params)).toEqual([{ x: 0.25, y: 'b' }, { x: 1.25, y: expect.stringMatching(/[ab]/) as string }]);
});

describe('what is said', () => {
  const spec = SWEEPS['asha by promotion'];

  test('pause begins nothing, resume goes on to the same end', () => {
    const plain = runSweep(spec, { value, end: 27 });
    const paused = runSweep(spec, { value, end: 27, says: { 6: { type: 'said', verb: 'pause' } } });
    expect([paused.state.end, sweepStatus(paused.state, false)]).toEqual([null, 'paused']);
    expect(paused.state.trials.filter(({ status }) => status === 'running')).toEqual([]);
    const resumed = runSweep(spec, { value, end: 27, says: { 6: { type: 'said', verb: 'pause' }, 7: { type: 'said', verb: 'resume' } } });
    expect(resumed.state.trials.map(({ params }) => params)).toEqual(plain.state.trials.map(({ params }) => params));
    expect(resumed.state.end!.status).toBe('succeeded');
  });

  test('suspend keeps its trials where they are', () => {
    const { state } = runSweep(spec, { value, says: { 2: { type: 'said', verb: 'suspend' } } });
    expect([sweepStatus(state, true), sweepStatus(state, false)]).toEqual(['suspending', 'suspended']);
  });

  test('stop lets those that run get to where they go, cancel does not', () => {
    const stopped = runSweep(spec, { value, end: 27, says: { 9: { type: 'said', verb: 'stop' }, 10: { type: 'said', verb: 'resume' } } });
    expect(stopped.state.end!.status).toBe('stopped');
    expect(counts(stopped)['cancelled'] ?? 0).toBe(0);
    const cancelled = runSweep(spec, { value, end: 27, says: { 9: { type: 'said', verb: 'cancel' } } });
    expect(cancelled.state.end!.status).toBe('cancelled');
    expect(counts(cancelled)['cancelled']).toBe(4);
  });
});

describe('a sweep ends before its time', () => {
  test('when its budget is spent', () => {
    const world = runSweep(SWEEPS['random'], { value, says: { 5: { type: 'spent', budget: 'wall_clock' } } });
    expect(world.state.end).toMatchObject({ status: 'succeeded', why: { budget: 'wall_clock' } });
    expect(counts(world)).toEqual({ succeeded: 5, cancelled: 4 });
  });

  test('when a trial has got to the target', () => {
    const world = runSweep({ ...X, method: 'random', run_cap: 500, metric: { name: 'loss', goal: 'maximize', target: 1.4 } }, { value: ({ x }) => x as number });
    expect(world.state.end).toMatchObject({ status: 'succeeded', why: { target: 1.4 } });
    expect(bestTrial(world.rules.spec, world.state)!.value).toBeGreaterThanOrEqual(1.4);
    expect(world.state.trials.length).toBeLessThan(200);
  });

  test('when more trials have failed than may', () => {
    const world = runSweep({ ...X, method: 'random', run_cap: 100, budget: { max_failed: 2 } }, { fails: (trial) => trial % 2 === 0 });
    expect([world.state.end!.status, world.state.failed]).toEqual(['failed', 3]);
  });
});

test('what is told twice, or of a trial that is over, changes nothing', () => {
  const rules = rulesOf(SWEEPS['asha by promotion']);
  const { log } = runSweep(SWEEPS['asha by promotion'], { value, end: 27 });
  const state = log.slice(0, 20).reduce((now, entry) => applied(rules.spec, now, entry), emptySweep(rules.spec));
  for (const { event } of log.slice(1, 20)) {
    const waiting = event.type === 'reached' && state.trials[event.trial]!.upTo === event.step;
    if (event.type !== 'reached' || waiting) continue;
    expect(applied(rules.spec, state, { at: '', event, decisions: decide(rules, state, event) }).trials).toEqual(state.trials);
  }
});

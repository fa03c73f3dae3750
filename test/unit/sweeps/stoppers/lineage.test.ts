import { describe, expect, test } from 'vitest';
import type { Params } from '../../../../lib/sweeps/dimension.js';
import { lineageOf, type LineageRecord, scheduleOf } from '../../../../lib/sweeps/stoppers/lineage.js';
import { decidePbt, PBT_DEFAULTS } from '../../../../lib/sweeps/stoppers/pbt.js';
import { keyOf } from '../../../../lib/training/random.js';
import { numeric } from './dimensions.js';

const record = (trial: number, from: number | null, step: number, lr: number): LineageRecord => ({ trial, from, step, params: { lr } });

describe('a lineage', () => {
  const lineage = [
    record(0, null, 0, 0.1), record(1, null, 0, 0.2), record(2, null, 0, 0.3),
    record(1, 0, 50, 0.12), record(2, 1, 100, 0.14), record(0, 2, 150, 0.16), record(1, 2, 150, 0.17), record(2, 0, 200, 0.19),
  ];

  test('tells the schedule that led to a member', () => {
    expect(scheduleOf(lineage, 0)).toEqual([{ step: 0, params: { lr: 0.1 } }, { step: 50, params: { lr: 0.12 } }, { step: 100, params: { lr: 0.14 } }, { step: 150, params: { lr: 0.16 } }]);
    // through 0 and its own earlier self
    expect(scheduleOf(lineage, 2).map(({ params }) => params['lr'])).toEqual([0.1, 0.12, 0.14, 0.16, 0.19]);
  });

  test('of a member that never forked is its own parameters', () => {
    expect(scheduleOf([record(0, null, 0, 0.1)], 0)).toEqual([{ step: 0, params: { lr: 0.1 } }]);
    expect(scheduleOf(lineage, 9)).toEqual([]);
  });

  test('grows by the forks of an exchange', () => {
    const population = [4, 3, 2, 1].map((value, trial) => ({ trial, params: { lr: 0.5 }, step: 50, value, forkable: true }));
    const decisions = decidePbt(population, { ...PBT_DEFAULTS, goal: 'minimize', dimensions: { lr: numeric(0, 1) } }, keyOf(1, 'sweep/pbt', 50));
    const fork = decisions.find(({ action }) => action === 'fork') as Extract<(typeof decisions)[number], { action: 'fork' }>;
    expect(lineageOf(decisions)).toEqual([{ trial: 0, from: 3, step: 50, params: fork.params }]);
  });

  test('gives a schedule that trains the winner again, to the last bit', () => {
    // a state that remembers every step and what it was made with
    const advance = (state: number, params: Params, step: number): number => Math.fround(state * 0.99 + Number(params['lr']) * Math.sin(step + state));
    const options = { ...PBT_DEFAULTS, goal: 'maximize', dimensions: { lr: numeric(0, 1) } } as const;
    const history = Array.from({ length: 8 }, (_, trial) => record(trial, null, 0, (trial + 1) / 10));
    let members = history.map(({ trial, params }) => ({ trial, params, state: 1 }));
    for (let step = 0; step < 200; step++) {
      members = members.map((each) => ({ ...each, state: advance(each.state, each.params, step) }));
      if ((step + 1) % 10 !== 0) continue;
      const before = members;
      const decisions = decidePbt(before.map(({ trial, params, state }) => ({ trial, params, step: step + 1, value: state, forkable: true })), options, keyOf(3, 'sweep/pbt', step + 1));
      history.push(...lineageOf(decisions));
      members = decisions.map((each, index) => (each.action === 'continue' ? before[index]! : { trial: each.trial, params: each.params, state: before[each.from]!.state }));
    }
    for (const { trial, state } of members) {
      const schedule = scheduleOf(history, trial);
      let again = 1;
      for (let step = 0; step < 200; step++) again = advance(again, schedule.findLast((each) => each.step <= step)!.params, step);
      expect(again).toBe(state);
    }
  });
});

import { describe, expect, test } from 'vitest';
import { decide } from '../../../lib/sweeps/decide.js';
import type { Decision } from '../../../lib/sweeps/events.js';
import { applied, emptySweep, isOver } from '../../../lib/sweeps/state.js';
import { rulesOf, runSweep, type World, type WorldOptions } from './world.js';

const SPEC = {
  method: 'pbt', metric: { name: 'val_loss' }, parameters: { lr: { distribution: 'log_uniform_values', min: 1e-4, max: 1 } }, pbt: { population: 8, interval: 10 }, sampler: { seed: 5 },
  job: {
    data: { type: 'builtin', name: 'digits', validation: { split: 0.2 } }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] },
    training: { batch_size: 10, epochs: 1, optimizer: { type: 'sgd', lr: 0.1 } },
  },
};
/** Good at a learning rate of 0.01, and better the longer it is trained. */
const value = (params: Record<string, unknown>, step: number): number => Math.abs(Math.log10(params['lr'] as number) + 2) + 1 / step;
const train = (options: WorldOptions = {}, spec: object = SPEC): World => runSweep(spec, { value, end: 45, ...options });
const startsOf = ({ log }: World): Extract<Decision, { type: 'start' }>[] => log.flatMap(({ decisions }) => decisions.flatMap((decision) => (decision.type === 'start' ? [decision] : [])));

describe('a population', () => {
  test('begins as one, and is replaced in part at every exchange', () => {
    const world = train();
    const { trials } = world.state;
    expect(trials).toHaveLength(8 + 4 * 2);
    expect(trials.slice(0, 8).map(({ fork }) => fork)).toEqual(Array(8).fill(null));
    expect(trials.slice(8).map(({ fork }) => fork!.step)).toEqual([10, 10, 20, 20, 30, 30, 40, 40]);
    expect(world.state.end).toMatchObject({ status: 'succeeded' });
    expect(trials.filter(({ status }) => status === 'succeeded')).toHaveLength(8);
    expect(trials.filter(({ status }) => status === 'pruned')).toHaveLength(8);
    for (const { number, fork, params, why } of trials.slice(8)) {
      const parent = trials[fork!.trial]!;
      expect(parent.values.at(fork!.step / 10 - 1 - (parent.fork?.step ?? 0) / 10)!.step).toBe(fork!.step);
      expect(params['lr']).not.toBe(parent.params['lr']);
      expect(why[0]!.why).toMatchObject({ sampler: 'pbt', from: parent.number, parent: { step: fork!.step } });
      const replaced = trials.find((each) => each.why.at(-1)!.why['replaced_by'] === number)!;
      expect(replaced.status).toBe('pruned');
      expect(replaced.value!).toBeGreaterThan(parent.values.find(({ step }) => step === fork!.step)!.value!);
    }
  });

  test('does the same in whatever order its members come, and again from its log', () => {
    const worlds = [1, 2, 3].map((seed) => train({ seed }));
    expect(worlds[1]!.log.map(({ event }) => event)).not.toEqual(worlds[0]!.log.map(({ event }) => event));
    for (const world of worlds) expect(startsOf(world)).toEqual(startsOf(worlds[0]!));
    const { rules, log } = worlds[0]!;
    let state = emptySweep(rules.spec);
    for (const entry of log) {
      expect(JSON.stringify(decide(rules, state, entry.event))).toBe(JSON.stringify(entry.decisions));
      state = applied(rules.spec, state, entry);
    }
  });

  test('finds better parameters than it began with', () => {
    const { state: { trials } } = train({ end: 205 });
    const distance = (some: typeof trials): number => some.reduce((sum, { params }) => sum + value(params, 1e9), 0) / some.length;
    expect(distance(trials.filter(({ status }) => status === 'succeeded'))).toBeLessThan(0.3 * distance(trials.slice(0, 8)));
  });

  test('waits for nobody who has failed', () => {
    const world = train({ fails: (trial) => trial === 3 || trial === 9 });
    expect(world.state.trials.filter(({ status }) => status === 'failed').map(({ number }) => number)).toEqual([3, 9]);
    expect(world.state.end).toMatchObject({ status: 'succeeded' });
    expect(world.state.trials.filter((trial) => !isOver(trial))).toEqual([]);
  });

  test('begins no more trials than it may, and then goes on as it is', () => {
    const world = train({}, { ...SPEC, run_cap: 11 });
    expect(world.state.trials).toHaveLength(11);
    expect(world.state.trials.filter(({ status }) => status === 'succeeded')).toHaveLength(8);
  });

  test('is not exchanged while its sweep is paused', () => {
    const { rules, state } = train({ says: { 3: { type: 'said', verb: 'pause' } } });
    expect(state.trials.map(({ status, upTo }) => [status, upTo])).toEqual(Array(8).fill(['paused', 10]));
    expect(decide(rules, state, { type: 'said', verb: 'resume' }).map(({ type }) => type).sort()).toEqual([...Array<string>(6).fill('go_on'), 'prune', 'prune', 'start', 'start']);
  });

  test('is refused where it cannot be one', () => {
    const refused = (changed: object): string => {
      try {
        rulesOf({ ...SPEC, ...changed });
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused({})).toBe('');
    expect(refused({ budget: { max_concurrent: 4 } })).toContain('must be null or at least pbt.population, 8, got 4');
    expect(refused({ run_cap: 7 })).toContain('must be null or at least pbt.population, 8, got 7');
    expect(refused({ job: undefined, execution: 'external' })).toContain('pbt needs a `job`');
    expect(refused({ parameters: { ...SPEC.parameters, 'training.optimizer.momentum': { min: 0.1, max: 0.9, condition: { lr: [0.1] } } } })).not.toBe('');
  });
});

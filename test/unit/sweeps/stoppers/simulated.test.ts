// Early stopping as a whole, in simulated time.
import { describe, expect, test } from 'vitest';
import { rungResources } from '../../../../lib/sweeps/stoppers/rungs.js';
import { uniformAt } from '../../../../lib/training/random.js';
import { HARTMANN6_MINIMUM, MF_PRESETS, mfHartmann6, randomHartmannTrials } from '../../../support/mf-hartmann6.js';
import { type Simulation, simulateSweep } from '../../../support/sweep-simulator.js';

const valueOf = (trial: number): number => uniformAt([1, 2], trial);

describe('nine workers on rungs 1, 3 and 9', () => {
  const toy: Simulation = { workers: 9, resources: rungResources({ min: 1, max: 9, eta: 3 }), eta: 3, rule: 'promotion', valueOf, maxResource: 200 };

  test('have a whole trial after the time of one, where each goes on from where it paused', () => {
    expect(simulateSweep(toy).completed[0]!.time).toBe(9);
    expect(simulateSweep({ ...toy, rule: 'stopping' }).completed[0]!.time).toBe(9);
  });

  test('have one only at 13 = 1 + 3 + 9 where every rung is trained from zero', () => {
    expect(simulateSweep({ ...toy, restarts: true }).completed[0]!.time).toBe(13);
  });

  test('are never idle while promotion goes on', () => {
    const { spent, time } = simulateSweep({ ...toy, maxResource: 5_000 });
    // but at the very end
    expect(spent / (9 * time)).toBeGreaterThan(0.98);
  });
});

describe('a simulated sweep', () => {
  const sweep: Simulation = { workers: 4, resources: [1, 3, 9, 27], eta: 3, rule: 'promotion', valueOf, maxTrials: 60 };

  test('ends with a whole run of its best trial, however few there are', () => {
    for (const maxTrials of [1, 2, 5, 26, 60]) {
      const { trials, completed } = simulateSweep({ ...sweep, maxTrials });
      expect(trials).toBe(maxTrials);
      expect(Math.min(...completed.map(({ value }) => value!))).toBe(Math.min(...Array.from({ length: maxTrials }, (_, trial) => valueOf(trial))));
    }
    expect(simulateSweep({ ...sweep, maxTrials: 2, valueOf: () => null }).completed).toEqual([]);
  });

  test('fills every rung with a third of the rung below at least', () => {
    const { arrivals } = simulateSweep(sweep);
    const counts = sweep.resources.map((_, rung) => arrivals.filter((each) => each.rung === rung).length);
    expect(counts[0]).toBe(60);
    for (const rung of [1, 2, 3]) expect(counts[rung]).toBeGreaterThanOrEqual(Math.floor(counts[rung - 1]! / 3));
  });

  test('costs of a trial what the last rung that it reached costs, in whatever pieces', () => {
    const { arrivals, spent } = simulateSweep({ ...sweep, paceOf: (trial) => 1 + uniformAt([3, 4], trial) });
    const highest = new Map(arrivals.map(({ trial, rung }) => [trial, sweep.resources[rung]!]));
    expect(spent).toBe([...highest.values()].reduce((sum, each) => sum + each, 0));
  });

  test('with stopping judges every arrival below the highest rung once', () => {
    const { arrivals, verdicts, completed } = simulateSweep({ ...sweep, rule: 'stopping' });
    expect(verdicts.length + completed.length).toBe(arrivals.length);
    for (const { time, trial, verdict, why } of verdicts) expect(arrivals.some((each) => each.trial === trial && each.rung === why.rung + 1 && each.time > time)).toBe(verdict === 'continue');
  });
});

describe('MF-Hartmann6', () => {
  test('is the Hartmann function at the full resource, and flatter and noisier below', () => {
    const minimum = [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573];
    expect(mfHartmann6(minimum, 1, MF_PRESETS.good, 2)).toBeCloseTo(HARTMANN6_MINIMUM, 4);
    expect(mfHartmann6(minimum, 0, MF_PRESETS.default, 0)).toBeGreaterThan(HARTMANN6_MINIMUM);
    expect(mfHartmann6(minimum, 0, MF_PRESETS.default, -1)).toBeCloseTo(mfHartmann6(minimum, 0, MF_PRESETS.default, 0) + 0.1, 12);
  });

  test.each(['promotion', 'stopping'] as const)('is solved better by %s with 20 whole trials’ worth of training than by 50 random ones', (rule) => {
    const resources = rungResources({ min: 1, max: 81, eta: 3 });
    const seeds = Array.from({ length: 20 }, (_, seed) => seed);
    const regret = (seed: number, simulation: Pick<Simulation, 'rule' | 'maxResource'>): number => {
      const { completed } = simulateSweep({ workers: 9, resources, eta: 3, valueOf: randomHartmannTrials(seed, 81, MF_PRESETS.default), ...simulation });
      return Math.min(...completed.map(({ value }) => value!)) - HARTMANN6_MINIMUM;
    };
    const mean = (simulation: Pick<Simulation, 'rule' | 'maxResource'>): number => seeds.reduce((sum, seed) => sum + regret(seed, simulation), 0) / seeds.length;
    expect(mean({ rule, maxResource: 20 * 81 })).toBeLessThan(mean({ rule: 'none', maxResource: 50 * 81 }) - 0.3);
  });
});

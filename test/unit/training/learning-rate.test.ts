import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LrScheduleSpec } from '../../../lib/contract/training.js';
import { adamConstants, adamStepSize, checkSchedule, makeLearningRate, powi, weightDecayFactor } from '../../../lib/training/learning-rate.js';

const adam = { type: 'adam', lr: 0.001, decay: 1e-5, weight_decay: 0, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: false } as const;
const sgd = { type: 'sgd', lr: 0.1, decay: 0, weight_decay: 0.01, momentum: 0.9, nesterov: false } as const;
const constant = { type: 'constant', warmup_updates: 0 } as const;
/** Of adam with lr 0.1 and no decay. */
const rates = (schedule: LrScheduleSpec, total = 100) => makeLearningRate({ optimizer: { ...adam, lr: 0.1, decay: 0 }, lr_schedule: schedule }, total);
const close = (actual: number, expected: number) => expect(Math.abs(actual - expected) / expected).toBeLessThan(1e-12);

describe('powi', () => {
  it('is exact where powers are', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), (exponent) => {
        expect(powi(0.5, exponent)).toBe(2 ** -exponent);
      }),
    );
    expect(powi(3, 30)).toBe(205_891_132_094_649);
    expect(powi(0, 0)).toBe(1);
    expect(powi(0, 5)).toBe(0);
  });

  it('stays close to the true power for many updates', () => {
    for (const exponent of [1, 2, 10, 1000, 123_457]) {
      const expected = Math.exp(exponent * Math.log(0.999));
      expect(Math.abs(powi(0.999, exponent) / expected - 1)).toBeLessThan(1e-11);
    }
    expect(powi(0.999, Number.MAX_SAFE_INTEGER)).toBe(0);
  });
});

describe('a learning rate', () => {
  it('is lr / (1 + decay·u) in float64', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 10, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (lr, decay, update) => {
        expect(makeLearningRate({ optimizer: { ...adam, lr, decay }, lr_schedule: constant }, 100)(update)).toBe(lr / (1 + decay * update));
      }),
    );
  });

  it('does not decay before the first update', () => {
    expect(makeLearningRate({ optimizer: { ...adam, decay: 0.5 }, lr_schedule: constant }, 100)(0)).toBe(0.001);
  });

  it('falls by steps', () => {
    const at = rates({ type: 'step', every_updates: 10, gamma: 0.5, warmup_updates: 0 });
    expect([0, 9, 10, 19, 20, 35].map(at)).toEqual([0.1, 0.1, 0.05, 0.05, 0.025, 0.0125]);
  });

  it('falls exponentially, or in a staircase', () => {
    const schedule = { type: 'exponential', decay_rate: 0.96, decay_steps: 20, warmup_updates: 0 } as const;
    for (const update of [0, 1, 19, 20, 55, 1000]) {
      close(rates({ ...schedule, staircase: false })(update), 0.1 * 0.96 ** (update / 20));
      close(rates({ ...schedule, staircase: true })(update), 0.1 * 0.96 ** Math.floor(update / 20));
    }
  });

  it('falls along a cosine, to alpha, and stays there', () => {
    const at = rates({ type: 'cosine', decay_updates: 50, alpha: 0.01, warmup_updates: 0 });
    expect([at(0), at(50), at(99)]).toEqual([0.1, 0.001, 0.001]);
    for (const update of [1, 10, 25, 49]) close(at(update), 0.1 * (0.99 * 0.5 * (1 + Math.cos((Math.PI * update) / 50)) + 0.01));
    // without a length of its own: what the warm-up leaves of the training
    const whole = rates({ type: 'cosine', decay_updates: null, alpha: 0, warmup_updates: 20 });
    close(whole(60), 0.05);
    expect(whole(100)).toBe(0);
  });

  it('has the value up to a boundary, the boundary included', () => {
    const at = rates({ type: 'piecewise', boundaries: [10, 30], values: [1, 0.5, 0.25], warmup_updates: 0 });
    expect([0, 10, 11, 30, 31, 99].map(at)).toEqual([1, 1, 0.5, 0.5, 0.25, 0.25]);
  });

  it('cycles once, as PyTorch has it', () => {
    const at = rates({ type: 'one_cycle', pct_start: 0.3, div_factor: 25, final_div_factor: 1e4, warmup_updates: 0 }, 10);
    // torch.optim.lr_scheduler.OneCycleLR(max_lr=0.1, total_steps=10)
    const expected = [0.0040000000000000036, 0.052000000000000005, 0.1, 0.09504846320134738, 0.0811745653949763, 0.06112620219362893, 0.03887419780637107, 0.0188258346050237, 0.004951936798652629, 4e-7];
    expected.forEach((value, update) => expect(Math.abs(at(update) - value)).toBeLessThan(1e-15));
    expect(at(50)).toBe(at(9));
  });

  it('of a cycle too short to rise starts at its peak or below, and is a number', () => {
    for (const total of [1, 2, 3, 4]) {
      for (const share of [0, 0.25, 0.5, 1]) {
        const at = rates({ type: 'one_cycle', pct_start: share, div_factor: 25, final_div_factor: 1e4, warmup_updates: 0 }, total);
        for (let update = 0; update < total; update++) {
          expect(at(update), `${update} of ${total}, ${share}`).toBeGreaterThan(0);
          expect(at(update)).toBeLessThanOrEqual(0.1);
        }
      }
    }
  });

  it('warms up to lr, and then begins its schedule', () => {
    const at = rates({ type: 'step', every_updates: 3, gamma: 0.5, warmup_updates: 4 });
    expect([0, 1, 2, 3, 4, 6, 7].map(at)).toEqual([0.025, 0.05, 0.1 * 3 / 4, 0.1, 0.1, 0.1, 0.05]);
  });

  it('decays by all updates, those of the warm-up too', () => {
    const at = makeLearningRate({ optimizer: { ...adam, lr: 0.1, decay: 0.5 }, lr_schedule: { type: 'constant', warmup_updates: 2 } }, 100);
    expect([0, 1, 2].map(at)).toEqual([0.05, 0.1 / 1.5, 0.1 / 2]);
  });

  it('needs an update beyond the warm-up where the schedule goes by the training’s length', () => {
    const cosine = { type: 'cosine', decay_updates: null, alpha: 0, warmup_updates: 10 } as const;
    expect(checkSchedule({ lr_schedule: cosine }, 11)).toEqual([]);
    expect(checkSchedule({ lr_schedule: cosine }, 10)).toEqual([{ param: 'training.lr_schedule.warmup_updates', message: 'leaves nothing for the schedule "cosine": warm-up takes 10 updates, the training makes 10' }]);
    expect(checkSchedule({ lr_schedule: { ...cosine, decay_updates: 5 } }, 10)).toEqual([]);
    expect(checkSchedule({ lr_schedule: { type: 'constant', warmup_updates: 99 } }, 10)).toEqual([]);
  });
});

describe('the numbers of adam', () => {
  it('are the closed form at t = u + 1', () => {
    for (const u of [0, 1, 2, 9, 299, 100_000]) {
      const stepSize = adamStepSize(adam, 0.001, u);
      const expected = (0.001 * Math.sqrt(1 - 0.999 ** (u + 1))) / (1 - 0.9 ** (u + 1));
      expect(Math.abs(stepSize / expected - 1)).toBeLessThan(1e-6);
      expect(stepSize).toBe(Math.fround(stepSize));
    }
  });

  it('take 1 − β in float64 and round it once', () => {
    const scalars = adamConstants(adam);
    expect(scalars).toMatchObject({ beta1: Math.fround(0.9), oneMinusBeta1: Math.fround(1 - 0.9), beta2: Math.fround(0.999), oneMinusBeta2: Math.fround(1 - 0.999), epsilon: Math.fround(1e-7) });
    // subtracting after the rounding is another number
    expect(scalars.oneMinusBeta2).not.toBe(Math.fround(1 - Math.fround(0.999)));
  });

  it('are a function of the count alone: no running product', () => {
    const all = Array.from({ length: 300 }, (_, u) => adamStepSize(adam, makeLearningRate({ optimizer: adam, lr_schedule: constant }, 300)(u), u));
    for (const u of [2, 5, 50, 150, 299]) expect(adamStepSize(adam, makeLearningRate({ optimizer: adam, lr_schedule: constant }, 300)(u), u)).toEqual(all[u]);
  });

  it('take null as epsilon 1e-7', () => {
    expect(adamConstants({ ...adam, epsilon: null }).epsilon).toBe(Math.fround(1e-7));
  });
});

describe('the reference trajectories', () => {
  interface Reference {
    accum_iters: number;
    optimizer: { lr?: number; decay?: number; beta_1?: number; beta_2?: number; epsilon?: number; amsgrad?: boolean };
    initial: Record<string, number[]>;
    gradients: Record<string, number[]>[];
    weights_after: Record<string, number[]>[];
  }
  const folder = new URL('../../fixtures/adam/', import.meta.url);

  it.each(readdirSync(folder))('are followed by these scalars: %s', (file) => {
    const reference = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Reference;
    const optimizer = { ...adam, decay: 0, ...reference.optimizer };
    let update = 0;
    const fixed = adamConstants(optimizer);
    for (const [name, initial] of Object.entries(reference.initial)) {
      update = 0;
      const zeros = () => initial.map(() => 0);
      const [w, m, v, vhat] = [[...initial], zeros(), zeros(), zeros()];
      let window = zeros();
      for (const [index, gradients] of reference.gradients.entries()) {
        window = window.map((sum, i) => sum + (gradients[name]![i] as number));
        if ((index + 1) % reference.accum_iters === 0) {
          const stepSize = adamStepSize(optimizer, makeLearningRate({ optimizer, lr_schedule: constant }, 1000)(update), update);
          for (let i = 0; i < w.length; i++) {
            const g = window[i]! / reference.accum_iters;
            m[i] = fixed.beta1 * m[i]! + fixed.oneMinusBeta1 * g;
            v[i] = fixed.beta2 * v[i]! + fixed.oneMinusBeta2 * g * g;
            vhat[i] = Math.max(vhat[i]!, v[i]!);
            w[i]! -= (stepSize * m[i]!) / (Math.sqrt(optimizer.amsgrad ? vhat[i]! : v[i]!) + fixed.epsilon);
          }
          window = zeros();
          update += 1;
        }
        for (let i = 0; i < w.length; i++) expect(Math.abs(w[i]! - reference.weights_after[index]![name]![i]!)).toBeLessThan(1e-6);
      }
    }
    expect(update).toBeGreaterThan(3);
  });
});

describe('weight decay', () => {
  it('is a float32', () => {
    expect(weightDecayFactor(sgd, 0.1)).toBe(Math.fround(0.1 * 0.01));
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adamConstants, adamStepSize, learningRateAt, powi, weightDecayFactor } from '../../../lib/training/learning-rate.js';

const adam = { type: 'adam', lr: 0.001, decay: 1e-5, weight_decay: 0, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: false } as const;
const sgd = { type: 'sgd', lr: 0.1, decay: 0, weight_decay: 0.01, momentum: 0.9, nesterov: false } as const;
const constant = { type: 'constant' } as const;

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

describe('learningRateAt', () => {
  it('is lr / (1 + decay·u) in float64', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 10, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (lr, decay, update) => {
        expect(learningRateAt({ optimizer: { ...adam, lr, decay }, lr_schedule: constant }, update)).toBe(lr / (1 + decay * update));
      }),
    );
  });

  it('does not decay before the first update', () => {
    expect(learningRateAt({ optimizer: { ...adam, decay: 0.5 }, lr_schedule: constant }, 0)).toBe(0.001);
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
    const all = Array.from({ length: 300 }, (_, u) => adamStepSize(adam, learningRateAt({ optimizer: adam, lr_schedule: constant }, u), u));
    for (const u of [2, 5, 50, 150, 299]) expect(adamStepSize(adam, learningRateAt({ optimizer: adam, lr_schedule: constant }, u), u)).toEqual(all[u]);
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
          const stepSize = adamStepSize(optimizer, learningRateAt({ optimizer, lr_schedule: constant }, update), update);
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

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PartialSums } from '../../../lib/training/state.js';
import { addMicroBatch, emptySums, finiteOrNull, meanLoss, shareOf, windowDivisor } from '../../../lib/training/window.js';

const rows = (...samples: number[]) => samples.map((n, i) => ({ samples: n, loss: n * (i + 1), correct: Math.floor(n / 2), top_k_correct: Math.ceil(n / 2) }));
const sum = (list: { samples: number; loss: number; correct: number; top_k_correct: number }[]) => list.reduce(addMicroBatch, emptySums());

describe('windows', () => {
  it('of full micro-batches are divided by their number in both reductions', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 64 }), (batchSize, k) => {
        const sums = sum(rows(...Array<number>(k).fill(batchSize)));
        expect(windowDivisor(sums, 'sample', batchSize)).toBe(k);
        expect(windowDivisor(sums, 'batch', batchSize)).toBe(k);
      }),
    );
  });

  it('with a ragged micro-batch are divided by samples, or by micro-batches', () => {
    const sums = sum(rows(6, 6, 4));
    expect(windowDivisor(sums, 'sample', 6)).toBe(Math.fround(16 / 6));
    expect(windowDivisor(sums, 'batch', 6)).toBe(3);
  });

  it('weigh a ragged micro-batch by its samples, so that every split gives one mean', () => {
    // losses of 16 samples, 1 … 16, cut in different places
    const cut = (...sizes: number[]) => {
      let from = 0;
      return sum(
        sizes.map((samples) => {
          const losses = Array.from({ length: samples }, (_, i) => from + i + 1);
          from += samples;
          return { samples, loss: losses.reduce((a, b) => a + b, 0), correct: 0, top_k_correct: 0 };
        }),
      );
    };
    for (const sums of [cut(16), cut(6, 6, 4), cut(15, 1)]) expect(meanLoss(sums, 'sample')).toBe(8.5);
  });

  it('average means in reduction batch', () => {
    expect(meanLoss(sum([{ samples: 4, loss: 2, correct: 1, top_k_correct: 0 }, { samples: 1, loss: 4, correct: 1, top_k_correct: 0 }]), 'batch')).toBe(3);
  });

  it('continue the same sequence of roundings after a resume', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 40 }), fc.nat(), (losses, at) => {
        const list = losses.map((loss) => ({ samples: 3, loss, correct: 1, top_k_correct: 0 }));
        const cut = at % list.length;
        const stored = JSON.parse(JSON.stringify(sum(list.slice(0, cut)))) as PartialSums;
        expect(list.slice(cut).reduce(addMicroBatch, stored)).toEqual(sum(list));
      }),
    );
  });

  it('have an accuracy, and none without samples', () => {
    expect(shareOf(sum(rows(7, 6, 3)), 'correct')).toBe(7 / 16);
    expect(shareOf(sum(rows(7, 6, 3)), 'top_k_correct')).toBe(9 / 16);
    expect(shareOf(emptySums(), 'correct')).toBeNull();
    expect(meanLoss(emptySums(), 'sample')).toBeNull();
  });

  it('write null where a number is not finite', () => {
    expect([1.5, NaN, Infinity, null].map(finiteOrNull)).toEqual([1.5, null, null, null]);
  });
});

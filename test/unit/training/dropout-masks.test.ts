import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fillDropoutMask, fillPlainly, makeVectorFill } from '../../../lib/training/dropout-masks.js';
import { deriveKey, dropoutKey, dropThreshold, uniformAt } from '../../../lib/training/random.js';

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const anyKey = fc.tuple(int32, int32);

describe('dropout masks', () => {
  // computed from the definition in random.ts by a second implementation in another language
  it('are these for ever', () => {
    const mask = fillDropoutMask(dropoutKey(0, 'dropout_1', 0), [0, 7], 0.25, new Float32Array(16));
    expect([...mask].map((x) => (x === 0 ? 0 : 1)).join('')).toBe('1101111111001111');
    expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
  });

  it('of a sample do not depend on the samples beside it', () => {
    const key = dropoutKey(5, 'dropout_1', 2);
    const alone = fillDropoutMask(key, [11], 0.4, new Float32Array(33));
    const together = fillDropoutMask(key, Int32Array.of(3, 11, 8), 0.4, new Float32Array(99));
    expect(together.slice(33, 66)).toEqual(alone);
  });

  it('drop exactly where the uniform number is below the rate', () => {
    fc.assert(
      fc.property(anyKey, fc.nat(1_000_000), fc.double({ min: 0, max: 0.999, noNaN: true }), (key, sample, rate) => {
        const mask = fillDropoutMask(key, [sample], rate, new Float32Array(16));
        for (let i = 0; i < 16; i++) expect(mask[i] === 0).toBe(uniformAt(deriveKey(key, sample), i) < rate);
      }),
    );
    // a rate just above a number that is drawn
    const drawn = uniformAt(deriveKey([1, 2], 5), 0);
    expect([drawn, drawn + 2 ** -26].map((rate) => fillDropoutMask([1, 2], [5], rate, new Float32Array(1))[0] === 0)).toEqual([false, true]);
    expect(dropThreshold(0)).toBe(0);
  });

  it('drop the share that the rate says', () => {
    const mask = fillDropoutMask(dropoutKey(5, 'x', 0), Array.from({ length: 100 }, (_, i) => i), 0.3, new Float32Array(100_000));
    const dropped = mask.reduce((sum, x) => sum + (x === 0 ? 1 : 0), 0) / mask.length;
    expect(Math.abs(dropped - 0.3)).toBeLessThan(0.008);
  });

  it('refuse a buffer that is not one row a sample', () => {
    expect(() => fillDropoutMask([1, 2], [1, 2, 3], 0.5, new Float32Array(10))).toThrow(RangeError);
  });

  it('are the same numbers four at a time', () => {
    const fill = makeVectorFill();
    expect(fill, 'vectors on the processor that runs this').not.toBeNull();
    const lengths = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(16_383, 16_384, 16_385, 40_001));
    fc.assert(
      fc.property(anyKey, lengths, fc.double({ min: 0, max: 0.999, noNaN: true }), (key, length, rate) => {
        const [vectors, plain] = [fill!, fillPlainly].map((each) => {
          const out = new Float32Array(length + 2).fill(-1);
          each(key, dropThreshold(rate), 1 / (1 - rate), out.subarray(1, length + 1));
          return out;
        });
        expect(Buffer.from(vectors!.buffer).equals(Buffer.from(plain!.buffer)), `${length} of key ${key.join()}, rate ${rate}`).toBe(true);
        expect([vectors![0], vectors![length + 1]]).toEqual([-1, -1]);
      }),
    );
  });
});

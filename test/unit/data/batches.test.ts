import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NormalizeSpec } from '../../../lib/contract/spec.js';
import { makeBatcher } from '../../../lib/data/batches.js';
import { normalizeProblems } from '../../../lib/data/normalize.js';
import type { DataDescription, Dataset } from '../../../lib/data/source.js';
import { assertValidationFits, splitCounts, splitValidation } from '../../../lib/data/validation.js';
import { isAppError } from '../../../lib/errors.js';
import { loadSource } from './npz-files.js';

/** Four samples of [1, 2, 2] and three classes. */
function bytes(): Dataset {
  return {
    description: { samples: 4, shape: [1, 2, 2], classes: 3, labels: 'integer', dtype: 'uint8', unit: 255 },
    x: Uint8Array.of(0, 1, 2, 3, 10, 20, 30, 40, 255, 254, 253, 252, 7, 8, 9, 11),
    y: Int32Array.of(0, 2, 1, 2),
  };
}
function floats(): Dataset {
  const { description, y } = bytes();
  return { description: { ...description, dtype: 'float32', unit: null }, x: Float32Array.from(bytes().x, (value) => value / 3), y };
}

describe('gather', () => {
  it('takes samples in the order of a permutation, with their ids and one-hot labels', () => {
    const order = [2, 0, 3, 1];
    const batch = makeBatcher(bytes(), { normalize: 'none' }).gather(1, 4, (position) => order[position]!);
    expect(batch).toEqual({
      samples: 3,
      sampleIds: Int32Array.of(0, 3, 1),
      x: Float32Array.of(0, 1, 2, 3, 7, 8, 9, 11, 10, 20, 30, 40),
      y: Float32Array.of(1, 0, 0, 0, 0, 1, 0, 0, 1),
    });
  });

  it('takes file order without a permutation, down to one sample', () => {
    const { x, sampleIds } = makeBatcher(floats(), { normalize: 'none' }).gather(3, 4);
    expect([x, sampleIds]).toEqual([Float32Array.of(7 / 3, 8 / 3, 3, 11 / 3), Int32Array.of(3)]);
  });

  it('gives fresh buffers each time, and never the data set itself', () => {
    for (const set of [bytes(), floats()]) {
      const batcher = makeBatcher(set, { normalize: 'none' });
      const [a, b] = [batcher.gather(0, 4), batcher.gather(0, 4)];
      for (const buffer of [a.x, a.y, a.sampleIds]) buffer.fill(77);
      expect(batcher.gather(0, 4)).toEqual(b);
      expect(new Set([a.x.buffer, a.y.buffer, b.x.buffer, b.y.buffer, set.x.buffer]).size).toBe(5);
      expect([a.x.byteOffset, a.x.buffer.byteLength]).toEqual([0, a.x.byteLength]);
    }
  });

  it('passes float32 values on bit by bit', () => {
    const bits = Uint32Array.of(0x7fa12345, 0x80000000, 0xff800000, 1);
    const set: Dataset = { description: { ...floats().description, samples: 1 }, x: new Float32Array(bits.buffer), y: Int32Array.of(0) };
    expect(new Uint32Array(makeBatcher(set, { normalize: 'none' }).gather(0, 1).x.buffer)).toEqual(bits);
  });

  it('passes label rows on, soft ones too', () => {
    const set: Dataset = { ...bytes(), description: { ...bytes().description, labels: 'one_hot' }, y: Float32Array.of(1, 0, 0, 0.25, 0.5, 0.25, 0, 0, 1, 0, 1, 0) };
    expect(makeBatcher(set, { normalize: 'none' }).gather(1, 3).y).toEqual(Float32Array.of(0.25, 0.5, 0.25, 0, 0, 1));
  });

  it('makes label rows as wide as the training set needs them', () => {
    expect(makeBatcher(bytes(), { normalize: 'none', classes: 5 }).gather(1, 2).y).toEqual(Float32Array.of(0, 0, 1, 0, 0));
    expect(() => makeBatcher(bytes(), { normalize: 'none', classes: 2 })).toThrow(RangeError);
  });

  it('refuses samples that are not there', () => {
    const batcher = makeBatcher(bytes(), { normalize: 'none' });
    for (const [from, to] of [[0, 5], [-1, 2], [2, 2], [3, 1], [0.5, 2], [0, NaN]] as const) expect(() => batcher.gather(from, to)).toThrow(RangeError);
    expect(() => batcher.gather(0, 5, () => 0)).toThrow(RangeError);
    for (const bad of [4, -1, 0.5, NaN]) expect(() => batcher.gather(0, 1, () => bad)).toThrow(RangeError);
  });
});

describe('normalize', () => {
  it('unit is the correctly rounded float32 quotient of every byte', () => {
    const set: Dataset = { description: { samples: 256, shape: [1, 1, 1], classes: 1, labels: 'integer', dtype: 'uint8', unit: 255 }, x: Uint8Array.from({ length: 256 }, (_, i) => i), y: new Int32Array(256) };
    const { x } = makeBatcher(set, { normalize: 'unit' }).gather(0, 256);
    expect([...x]).toEqual(Array.from({ length: 256 }, (_, i) => Math.fround(i / 255)));
    expect(Array.from({ length: 256 }, (_, i) => i).some((i) => x[i] !== Math.fround(i * Math.fround(1 / 255)))).toBe(true); // a reciprocal would differ
  });

  it('unit divides digits by 16', async () => {
    const digits = await loadSource({ type: 'builtin', name: 'digits' });
    const { x } = makeBatcher(digits, { normalize: 'unit' }).gather(0, 1797);
    expect(x.every((value, i) => value * 16 === digits.x[i])).toBe(true);
  });

  it('{mean, std} is (v − mean) / std in float64, rounded once, scalar or per channel, for bytes as for floats', () => {
    const statistic = fc.oneof(fc.double({ min: 0.01, max: 300, noNaN: true }), fc.array(fc.double({ min: 0.01, max: 300, noNaN: true }), { minLength: 2, maxLength: 2 }));
    fc.assert(
      fc.property(statistic, statistic, fc.boolean(), (mean, std, asFloats) => {
        const set = asFloats ? floats() : bytes();
        const { x } = makeBatcher(set, { normalize: { mean, std } }).gather(0, 4);
        const at = (given: number | number[], i: number) => (typeof given === 'number' ? given : given[i % 2]!);
        expect(x).toEqual(Float32Array.from(set.x, (value, i) => Math.fround((value - at(mean, i)) / at(std, i))));
      }),
    );
  });

  it.each<[string, NormalizeSpec, Partial<DataDescription>, { param: string; message: string } | null]>([
    ['none of anything', 'none', { unit: null, dtype: 'float32' }, null],
    ['unit of bytes', 'unit', {}, null],
    ['unit of floats', 'unit', { unit: null, dtype: 'float32' }, { param: 'data.normalize', message: '"unit" is not defined for float32 data: it divides by the largest value of the type; use {mean, std}' }],
    ['scalars', { mean: 1, std: 2 }, {}, null],
    ['lists', { mean: [1, 2], std: 2 }, {}, null],
    ['too short a list', { mean: [1], std: 2 }, {}, { param: 'data.normalize.mean', message: 'has 1 numbers, but the data has 2 channels' }],
    ['too long a list', { mean: 1, std: [1, 2, 3] }, {}, { param: 'data.normalize.std', message: 'has 3 numbers, but the data has 2 channels' }],
  ])('%s: fits or says why not', (_name, normalize, changes, problem) => {
    const set = bytes();
    const description = { ...set.description, ...changes };
    expect(normalizeProblems(normalize, description)).toEqual(problem === null ? [] : [problem]);
    const make = () => makeBatcher({ ...set, description, x: description.dtype === 'uint8' ? set.x : floats().x }, { normalize });
    if (problem === null) make();
    else expect(make).toThrow(expect.objectContaining({ code: 'invalid_data', ...problem }) as Error);
  });
});

describe('splitValidation', () => {
  it('gives the last samples in file order to validation, as views', () => {
    const set = bytes();
    const { train, validation } = splitValidation(set, 0.3);
    expect([train.description.samples, validation.description.samples]).toEqual([2, 2]);
    expect([train.x, train.y, validation.x, validation.y]).toEqual([set.x.slice(0, 8), set.y.slice(0, 2), set.x.slice(8), set.y.slice(2)]);
    expect(validation.x.buffer).toBe(set.x.buffer);
    expect(makeBatcher(validation, { normalize: 'none' }).gather(0, 1).sampleIds).toEqual(Int32Array.of(0));
    expect(validation.description).toEqual({ ...set.description, samples: 2 }); // classes stay those of the whole
  });

  it('cuts label rows by their width', () => {
    const set: Dataset = { ...bytes(), description: { ...bytes().description, labels: 'one_hot' }, y: Float32Array.from({ length: 12 }, (_, i) => i) };
    expect(splitValidation(set, 0.25).validation.y).toEqual(Float32Array.of(9, 10, 11));
  });

  it('counts n_train = ⌊N·(1−f)⌋ as Keras does, float64 included', () => {
    expect(splitCounts(1797, 0.2)).toEqual({ train: 1437, validation: 360 });
    expect(splitCounts(10, 0.2)).toEqual({ train: 8, validation: 2 });
    expect(splitCounts(100, 0.9)).toEqual({ train: 9, validation: 91 }); // 100 · (1 − 0.9) is 9.999999999999998
    expect(splitCounts(2, 0.5)).toEqual({ train: 1, validation: 1 });
  });

  it('refuses a part without samples', () => {
    for (const [samples, fraction] of [[1, 0.5], [3, 0.9], [10, 1e-18]] as const) {
      expect(() => splitCounts(samples, fraction)).toThrow(expect.objectContaining({ code: 'invalid_data', param: 'data.validation.split' }) as Error);
    }
  });
});

describe('assertValidationFits', () => {
  const { description } = bytes();
  it.each<[string, Partial<DataDescription>, string | null]>([
    ['the same kind of set', {}, null],
    ['fewer class indices', { classes: 2 }, null],
    ['other values and sizes', { samples: 1, dtype: 'float32', unit: null }, null],
    ['label rows for class indices', { labels: 'one_hot' }, null],
    ['another shape', { shape: [1, 2, 3] }, 'validation samples have shape [1, 2, 3], training samples [1, 2, 2]'],
    ['a class more', { classes: 4 }, 'validation labels have 4 classes, training labels 3'],
    ['narrower label rows', { classes: 2, labels: 'one_hot' }, 'validation label rows have 2 classes, training labels 3'],
  ])('judges %s', (_name, changes, message) => {
    let said: string | null = null;
    try {
      assertValidationFits(description, { ...description, ...changes });
    } catch (error) {
      if (!isAppError(error, 'invalid_data') || error.param !== 'data.validation') throw error;
      said = error.message;
    }
    expect(said).toBe(message);
  });
});

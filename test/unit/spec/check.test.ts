import { describe, expect, it } from 'vitest';
import type { JobSpec } from '../../../lib/contract/spec.js';
import type { DataDescription } from '../../../lib/data/source.js';
import { checkAgainstData, structuralCheck } from '../../../lib/jobs/spec/check.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';

const digits: DataDescription = { samples: 1797, shape: [8, 8, 1], classes: 10, labels: 'integer', dtype: 'uint8', unit: 16 };
const floats: DataDescription = { samples: 100, shape: [4, 4, 3], classes: 5, labels: 'one_hot', dtype: 'float32', unit: null };
type Input = Record<string, unknown>;

function specOf(sections: Input = {}): JobSpec {
  const resolved = resolveSpec({ data: { type: 'npz', path: 'a.npz' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10 }] }, ...sections });
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  return resolved.spec;
}
const npz = (more: Input) => ({ data: { type: 'npz', path: 'a.npz', ...more } });
function told(spec: JobSpec, description: DataDescription, validation: DataDescription | null = null): string[] {
  const checked = checkAgainstData(spec, description, validation);
  return 'problems' in checked ? checked.problems.map(({ param, message }) => `${param}: ${message}`) : [];
}

describe('checkAgainstData', () => {
  it('gives the plan and the numbers of a training', () => {
    const spec = specOf({ ...npz({ normalize: 'unit', validation: { split: 0.2 } }), training: { batch_size: 10, accum_iters: 5, epochs: 3 } });
    const checked = checkAgainstData(spec, digits, null);
    // ⌊1797 · 0.8⌋ = 1437 samples, 144 micro-batches an epoch, ⌊3 · 144 / 5⌋ updates
    expect(checked).toMatchObject({ trainSamples: 1437, validationSamples: 360, totalUpdates: 86, plan: { parameters: { trainable: 650 } } });
  });

  it('counts without and with a validation set of its own', () => {
    expect(checkAgainstData(specOf(), digits, null)).toMatchObject({ trainSamples: 1797, validationSamples: null, totalUpdates: 57 });
    const spec = specOf(npz({ validation: { type: 'npz', path: 'b.npz' } }));
    expect(checkAgainstData(spec, digits, { ...digits, samples: 50 })).toMatchObject({ trainSamples: 1797, validationSamples: 50 });
    // not readable here: nothing is said about it
    expect(checkAgainstData(spec, digits, null)).toMatchObject({ trainSamples: 1797, validationSamples: null });
  });

  it.each<[string, Input, DataDescription, DataDescription | null, string | RegExp]>([
    ['a head for other classes', {}, { ...digits, classes: 7 }, null, /^model.layers.1.units: .*gives 10 values, but the data has 7 classes/],
    ['a split that leaves nothing to train', npz({ validation: { split: 0.99 } }), { ...digits, samples: 10 }, null, /^data.validation.split: .*0 of 10 samples/],
    ['a split that leaves nothing to validate', npz({ validation: { split: 1e-17 } }), digits, null, /^data.validation.split: .*0 for validation/],
    ['unit where it means nothing', npz({ normalize: 'unit' }), { ...digits, unit: null, dtype: 'float32' }, null, /^data.normalize: "unit" is not defined for float32/],
    ['a mean of other channels', npz({ normalize: { mean: [1, 2, 3], std: 1 } }), digits, null, 'data.normalize.mean: has 3 numbers, but the data has 1 channel'],
    ['a std of other channels', npz({ normalize: { mean: 0, std: [1, 2] } }), digits, null, 'data.normalize.std: has 2 numbers, but the data has 1 channel'],
    ['no update', { training: { accum_iters: 1000 } }, digits, null, /^training.accum_iters: no update would ever be made: an epoch has 57 micro-batches/],
    ['validation samples of another shape', npz({ validation: { type: 'npz', path: 'b.npz' } }), digits, { ...digits, shape: [9, 8, 1] }, /^data.validation: .*\[9, 8, 1\]/],
    ['validation labels beyond the classes', npz({ validation: { type: 'npz', path: 'b.npz' } }), digits, { ...digits, classes: 11 }, /^data.validation: .*11 classes/],
    ['unit for validation where it means nothing', npz({ validation: { type: 'npz', path: 'b.npz', normalize: 'unit' } }), digits, { ...digits, unit: null, dtype: 'float32' }, /^data.validation.normalize/],
    ['nothing to train', { model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, trainable: false }] } }, digits, null, /^model.layers: no layer has a trainable weight/],
    ['a batch that fits no tensor', { training: { batch_size: 65_536 }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 100_000 }, { type: 'dense', units: 10 }] } }, digits, null, /^training.batch_size: .*6553600000 elements/],
    ['statistics that cannot be counted', { training: { batch_size: 1000, accum_iters: 100_000, epochs: null, max_updates: 1 }, model: { layers: [{ type: 'batch_normalization' }, { type: 'flatten' }, { type: 'dense', units: 10 }] } }, digits, null, /^training.accum_iters: .*6400000000 values/],
  ])('refuses %s', (_, sections, description, validation, message) => {
    const problems = told(specOf(sections), description, validation);
    expect(problems).toEqual([typeof message === 'string' ? message : expect.stringMatching(message)]);
  });

  it('refuses a top_k_accuracy that is always 1', () => {
    const topK = (k: number) => specOf({ training: { metrics: ['accuracy', { type: 'top_k_accuracy', k }] } });
    expect(told(topK(9), digits)).toEqual([]);
    expect(told(topK(10), digits)).toEqual(['training.metrics.1: top_k_accuracy of k = 10 is always 1: the last layer gives 10 values']);
  });

  it('tells everything at once', () => {
    const spec = specOf({ ...npz({ normalize: 'unit', validation: { split: 0.999 } }), training: { accum_iters: 1000 } });
    const params = told(spec, floats).map((text) => text.split(':')[0]);
    expect(params).toEqual(['data.normalize', 'data.validation.split', 'training.accum_iters', 'model.layers.1.units']);
  });

  it('accepts a validation set that lacks some classes, and one mean a channel', () => {
    const spec = specOf({ ...npz({ normalize: { mean: [1, 2, 3], std: [1, 1, 1] }, validation: { type: 'npz', path: 'b.npz' } }), model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 5 }] } });
    expect(told(spec, { ...floats, labels: 'integer' }, { ...floats, labels: 'integer', classes: 3 })).toEqual([]);
  });
});

describe('structuralCheck', () => {
  it('finds what needs no data', () => {
    const spec = specOf();
    expect(structuralCheck(spec)).toEqual([]);
    const twice = { ...spec, model: { ...spec.model, layers: [...spec.model.layers, ...spec.model.layers] } };
    expect(structuralCheck(twice).map(({ param }) => param)).toEqual(['model.layers.2.name', 'model.layers.3.name']);
  });
});

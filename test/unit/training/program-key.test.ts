import { describe, expect, it } from 'vitest';
import type { JobSpec } from '../../../lib/contract/spec.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import { planModel } from '../../../lib/model/plan-model.js';
import { canonicalJson } from '../../../lib/training/canonical-json.js';
import { programKey, specSha256 } from '../../../lib/training/program-key.js';

function specWith(change: (input: Record<string, Record<string, unknown>>) => void = () => undefined): JobSpec {
  const input = {
    data: { type: 'builtin', name: 'digits' },
    model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10 }] },
    training: { optimizer: { type: 'adam' } },
    checkpoint: {},
    resources: {},
    run: {},
  };
  change(input);
  const resolved = resolveSpec(input);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  return resolved.spec;
}
function keyOfSpec(spec: JobSpec, side = 8): string {
  const planned = planModel(spec.model.layers, [side, side, 1]);
  if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
  return programKey(spec, planned.plan);
}

describe('programKey', () => {
  it('is the same for the same computation with another seed, other rates and another length', () => {
    const other = specWith(({ training }) => Object.assign(training!, { seed: 5, epochs: 9, shuffle: false, optimizer: { type: 'adam', lr: 0.1, decay: 0.5 } }));
    expect(keyOfSpec(other)).toBe(keyOfSpec(specWith()));
  });

  it.each<[string, (input: Record<string, Record<string, unknown>>) => void]>([
    ['batch_size', ({ training }) => (training!['batch_size'] = 7)],
    ['accum_iters', ({ training }) => (training!['accum_iters'] = 7)],
    ['reduction', ({ training }) => (training!['reduction'] = 'batch')],
    ['loss', ({ training }) => (training!['loss'] = { type: 'categorical_crossentropy', label_smoothing: 0.1 })],
    ['optimizer', ({ training }) => (training!['optimizer'] = { type: 'sgd' })],
    ['beta', ({ training }) => (training!['optimizer'] = { type: 'adam', beta_1: 0.8 })],
    ['layers', ({ model }) => (model!['layers'] = [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }])],
  ])('is another one with another %s', (_, change) => {
    expect(keyOfSpec(specWith(change))).not.toBe(keyOfSpec(specWith()));
  });

  it('is another one on another input shape', () => {
    expect(keyOfSpec(specWith(), 9)).not.toBe(keyOfSpec(specWith()));
  });
});

describe('specSha256', () => {
  it('ignores what does not change the result', () => {
    const other = specWith(({ training, checkpoint, run, resources }) => {
      Object.assign(training!, { allow_class_change: true });
      Object.assign(checkpoint!, { every_updates: 3 });
      Object.assign(run!, { priority: 9, tags: { a: 'b' } });
      Object.assign(resources!, { gpu: 'none' });
    });
    expect(specSha256({ ...other })).toBe(specSha256(specWith()));
  });

  it.each<[string, (input: Record<string, Record<string, unknown>>) => void]>([
    ['seed', ({ training }) => (training!['seed'] = 1)],
    ['lr', ({ training }) => (training!['optimizer'] = { type: 'adam', lr: 0.1 })],
    ['epochs', ({ training }) => (training!['epochs'] = 2)],
    ['normalize', ({ data }) => (data!['normalize'] = 'unit')],
    ['split', ({ data }) => (data!['validation'] = { split: 0.1 })],
    ['init', ({ model }) => (model!['init'] = { from: 'w.safetensors' })],
  ])('is another one with another %s', (_, change) => {
    expect(specSha256(specWith(change))).not.toBe(specSha256(specWith()));
  });
});

describe('canonicalJson', () => {
  it('does not depend on the order of keys', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: true })).toBe('{"a":true,"b":[1,{"c":"x","d":null}]}');
    expect(canonicalJson({ a: true, b: [1, { c: 'x', d: null }] })).toBe(canonicalJson({ b: [1, { d: null, c: 'x' }], a: true }));
  });

  it('is JSON, numbers and texts included', () => {
    const value = { text: 'a"b\u2028', numbers: [1e-7, 0.1, 1e21, -0, 2 ** 53], keys: { é: 1, Z: 2, a: 3 } };
    expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
  });

  it.each([NaN, Infinity, undefined, () => 1, 1n])('refuses %s', (value) => {
    expect(() => canonicalJson({ value })).toThrow(TypeError);
  });
});

import { describe, expect, it } from 'vitest';
import { chosen, type Engine, show, singles } from '../../resume/support/cuts.js';
import { MODEL_A, MODEL_B, MODEL_C, MODEL_D, MODEL_D_ADAMW, MODEL_E } from '../../resume/support/matrix.js';
import type { Cut } from '../../resume/support/run-training.js';

const ENGINES: Engine[] = ['tensorflow', 'wasm'];
const LIGHT = [MODEL_C, MODEL_D, MODEL_D_ADAMW, MODEL_E];
const named = (cuts: readonly Cut[][]): string[] => cuts.map(show).sort();
const places = (cuts: readonly Cut[][], kind: Cut['kind']): number[] => cuts.flatMap(([cut, ...more]) => (cut && more.length === 0 && cut.kind === kind && 'at' in cut ? [cut.at] : []));

describe('in continuous integration', () => {
  it.each([MODEL_A, MODEL_B])('every single cut is made on both engines, and ten random pairs and triples: $name', (model) => {
    for (const engine of ENGINES) {
      const cuts = chosen(model, engine, 'ci');
      expect(named(cuts)).toEqual(expect.arrayContaining(named(singles(model))));
      for (const size of [2, 3]) expect(cuts.filter(({ length }) => length === size).length).toBeGreaterThanOrEqual(9);
    }
  });

  it.each(LIGHT)('every single cut is made on one engine or the other: $name', (model) => {
    const made = ENGINES.flatMap((engine) => named(chosen(model, engine, 'ci')));
    expect(new Set(made)).toEqual(new Set([...made, ...named(singles(model))]));
    expect(new Set(made.filter((name) => !name.includes(','))).size).toBe(singles(model).length);
  });

  it.each(LIGHT.flatMap((model) => ENGINES.map((engine) => ({ model, engine, name: model.name }))))('cuts of all sorts are made on $engine, and half of all: $name', ({ model, engine }) => {
    const cuts = chosen(model, engine, 'ci');
    const every = model.spec.checkpoint!.every_micro_batches!;
    const own = cuts.filter((each) => !named(model.few).includes(show(each)));
    for (const kind of ['notice', 'kill'] as const) {
      const at = places(own, kind);
      expect(new Set(at.map((place) => place % 2)).size, 'odd and even').toBe(2);
      expect(new Set(at.map((place) => place % every === 0)).size, 'at snapshots and between them').toBe(2);
      const inValidation = cuts.filter(([cut]) => cut?.kind === kind && 'atValidationBatch' in cut);
      if (model.validationBatches > 0) expect(inValidation.length).toBeGreaterThanOrEqual(model.validationBatches / 2);
    }
    expect(own.map(({ length }) => length)).toEqual(expect.arrayContaining([2, 3]));
    expect(own.length).toBeLessThanOrEqual(singles(model).length / 2 + 2);
  });

  it('no two light models have the same random ones', () => {
    const random = LIGHT.flatMap((model) => ENGINES.map((engine) => named(chosen(model, engine, 'ci').filter((each) => each.length > 1 && !model.few.includes(each))).join('; ')));
    expect(new Set(random).size).toBe(random.length);
  });
});

it('by themselves a few are made; in the long proof all, random ones of continuous integration included', () => {
  for (const model of [MODEL_A, MODEL_B, ...LIGHT]) {
    for (const engine of ENGINES) {
      expect(chosen(model, engine, 'few')).toEqual(model.few);
      const all = named(chosen(model, engine, 'all'));
      const beyond = chosen(model, engine, 'ci').filter((each) => !model.few.includes(each));
      expect(all).toEqual(expect.arrayContaining(named(beyond)));
    }
  }
});

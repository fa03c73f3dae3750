import { describe, expect, it } from 'vitest';
import type { ParameterInput } from '../../../lib/contract/sweep.js';
import { contains, isActive, parseSpace, problemsOfParams } from '../../../lib/sweeps/space.js';
import { dimensionOf, spaceOf, told } from './spaces.js';

const problemsOf = (parameters: Record<string, ParameterInput>) => {
  const parsed = parseSpace(parameters);
  return 'problems' in parsed ? told(parsed.problems) : [];
};

describe('a space', () => {
  it('has the parameters in the order of the spec, groups as dotted names', () => {
    const space = spaceOf({ z: { value: 1 }, 'training.optimizer.lr': { min: 0.1, max: 0.5 }, model: { parameters: { units: { values: [1, 2] }, deep: { parameters: { er: { value: 3 } } } } }, a: { value: 2 } });
    expect([...space.dimensions.keys()]).toEqual(['z', 'training.optimizer.lr', 'model.units', 'model.deep.er', 'a']);
    expect(space.conditions.size).toBe(0);
  });

  it('has each parameter after those that it depends on', () => {
    const space = spaceOf({ a: { values: [1, 2], when: { c: [1] } }, b: { value: 1 }, c: { values: [1, 2], when: { d: ['x'] } }, d: { values: ['x', 'y'] } });
    expect([...space.dimensions.keys()]).toEqual(['d', 'c', 'a', 'b']);
  });

  it('knows which distributions have tails', () => {
    expect(spaceOf({ a: { distribution: 'normal' }, b: { min: 0, max: 9 }, c: { distribution: 'q_beta', q: 0.1 } }).tails).toEqual(new Set(['a', 'c']));
  });

  it('names what is wrong, wherever it is, all at once', () => {
    expect(problemsOf({ a: { parameters: { b: { min: 3, max: 1 } } }, 'x.y': { min: 0 }, g: { parameters: { h: { value: 1 } }, min: 3 } })).toEqual([
      'parameters.g.min: is not a key of a group; its keys: parameters, when',
      'parameters.a.parameters.b.max: must be above min, 3 (for one value say "value"), got 1',
      'parameters."x.y".max: is required of int_uniform',
    ]);
  });

  it('refuses a name that is given twice', () => {
    expect(problemsOf({ 'a.b': { value: 1 }, a: { parameters: { b: { value: 2 } } } })).toEqual(['parameters.a.parameters.b: is there already: "a.b" is given twice']);
  });
});

describe('a condition', () => {
  const space = spaceOf({
    type: { values: ['sgd', 'adam', 'adamw'] },
    momentum: { min: 0.5, max: 0.9, when: { type: ['sgd'] } },
    nesterov: { values: [true, false], when: { type: ['sgd', 'adam'], layers: [2, 3] } },
    layers: { min: 1, max: 4 },
    of: { when: { layers: [4] }, parameters: { a: { min: 1, max: 2 }, b: { values: [1, 2], when: { 'of.a': [2] } } } },
  });

  it('holds if the other parameter has one of the values', () => {
    expect(isActive(space, 'type', {})).toBe(true);
    expect(isActive(space, 'momentum', { type: 'sgd' })).toBe(true);
    expect(isActive(space, 'momentum', { type: 'adam' })).toBe(false);
    expect(isActive(space, 'nesterov', { type: 'adam', layers: 3 })).toBe(true);
    expect(isActive(space, 'nesterov', { type: 'adam', layers: 4 })).toBe(false);
  });

  it('does not hold if the other parameter is not there itself', () => {
    expect(isActive(space, 'momentum', {})).toBe(false);
    expect(isActive(space, 'of.b', { layers: 4, 'of.a': 2 })).toBe(true);
    expect(isActive(space, 'of.b', { layers: 4 })).toBe(false);
  });

  it('of a group holds for all in it', () => {
    expect(space.conditions.get('of.b')).toEqual([{ parameter: 'layers', values: [4] }, { parameter: 'of.a', values: [2] }]);
    expect(isActive(space, 'of.a', { layers: 3 })).toBe(false);
  });

  it('compares objects by what is in them', () => {
    const objects = spaceOf({ opt: { values: [{ type: 'sgd', lr: 1 }, { type: 'adam' }] }, x: { value: 1, when: { opt: [{ lr: 1, type: 'sgd' }] } } });
    expect(isActive(objects, 'x', { opt: { type: 'sgd', lr: 1 } })).toBe(true);
    expect(isActive(objects, 'x', { opt: { type: 'adam' } })).toBe(false);
  });

  it.each<[Record<string, ParameterInput>, string[]]>([
    [{ a: { value: 1, when: { b: [1] } } }, ['parameters.a.when.b: must name another parameter by its whole name: one of a']],
    [{ a: { value: 1, when: { a: [1] } } }, ['parameters.a: depends on itself: a → a']],
    [{ a: { value: 1, when: { b: [1] } }, b: { value: 1, when: { c: [1] } }, c: { value: 1, when: { b: [1] } } }, ['parameters.b: depends on itself: b → c → b']],
    [{ a: { values: [1, 2] }, b: { value: 1, when: { a: [1, 3] } } }, ['parameters.b.when.a.1: must be a value that a can have, one of 1, 2, got 3']],
    [{ a: { min: 1, max: 4 }, b: { value: 1, when: { a: [1.5] } } }, ['parameters.b.when.a.0: must be a value that a can have, a number from 1 to 4 in steps of 1, got 1.5']],
    [{ a: { min: 0.5, max: 1 }, b: { value: 1, when: { a: [0.7] } } }, ['parameters.b.when.a: must name a parameter with choices or steps: another one as good as never has a certain value']],
  ])('%j is refused', (parameters, problems) => {
    expect(problemsOf(parameters)).toEqual(problems);
  });
});

describe('a value from outside', () => {
  it('is one that a trial could have', () => {
    expect(contains(dimensionOf({ min: 1, max: 4 }), 3)).toBe(true);
    expect([5, 0, 2.5, '3', null, NaN].some((value) => contains(dimensionOf({ min: 1, max: 4 }), value))).toBe(false);
    expect([0.1, 0.30000000000000004, 1].every((value) => contains(dimensionOf({ distribution: 'q_uniform', min: 0, max: 1, q: 0.1 }), value))).toBe(true);
    expect([-3, 0, 1000].map((value) => contains(dimensionOf({ distribution: 'normal' }), value))).toEqual([true, true, false]);
    expect([1e-5, 0.1, 0.2].map((value) => contains(dimensionOf({ distribution: 'log_uniform_values', min: 1e-5, max: 0.1 }), value))).toEqual([true, true, false]);
  });

  it('is named if it is not', () => {
    const space = spaceOf({ lr: { min: 0.1, max: 0.5 }, units: { values: [8, 16] } });
    expect(told(problemsOfParams(space, { lr: 2, units: 9, other: 1 }, 'warm_start.points.0'))).toEqual([
      'warm_start.points.0.lr: must be a number from 0.1 to 0.5, got 2',
      'warm_start.points.0.units: must be one of 8, 16, got 9',
      'warm_start.points.0.other: is not a parameter of this sweep; its parameters: lr, units',
    ]);
    expect(problemsOfParams(space, { lr: 0.2 }, '')).toEqual([]);
  });
});

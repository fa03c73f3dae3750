import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Dimension, Params } from '../../../../lib/sweeps/dimension.js';
import type { PastTrial } from '../../../../lib/sweeps/samplers/past-trials.js';
import { commonSubspace, groupSubspaces } from '../../../../lib/sweeps/samplers/subspaces.js';
import { suggestTpe, type TpeOptions } from '../../../../lib/sweeps/samplers/tpe.js';
import type { Preset } from '../../../../lib/sweeps/samplers/tpe-presets.js';
import { keyOf, uniformAt } from '../../../../lib/training/random.js';
import { choices, integers, numbers } from './dimensions.js';

type Space = readonly (readonly [string, Dimension])[];
const space: Space = [
  ['lr', numbers(1e-5, 1, { log: true })],
  ['layers', integers(1, 8)],
  ['optimizer', choices('sgd', 'adam')],
  ['batch', choices(32)],
];

/** Trials like those of a sweep: better for a small distance from lr = 1e-3. */
function history(count: number, of: Space = space): PastTrial[] {
  return Array.from({ length: count }, (_, number) => {
    const { params } = suggestTpe(of, [], { seed: 5, number });
    return { number, params, state: 'complete', value: typeof params.lr === 'number' ? Math.abs(Math.log10(params.lr) + 3) : number, steps: [] };
  });
}

const options = (number: number, more: Partial<TpeOptions> = {}): TpeOptions => ({ seed: 1, number, ...more });
const running = (number: number, params: Params): PastTrial => ({ number, params, state: 'running', value: null, steps: [] });

describe('the first trials', () => {
  test('are drawn from the prior until ten have finished', () => {
    const nine = [...history(9), running(9, { lr: 0.1, layers: 1, optimizer: 'sgd', batch: 32 }), { ...history(12)[11]!, state: 'failed' as const }];
    expect(suggestTpe(space, nine, options(12)).why).toEqual({ kind: 'startup', finished: 9 });
    expect(suggestTpe(space, history(10), options(12)).why.kind).toBe('tpe');
    expect(suggestTpe(space, history(3), options(12, { nStartupTrials: 3 })).why.kind).toBe('tpe');
  });

  test('are uniform on the line, over cells and by probability', () => {
    const count = 8_000;
    const drawn = Array.from({ length: count }, (_, number) => suggestTpe([...space, ['odd', { kind: 'categorical', choices: ['a', 'b'], probabilities: [0.9, 0.1] }]], [], options(number)).params);
    const share = (wanted: (params: Params) => boolean): number => drawn.filter(wanted).length / count;
    expect(share(({ lr }) => (lr as number) < 1e-4)).toBeCloseTo(0.2, 1);
    expect(share(({ layers }) => layers === 1)).toBeCloseTo(1 / 8, 1);
    expect(share(({ layers }) => layers === 8)).toBeCloseTo(1 / 8, 1);
    expect(share(({ optimizer }) => optimizer === 'adam')).toBeCloseTo(0.5, 1);
    expect(share(({ odd }) => odd === 'b')).toBeCloseTo(0.1, 1);
    expect(share(({ batch }) => batch === 32)).toBe(1);
  });
});

describe('a suggestion', () => {
  test('is a function of its arguments, whatever the order of the trials', () => {
    const trials = history(40);
    const first = suggestTpe(space, trials, options(40));
    expect(suggestTpe(space, structuredClone(trials).reverse(), options(40))).toEqual(first);
    expect(suggestTpe(space, trials, options(40, { seed: 2 }))).not.toEqual(first);
    expect(suggestTpe(space, trials, options(41))).not.toEqual(first);
  });

  test('does not depend on what its own trial is said to be', () => {
    const trials = history(40);
    expect(suggestTpe(space, [...trials, running(40, trials[0]!.params)], options(40))).toEqual(suggestTpe(space, trials, options(40)));
  });

  test('has every parameter in the order of the space, each a value that it may have', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.integer(), fc.boolean(), fc.constantFrom('pawl', 'optuna5', 'watanabe2023'), (count, seed, group, preset) => {
        const { params } = suggestTpe(space, history(count), { seed, number: count, group, preset });
        expect(Object.keys(params)).toEqual(['lr', 'layers', 'optimizer', 'batch']);
        const { lr, layers, optimizer, batch } = params as Record<string, never>;
        expect(lr).toBeGreaterThanOrEqual(1e-5);
        expect(lr).toBeLessThanOrEqual(1);
        expect([1, 2, 3, 4, 5, 6, 7, 8]).toContain(layers);
        expect(['sgd', 'adam']).toContain(optimizer);
        expect(batch).toBe(32);
      }),
      { numRuns: 60 },
    );
  });

  test('says how many trials were good, where the line was, and how much spoke for it', () => {
    const trials = [...history(40), running(40, history(1)[0]!.params)];
    const { why } = suggestTpe(space, trials, options(41));
    const values = trials.slice(0, 40).map(({ value }) => value!).sort((a, b) => a - b);
    expect(why).toMatchObject({ kind: 'tpe', below: 4, above: 37, cutoff: values[3] });
    expect(why.kind === 'tpe' && Number.isFinite(why.ratio)).toBe(true);
  });

  test('keeps to where the good trials are', () => {
    const trials = history(60);
    const drawn = Array.from({ length: 40 }, (_, i) => suggestTpe(space, trials, options(60 + i)).params.lr as number);
    expect(drawn.filter((lr) => lr > 1e-4 && lr < 1e-2).length).toBeGreaterThan(30);
  });

  test('comes also of trials that all have no value', () => {
    const trials = history(20).map((trial) => ({ ...trial, value: NaN }));
    expect(suggestTpe(space, trials, options(20)).why).toMatchObject({ kind: 'tpe', below: 0, above: 20, cutoff: null });
  });

  test('comes of many alike trials, too', () => {
    const [one] = history(1);
    const trials = Array.from({ length: 200 }, (_, number) => ({ ...one!, number, value: 1 }));
    expect(suggestTpe(space, trials, options(200)).why).toMatchObject({ below: 20 });
  });

  test('of a null among the choices is null', () => {
    const { params } = suggestTpe([['only', choices(null)], ['one of', choices(null, 1)]], [], options(3));
    expect(params).toHaveProperty('only', null);
    const drawn = new Set(Array.from({ length: 20 }, (_, number) => suggestTpe([['one of', choices(null, 1)]], [], options(number)).params['one of']));
    expect(drawn).toEqual(new Set([null, 1]));
  });

  test('of a number has what its dimension makes of the coordinate', () => {
    const dimension: Dimension = { kind: 'numeric', low: 0, high: 1, log: false, step: null, toValue: (x) => Math.round(100 * x), toCoordinate: (value) => value / 100 };
    const trials: PastTrial[] = Array.from({ length: 20 }, (_, number) => ({ number, params: { x: number * 5 }, state: 'complete', value: Math.abs(number - 10), steps: [] }));
    const drawn = Array.from({ length: 20 }, (_, i) => suggestTpe([['x', dimension]], trials, options(20 + i)).params.x as number);
    expect(drawn.every(Number.isInteger)).toBe(true);
    expect(drawn.filter((x) => x >= 30 && x <= 70).length).toBeGreaterThan(10);
  });
});

describe('exploration', () => {
  const choosing: Space = [['rate', numbers(0, 1)], ['kind', choices('a', 'b', 'c')], ['fixed', choices('a')]];
  // whatever was good had 'a'
  const past: PastTrial[] = Array.from({ length: 60 }, (_, number) => {
    const { params } = suggestTpe(choosing, [], { seed: 4, number });
    return { number, params, state: 'complete', value: (params.kind === 'a' ? 0 : 1) + number / 100, steps: [] };
  });
  const drawn = (preset: Preset) => Array.from({ length: 400 }, (_, i) => suggestTpe(choosing, past, options(60 + i, { preset })));

  test('gives a choice to one trial in ten, and says so', () => {
    const all = drawn('pawl');
    const explored = all.filter(({ why }) => why.kind === 'tpe' && why.explored === 'kind');
    expect(Math.abs(explored.length - 40)).toBeLessThan(4 * Math.sqrt(36));
    expect(new Set(explored.map(({ params }) => params.kind))).toEqual(new Set(['a', 'b', 'c']));
    expect(all.filter(({ params }) => params.kind !== 'a').length).toBeGreaterThan(15);
  });

  test.each(['optuna5', 'watanabe2023'] as const)('is none in the preset %s', (preset) => {
    expect(drawn(preset).every(({ why }) => why.kind === 'tpe' && why.explored === null)).toBe(true);
  });

  test('is none where there are only numbers', () => {
    const line: Space = [['x', numbers(0, 1)]];
    const trials = past.map((trial) => ({ ...trial, params: { x: trial.params.rate! } }));
    for (let i = 0; i < 100; i++) expect(suggestTpe(line, trials, options(60 + i)).why).toMatchObject({ explored: null });
  });
});

describe('trials that run', () => {
  const line: Space = [['x', numbers(0, 1)], ['y', numbers(0, 1)]];
  const past: PastTrial[] = Array.from({ length: 30 }, (_, number) => {
    const key = keyOf(9, 'past', number);
    const params = { x: uniformAt(key, 0), y: uniformAt(key, 1) };
    return { number, params, state: 'complete', value: (params.x - 0.5) ** 2 + (params.y - 0.5) ** 2, steps: [] };
  });

  test('push the next away at once, and not without the liar', () => {
    const liars = Array.from({ length: 12 }, (_, i) => running(30 + i, { x: 0.5, y: 0.5 }));
    const distance = (trials: readonly PastTrial[], constantLiar: boolean): number => {
      const drawn = Array.from({ length: 60 }, (_, i) => suggestTpe(line, trials, options(100 + i, { constantLiar })).params as { x: number; y: number });
      return drawn.reduce((sum, { x, y }) => sum + Math.hypot(x - 0.5, y - 0.5), 0) / drawn.length;
    };
    expect(distance([...past, ...liars], true)).toBeGreaterThan(1.2 * distance(past, true));
    expect(distance([...past, ...liars], false)).toBe(distance(past, false));
  });

  test('are seen by the very next ask', () => {
    const first = suggestTpe(line, past, options(30));
    const second = suggestTpe(line, [...past, running(30, first.params)], options(31));
    expect(second).not.toEqual(suggestTpe(line, past, options(31)));
    expect(second.why).toMatchObject({ below: 3, above: 28 });
  });

  test('do not count for how many are good', () => {
    const many = Array.from({ length: 100 }, (_, i) => running(30 + i, { x: 0.1, y: 0.1 }));
    expect(suggestTpe(line, [...past, ...many], options(200)).why).toMatchObject({ below: 3, above: 127 });
  });
});

describe('parameters that not every trial has', () => {
  const conditional: Space = [['kind', choices('a', 'b')], ['depth', integers(1, 6)], ['rate', numbers(0, 1)], ['decay', numbers(0, 1)]];
  const past: PastTrial[] = Array.from({ length: 40 }, (_, number) => {
    const { params } = suggestTpe(conditional, [], { seed: 3, number });
    const { rate, decay, ...rest } = params as Record<string, number | string>;
    return { number, params: rest.kind === 'b' ? { ...rest, rate: rate!, decay: decay! } : rest, state: 'complete', value: Number(rest.depth), steps: [] };
  });

  test.each([true, false])('are suggested all the same, with groups: %s', (group) => {
    const { params, why } = suggestTpe(conditional, past, options(40, { group }));
    expect(Object.keys(params)).toEqual(['kind', 'depth', 'rate', 'decay']);
    expect(why).toMatchObject({ kind: 'tpe', below: 4 });
  });

  test('are drawn together with those of the same trials, if there are groups', () => {
    expect(suggestTpe(conditional, past, options(40, { group: true }))).not.toEqual(suggestTpe(conditional, past, options(40)));
    const has = ({ params }: PastTrial, name: string): boolean => Object.hasOwn(params, name);
    const names = ['rate', 'kind', 'depth', 'new', 'decay', 'newer'];
    expect(groupSubspaces(names, past, has)).toEqual([['rate', 'decay'], ['kind', 'depth'], ['new'], ['newer']]);
    expect(commonSubspace(names, past, has)).toEqual([['kind', 'depth'], ['rate'], ['new'], ['decay'], ['newer']]);
  });

  test('that no trial has had yet come from the prior', () => {
    const drawn = Array.from({ length: 200 }, (_, i) => suggestTpe([...conditional, ['new', numbers(0, 1)]], past, options(40 + i)).params.new as number);
    expect(Math.min(...drawn)).toBeLessThan(0.1);
    expect(Math.max(...drawn)).toBeGreaterThan(0.9);
  });

  test('and had a value that the dimension does not know count as absent', () => {
    const odd = past.map((trial, index) => (index === 0 ? { ...trial, params: { ...trial.params, kind: 'gone' } } : trial));
    expect(suggestTpe(conditional, odd, options(40)).why.kind).toBe('tpe');
  });

  test('may be called like a property of every object', () => {
    const { params } = suggestTpe([['constructor', numbers(0, 1)]], past, options(40));
    expect(Object.hasOwn(params, 'constructor')).toBe(true);
  });
});

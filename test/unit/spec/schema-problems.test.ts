import { describe, expect, it } from 'vitest';
import Type from 'typebox';
import { closed, Count, idOf, nullable, oneOf, tagged, Timestamp } from '../../../lib/contract/common.js';
import { makeValidator } from '../../../lib/jobs/spec/schema-problems.js';
import { showValue } from '../../../lib/jobs/spec/show-value.js';

const told = (schema: object, value: unknown) => makeValidator(schema)(value).map(({ param, message }) => `${param}: ${message}`);

describe('makeValidator', () => {
  it('words every kind of schema of the contract', () => {
    const schema = Type.Object(
      {
        status: Type.Optional(oneOf(['queued', 'running'])),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
        after: Type.Optional(idOf('job')),
        since: Type.Optional(Timestamp),
        grace_seconds: Type.Optional(Type.Number({ minimum: 0 })),
        count: Type.Optional(nullable(Count)),
        list: Type.Optional(Type.Array(Type.Boolean(), { minItems: 2, maxItems: 2 })),
        text: Type.Optional(Type.String({ minLength: 1 })),
      },
      closed,
    );
    expect(told(schema, { status: 'x', limit: '20', after: 'job_x', since: 'now', grace_seconds: -1, count: 0.5, list: [true], text: '' })).toEqual([
      'status: must be one of queued, running, got "x"',
      'limit: must be an integer from 1 to 100, got "20"',
      'after: must be an id such as job_01j…, got "job_x"',
      'since: must be an ISO 8601 time in UTC, such as 2026-01-31T12:00:00Z, got "now"',
      'grace_seconds: must be a number ≥ 0, got -1',
      'count: must be an integer from 0 to 9007199254740991 or null, got 0.5',
      'list: must be an array of 2 items, got [true]',
      'text: must be a string of at least 1 character, got ""',
    ]);
    expect(told(schema, {})).toEqual([]);
    expect(told(schema, { since: '2026-01-31T12:00:00.123Z', list: [true, false], count: null })).toEqual([]);
  });

  it('tells a union by the branch that a value is closest to', () => {
    const schema = Type.Object({ value: Type.Union([Type.Object({ split: Type.Number() }, closed), tagged([Type.Object({ type: Type.Literal('a'), path: Type.String() }, closed)]), Type.Null()]) }, closed);
    expect(told(schema, { value: { split: 'x' } })).toEqual(['value.split: must be a number, got "x"']);
    expect(told(schema, { value: { type: 'a' } })).toEqual(['value.path: is required: a string']);
    expect(told(schema, { value: { type: 'b', path: 'x' } })).toEqual(['value.type: must be one of a, got "b"']);
    expect(told(schema, { value: 3 })).toEqual(['value: must be an object or an object whose type is one of a or null, got 3']);
  });

  it('tells unions inside unions, and equal places of a list apart', () => {
    const inner = Type.Union([Type.Integer(), Type.Array(Type.Integer(), { maxItems: 2 })]);
    const schema = Type.Object({ list: Type.Array(Type.Union([Type.Null(), Type.Object({ size: inner }, closed)])) }, closed);
    expect(told(schema, { list: [null, { size: 'x' }, { size: [1, 'y'] }, { sizes: 1 }, 7, ...Array<null>(6).fill(null), { size: 0.5 }] })).toEqual([
      'list.1.size: must be an integer or an array of at most 2 items, got "x"',
      'list.2.size.1: must be an integer, got "y"',
      'list.3.size: is required: an integer or an array of at most 2 items',
      'list.3.sizes: is not a known key (did you mean size?); known keys: size',
      'list.4: must be null or an object, got 7',
      'list.11.size: must be an integer or an array of at most 2 items, got 0.5',
    ]);
  });

  it('tells keys apart that begin alike', () => {
    const schema = { type: 'object', additionalProperties: { anyOf: [{ type: 'integer' }, { type: 'array', items: { type: 'integer' } }] } };
    expect(told(schema, { ab: ['x'], a: 'y' })).toEqual(['ab.0: must be an integer, got "x"', 'a: must be an integer or an array, got "y"']);
  });

  it('refuses arrays for their length only where the schema limits every array', () => {
    const limited = Type.Object({ a: Type.Array(Type.Integer(), { maxItems: 3 }) }, closed);
    expect(told(limited, { a: Array(5).fill('x') })).toEqual(['a: must be an array of at most 3 items, got 5']);
    expect(told(limited, { b: { c: Array(4).fill('x') } })).toEqual(['b.c: must be an array of at most 3 items, got 4']);
    expect(told(Type.Object({ ...limited.properties, free: Type.Unsafe({ type: 'object' }) }, closed), { a: [1], free: { list: [1, 2, 3, 4] } })).toEqual([]);
    expect(told(Type.Object({ ...limited.properties, free: Type.Unknown() }, closed), { a: [1], free: [1, 2, 3, 4] })).toEqual([]);
  });

  it('changes nothing: no coercion, no defaults, no removal', () => {
    const value = { limit: '3', extra: 1 };
    expect(told(Type.Object({ limit: Type.Optional(Type.Integer({ default: 20 })) }, closed), value)).toHaveLength(2);
    expect(value).toEqual({ limit: '3', extra: 1 });
  });

  it('stops telling after a hundred', () => {
    const problems = makeValidator(Type.Object({}, closed))(Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`k${i}`, i])));
    expect(problems).toHaveLength(101);
    expect(problems[100]).toEqual({ param: '', message: 'and 150 more problems' });
  });

  it('takes no longer for each key of a union that is not known', () => {
    const schema = Type.Object({ value: Type.Union([Type.Null(), Type.Object({ size: Type.Optional(Type.Integer()) }, closed)]) }, closed);
    const problemsOf = makeValidator(schema);
    const value = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`k${i}`, i]));
    const begun = performance.now();
    const problems = problemsOf({ value });
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(problems[0]?.param).toBe('value.k0');
    expect(problems[100]).toEqual({ param: '', message: 'and 59900 more problems' });
  });

  it('looks at nothing inside of keys that are too long: each problem in there would have them all', () => {
    const schema = { type: 'object', additionalProperties: Type.Object({}, closed) };
    const inside = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, i]));
    expect(told(schema, { ok: {}, ['x'.repeat(100_000)]: inside })).toEqual([`"${'x'.repeat(48)}…": is inside of keys that are too long: at most 1024 characters together`]);
    expect(told(schema, { ['x'.repeat(1_024)]: {} })).toEqual([]);
  });

  it.each(['2026-02-29T00:00:00Z', '2026-01-31T24:00:00Z', '2026-01-31 12:00:00Z', '2026-01-31T12:00:00', '2026-01-31T12:00:61Z', '2026-13-01T00:00:00Z'])('takes %s for no time', (text) => {
    expect(told(Timestamp, text)).toHaveLength(1);
  });

  it.each(['2028-02-29T00:00:00Z', '2026-01-31T12:00:00.5+00:00'])('takes %s for a time', (text) => {
    expect(told(Timestamp, text)).toEqual([]);
  });
});

describe('showValue', () => {
  it.each<[unknown, string]>([
    ['adma', '"adma"'],
    ['x'.repeat(60), `"${'x'.repeat(48)}…"`],
    ['a"\n', '"a\\"\\n"'],
    [NaN, 'NaN'],
    [[3, 0], '[3, 0]'],
    [[[1]], 'an array of 1 item'],
    [{ type: 1, lr: 2 }, 'an object {type, lr}'],
    [{ a: 1, b: 2, c: 3, d: 4, e: 5 }, 'an object {a, b, c, d, …}'],
    [{}, 'an empty object'],
    [undefined, 'nothing'],
    [1n, 'a bigint'],
  ])('shows %s shortly', (value, text) => {
    expect(showValue(value)).toBe(text);
  });
});

// Bodies and queries on their way in: nothing coerced, nothing lost, nothing believed.
import { describe, expect, it } from 'vitest';
import { parseJsonBody } from '../../../api/json-body.js';
import { numericCursor, parseListQuery, parseQuery } from '../../../api/requests.js';
import { AppError } from '../../../lib/errors.js';

const problemsOf = (run: () => unknown): [string, string[]] => {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return [error.code, error.details.map(({ param }) => param)];
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('a body', () => {
  const parse = (text: string): unknown => parseJsonBody(Buffer.from(text));

  it('is its JSON, with every key its own', () => {
    expect(parse('{"a":[1,"2",null,true]}')).toEqual({ a: [1, '2', null, true] });
    const value = parse('{"__proto__":{"x":1},"constructor":2}') as object;
    expect([Object.keys(value), Object.getPrototypeOf(value) === Object.prototype, 'x' in value]).toEqual([['__proto__', 'constructor'], true, false]);
  });

  it('is nothing where there is nothing', () => {
    expect([parse(''), parse(' \n')]).toEqual([undefined, undefined]);
  });

  it('may be 64 levels deep and no deeper, however it is nested', () => {
    const nested = (depth: number, open: string, close: string): string => open.repeat(depth) + '1' + close.repeat(depth);
    expect(() => parse(nested(64, '[', ']'))).not.toThrow();
    expect(() => parse(nested(65, '[', ']'))).toThrow(/nested/);
    expect(() => parse(nested(65, '{"a":', '}'))).toThrow(/nested/);
    expect(() => parse(nested(150_000, '[', ']'))).toThrow(/nested/);
  });

  it('has to be UTF-8', () => expect(() => parseJsonBody(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toThrow(/UTF-8/));
});

describe('a query', () => {
  it('is an object of texts, whatever its keys are called', () => {
    const query = parseQuery('a=1&b=x%20y&__proto__=z&a=2&c');
    expect(Object.entries(query)).toEqual([['a', ['1', '2']], ['b', 'x y'], ['__proto__', 'z'], ['c', '']]);
    expect(Object.getPrototypeOf(query)).toBe(Object.prototype);
  });

  it('of a list is taken apart', () => {
    expect(parseListQuery(parseQuery('status=running,queued&tag.a=1&tag.b.c=2&name=n&limit=7&created_after=2026-01-01T00:00:00Z&after=job_x'))).toEqual({
      statuses: ['running', 'queued'], name: 'n', sweep: null, schedule: null, tags: { a: '1', 'b.c': '2' }, createdAfter: '2026-01-01T00:00:00Z', after: 'job_x', limit: 7,
    });
    expect(parseListQuery({})).toEqual({ statuses: null, name: null, sweep: null, schedule: null, tags: {}, createdAfter: null, after: null, limit: 20 });
  });

  it('of a list is refused with all its problems at once', () => {
    expect(problemsOf(() => parseListQuery(parseQuery('status=asleep&limit=0&limt=1&name=a&name=b')))).toEqual(['invalid_request', ['name', 'limt', 'status', 'limit']]);
  });

  it('has numbers as cursors', () => {
    expect([numericCursor(undefined, 'after'), numericCursor('0', 'after'), numericCursor('1000001', 'after')]).toEqual([-1, 0, 1_000_001]);
    for (const text of ['', '-1', '1.5', '01', '1e3', 'x', '9'.repeat(16)]) expect([text, problemsOf(() => numericCursor(text, 'after'))]).toEqual([text, ['invalid_cursor', []]]);
  });
});

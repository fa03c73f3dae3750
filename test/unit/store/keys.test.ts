// Which strings are keys and prefixes.

import { describe, expect, it } from 'vitest';
import { couldStartKey, isKey, isRegister, withoutQuotes } from '../../../lib/store/keys.js';

describe('keys', () => {
  it.each(['a', 'a/b', 'jobs/01J/HEAD', 'HEAD', 'HEADS', 'a.b-c_d/..e', '...', 'HEAD.x', 'x'.repeat(255)])('%s is one', (key) => {
    expect(isKey(key)).toBe(true);
  });

  it.each(['', '.', '..', 'a/..', '/a', 'a/', 'a//b', 'a b', 'a\nb', 'a\n', 'HEAD/a', 'HEAD.12', 'x/HEAD.0', '~a', 'x'.repeat(256)])(
    '%j is none',
    (key) => {
      expect(isKey(key)).toBe(false);
    },
  );

  it('name a register exactly when their last segment is HEAD', () => {
    expect(['HEAD', 'a/HEAD'].every(isRegister)).toBe(true);
    expect(['aHEAD', 'a/HEADS', 'HEAD.1', 'a/head'].some(isRegister)).toBe(false);
  });
});

describe('prefixes', () => {
  it('match nothing if they climb, are absolute or hold a character that no key has', () => {
    expect(['', 'a', 'a/', 'a/b', 'a/.', 'a/..', 'HEA'].every(couldStartKey)).toBe(true);
    expect(['/', '/a', 'a//', '../', 'a/../', './', 'a b', 'ü', '~'].some(couldStartKey)).toBe(false);
  });
});

describe('tags', () => {
  it('lose the quotes that HTTP puts around them', () => {
    expect(['"abc"', 'W/"abc"', 'abc'].map(withoutQuotes)).toEqual(['abc', 'abc', 'abc']);
    expect(withoutQuotes('a"b')).toBe('a"b');
  });
});

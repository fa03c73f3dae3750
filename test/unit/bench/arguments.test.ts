import { describe, expect, test } from 'vitest';
import { parseArguments, PAIRS_MIN, usage, UsageError } from '../../bench/arguments.js';

const known = ['small', 'bn', 'submit'];

describe('the benchmarks’ command line', () => {
  test('without anything means everything, five pairs and a table', () => {
    expect(parseArguments([], known)).toEqual({ names: known, json: false, pairs: PAIRS_MIN, quick: false });
  });

  test('names choose, in the order in which benchmarks are listed', () => {
    expect(parseArguments(['submit', '--json', 'small', '--pairs', '9'], known)).toEqual({ names: ['small', 'submit'], json: true, pairs: 9, quick: false });
  });

  test('--quick takes fewer pairs, and only --quick does', () => {
    expect(parseArguments(['--quick'], known)).toMatchObject({ quick: true, pairs: 2 });
    expect(parseArguments(['--quick', '--pairs=1'], known)).toMatchObject({ pairs: 1 });
    expect(() => parseArguments(['--pairs', '4'], known)).toThrow('--pairs takes an integer from 5 to 1000 (fewer with --quick), not "4"');
  });

  test.each([['--pairs', '5.5'], ['--pairs', '-7'], ['--pairs', ''], ['--pairs', '1e2'], ['--pairs', '1001'], ['--nope']])('%s %s cannot be used', (...args) => {
    expect(() => parseArguments(args, known)).toThrow(UsageError);
  });

  test('an unknown name is answered with the known ones', () => {
    expect(() => parseArguments(['smal'], known)).toThrow('there is no benchmark "smal"; there are small, bn, submit');
  });

  test('--help lists every benchmark with what it is', () => {
    expect(parseArguments(['--help', 'nonsense'], known)).toBe('help');
    expect(usage([{ name: 'small', title: 'a small one' }, { name: 'bn', title: 'another' }])).toContain('  bn     another');
  });
});

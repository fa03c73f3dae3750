import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FUNCTIONS, spaceOf } from '../../bench/sweeps/functions.js';
import { bestOfRandom } from '../../bench/sweeps/studies.js';
import { loadTable } from '../../bench/sweeps/table-files.js';
import { sizesOf, type Table, tableFunction, TABLES } from '../../bench/sweeps/tables.js';
import { makeTempDir } from '../../support/temp.js';

const ENTRIES = Float32Array.of(10, 20, 30, 40, 50, 60);

const bytesOf = (entries: Float32Array): Buffer => Buffer.from(entries.buffer);

const small: Table = {
  name: 'small',
  file: 'some/small.pkl',
  metric: { name: 'right', toLoss: (right) => 100 - right },
  axes: [{ name: 'letter', values: ['a', 'b'] }, { name: 'rate', values: [0.1, 1, 10] }],
  sha256: createHash('sha256').update(bytesOf(ENTRIES)).digest('hex'),
  minimum: 40,
};

describe('a table as a function', () => {
  test('tells names as choices and numbers as places in their order', () => {
    expect(tableFunction(small, ENTRIES).variables).toEqual([{ name: 'letter', kind: 'choice', choices: ['a', 'b'] }, { name: 'rate', kind: 'int', low: 0, high: 2, log: false }]);
  });

  test('has the last parameter change from entry to entry', () => {
    const { valueAt } = tableFunction(small, ENTRIES);
    const places = ['a', 'b'].flatMap((letter) => [0, 1, 2].map((rate) => ({ rate, letter })));
    expect(places.map(valueAt)).toEqual([90, 80, 70, 60, 50, 40]);
  });

  test.each([
    [{ letter: 'c', rate: 0 }, 'letter of a table is "c", and has to be one of a, b'],
    [{ letter: 'a', rate: 3 }, 'rate of a table is 3, and has to be an integer from 0 to 2'],
    [{ letter: 'a', rate: 0.5 }, 'rate of a table is 0.5, and has to be'],
    [{ letter: 'a' }, 'rate of a table is undefined, and has to be'],
  ])('has no value at %j', (params, reason) => {
    const { valueAt } = tableFunction(small, ENTRIES);
    expect(() => valueAt(params)).toThrow(reason);
  });

  test('is not made of other entries than it is defined for', () => {
    expect(() => tableFunction(small, ENTRIES.slice(1))).toThrow('the table small has 5 entries, not 6');
    expect(() => tableFunction({ ...small, minimum: 41 }, ENTRIES)).toThrow('the least of the table small is 40, not 41');
    expect(() => tableFunction(small, ENTRIES.with(0, NaN))).toThrow('the least of the table small is NaN, not 40');
  });

  test('is searched like any other function', () => {
    expect(bestOfRandom(tableFunction(small, ENTRIES), 100, 1)).toBe(40);
    expect(spaceOf(tableFunction(small, ENTRIES)).map(([name, { kind }]) => [name, kind])).toEqual([['letter', 'categorical'], ['rate', 'numeric']]);
  });
});

test('the tables have as many entries as their sources say, keys of single digits, and names of their own', () => {
  const sizes = Object.fromEntries(TABLES.map((table) => [table.name, sizesOf(table).reduce((a, b) => a * b)]));
  expect(sizes).toEqual({ 'nas-cifar10': 15_625, 'nas-cifar100': 15_625, 'nas-imagenet16': 15_625, 'mlp-phoneme': 30_000, 'fcnet-protein': 62_208 });
  expect(Math.max(...TABLES.flatMap(sizesOf))).toBeLessThanOrEqual(10);
  expect(new Set([...FUNCTIONS, ...TABLES].map(({ name }) => name)).size).toBe(FUNCTIONS.length + TABLES.length);
});

describe('the numbers of a table', () => {
  async function makePackage(entries: Float32Array) {
    const folder = await makeTempDir('tables');
    onTestFinished(folder.remove);
    const asked: unknown[] = [];
    const meansOf = (...what: unknown[]): Promise<Buffer> => {
      asked.push(what);
      return Promise.resolve(bytesOf(entries));
    };
    return { folder: folder.path, meansOf, asked };
  }

  test('are taken from the package once', async () => {
    const tables = await makePackage(ENTRIES);
    for (let time = 0; time < 2; time++) expect((await loadTable(tables, small)).valueAt({ letter: 'b', rate: 0 })).toBe(60);
    expect(tables.asked).toEqual([['some/small.pkl', 'right', [2, 3]]]);
    expect(await readdir(join(tables.folder, 'means'))).toEqual(['small.f32']);
  });

  test('are taken again where the file was damaged', async () => {
    const tables = await makePackage(ENTRIES);
    await loadTable(tables, small);
    const file = join(tables.folder, 'means', 'small.f32');
    await writeFile(file, bytesOf(ENTRIES.with(3, 41)));
    expect((await loadTable(tables, small)).valueAt({ letter: 'b', rate: 0 })).toBe(60);
    expect(tables.asked).toHaveLength(2);
    expect(await readFile(file)).toEqual(bytesOf(ENTRIES));
  });

  test('are refused, and not kept, where they come out otherwise', async () => {
    const tables = await makePackage(ENTRIES.with(3, 41));
    await expect(loadTable(tables, small)).rejects.toThrow(/^the table small came out of some\/small.pkl with the sha256 [0-9a-f]{64}, not /);
    expect(await readdir(tables.folder)).toEqual([]);
  });
});

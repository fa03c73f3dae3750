// The reading of a pickled table, by the Python that is on PATH: pickles of the oldest, readable kind.
import { execFile } from 'node:child_process';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hasPython } from '../../support/any-python.js';
import { makeTempDir } from '../../support/temp.js';

const SCRIPT = join(import.meta.dirname, '../../bench/python/table_means.py');
const LIMIT_MS = 60_000;

const canRun = hasPython('test/bench/python/table_means.py');

/** `{key: {"loss": [values]}, …}` */
const pickled = (table: Record<string, readonly string[]>): string => `(d${Object.entries(table).map(([key, values]) => `V${key}\n(dVloss\n(l${values.map((value) => `F${value}\na`).join('')}ss`).join('')}.`;

async function meansOf(pickle: string): Promise<number[]> {
  const folder = await makeTempDir('pickle');
  onTestFinished(folder.remove);
  const file = join(folder.path, 'table.pkl');
  await writeFile(file, pickle);
  const { stdout } = await promisify(execFile)('python3', ['-B', SCRIPT, file, 'loss', '1,3'], { encoding: 'buffer', cwd: folder.path });
  return Array.from({ length: stdout.length / 4 }, (_, i) => stdout.readFloatLE(4 * i));
}

describe.runIf(canRun)('the means of a pickled table', () => {
  test('are in the order of the keys, whatever that of the table', async () => {
    expect(await meansOf(pickled({ '02': ['1.5'], '00': ['1', '2', '6'], '01': ['-0.5', '0.25'] }))).toEqual([3, -0.125, 1.5]);
  }, LIMIT_MS);

  test.each([
    ['an entry is missing', { '00': ['1'], '01': ['1'] }, 'the table has 2 entries, which are not the 3 of 1 x 3 values'],
    ['an entry is another', { '00': ['1'], '01': ['1'], '10': ['1'] }, 'the table has 3 entries, which are not the 3 of 1 x 3 values'],
    ['an entry is empty', { '00': ['1'], '01': [], '02': ['1'] }, 'the entry 01 is []: not finite numbers'],
    ['a number is not finite', { '00': ['1'], '01': ['nan'], '02': ['1'] }, 'the entry 01 is [nan]: not finite numbers'],
  ])('are refused where %s', async (_, table, reason) => {
    await expect(meansOf(pickled(table)).catch((error: Error & { stderr: Buffer }) => error.stderr.toString())).resolves.toContain(reason);
  }, LIMIT_MS);

  test('are refused where the pickle names code, which is not run', async () => {
    const folder = await makeTempDir('named');
    onTestFinished(folder.remove);
    const made = join(folder.path, 'made');
    const said = await meansOf(`cos\nmkdir\n(V${made}\ntR.`).catch((error: Error & { stderr: Buffer }) => error.stderr.toString());
    expect(said).toContain('the pickle names code, os.mkdir');
    await expect(access(made)).rejects.toThrow('ENOENT');
  }, LIMIT_MS);
});

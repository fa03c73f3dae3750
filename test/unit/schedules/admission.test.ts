// A schedule as the API takes it in, with the job or sweep inside; and the one that the documentation shows.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseText } from '../../../api/cli/document-file.js';
import { AppError } from '../../../lib/errors.js';
import { admitSchedule } from '../../../lib/schedules/admission.js';
import { makeMemoryStore } from '../../support/memory-store.js';

const deps = { places: { roots: [], buckets: null }, store: makeMemoryStore() as never, now: new Date('2026-05-01T12:00:00Z') };
const EXAMPLE = join(import.meta.dirname, '../../../docs/examples/nightly.yaml');
const example = async (): Promise<object> => parseText(await readFile(EXAMPLE, 'utf8'), 'nightly.yaml') as object;

it('takes the example of the documentation, without a warning', async () => {
  expect(await admitSchedule(await example(), deps)).toMatchObject({ warnings: [], paused: false, spec: { name: 'nightly', timezone: 'Europe/Berlin', catchup_window: 7_200, sweep: null, job: { name: 'nightly-digits' } } });
});

it('takes the search of the documentation, whose first night has nothing to begin with', async () => {
  const path = join(import.meta.dirname, '../../../docs/examples/nightly-sweep.yaml');
  const { spec, warnings } = await admitSchedule(parseText(await readFile(path, 'utf8'), 'nightly-sweep.yaml'), deps);
  expect(spec).toMatchObject({ name: 'nightly-sweep', job: null, sweep: { name: 'nightly-digits', warm_start: { from: 'previous' } } });
  expect(warnings).toEqual([]);
});

it('says all that is wrong at once, also inside of what is not an object or not alone', async () => {
  const problems = async (changes: object): Promise<string[]> => {
    const error: unknown = await admitSchedule({ ...(await example()), ...changes }, deps).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AppError);
    return (error as AppError).details.map(({ param }) => param);
  };
  expect(await problems({ job: 'nightly.json' })).toEqual(['job']);
  expect(await problems({ sweep: { method: 'grid', parameters: {} } })).toEqual(['job', expect.stringMatching(/^sweep/)]);
  expect(await problems({ cron: 'x', overlap: 'skip', job: { model: { layers: [] } } })).toEqual(expect.arrayContaining(['overlap', 'job.data', 'job.model.layers']) as string[]);
});

it('texts that are neither JSON nor YAML are refused with the place, and bombs do not go off', () => {
  expect(parseText('{"a": [1, true, null]}', 'x')).toEqual({ a: [1, true, null] });
  expect(parseText('a: 2026-01-01\nb: yes', 'x')).toEqual({ a: '2026-01-01', b: 'yes' });
  expect(parseText('sweep: { parameters: { x: { min: 0.0, max: 1 } } }', 'x')).toEqual({ sweep: { parameters: { x: { min: 0, max: 1, distribution: 'uniform' } } } });
  expect(() => parseText('a: [1', 'x.yaml')).toThrow(/^x\.yaml: is neither JSON nor YAML: .*line 1/);
  expect(() => parseText('a: 1\na: 2', 'x.yaml')).toThrow(/unique/);
  expect(() => parseText('a: !!js/function x', 'x.yaml')).toThrow(/neither JSON nor YAML/);
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]', ...'bcdefgh'.split('').map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefg'[index]}`).join(', ')}]`)].join('\n');
  expect(() => parseText(bomb, 'x.yaml')).toThrow(/neither JSON nor YAML.*alias/i);
});

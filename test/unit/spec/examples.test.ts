// The jobs and sweeps of docs/examples: what the documentation shows has to be taken.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseSweepFile } from '../../../api/cli/sweep-file.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import { resolveSweep } from '../../../lib/sweeps/resolve.js';

const folder = join(import.meta.dirname, '../../../docs/examples');
const names = readdirSync(folder).filter((name) => name.endsWith('.json'));

it.each(names)('%s is a job', (name) => {
  expect(names.length).toBeGreaterThan(2);
  expect(resolveSpec(JSON.parse(readFileSync(join(folder, name), 'utf8')))).toMatchObject({ spec: { spec_version: 1 } });
});

it.each(['digits-sweep.yaml', 'own-program.yaml'])('%s is a sweep, without warnings', (name) => {
  expect(resolveSweep(parseSweepFile(readFileSync(join(folder, name), 'utf8'), name))).toMatchObject({ spec: { spec_version: 1 }, warnings: [] });
});

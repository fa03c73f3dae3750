// A disk that has failed to keep what it was given: whoever wrote to it takes nothing more, says so, and lets others go on.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { isRunning, startTestSystem, type TestSystem, trainerOf, waitFor } from '../support/system.js';
import { makeTempDir, type TempDir } from '../support/temp.js';
import { expectSameBits, recipe, undisturbed, untilTraining } from './recipe.js';

const PRELOAD = new URL('../support/failing-fsync.mjs', import.meta.url).href;
const spec = recipe(12);
let system: TestSystem;
let folder: TempDir;
afterEach(async () => {
  await system.stop();
  await folder.remove();
});

test('a worker ends its trainers and goes, another one takes its job, and the API is not ready until it is started again', async () => {
  const reference = await undisturbed(spec);
  folder = await makeTempDir('fsync');
  const failing = join(folder.path, 'failing');
  system = await startTestSystem({ env: { NODE_OPTIONS: `--import ${PRELOAD}`, PAWL_TEST_FSYNC_FAILS: failing } });
  const api = await system.startApi();
  const worker = await system.startWorker();
  const job = await system.submit(spec);
  await untilTraining(system, job, 20);
  const trainer = await trainerOf(worker);

  writeFileSync(failing, '');
  expect(await worker.exited).toBe(1);
  await waitFor('its trainer is gone', async () => !isRunning(trainer));
  expect((await fetch(`${api.url}/readyz`)).status, 'it has not written yet').toBe(200);
  const refused = await fetch(`${api.url}/v1/jobs`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(spec) });
  expect(refused.status).toBe(503);

  // A second fsync of the same pages would succeed, which says nothing.
  rmSync(failing);
  expect((await fetch(`${api.url}/readyz`)).status).toBe(503);
  expect((await fetch(`${(await system.startApi()).url}/readyz`)).status).toBe(200);
  await system.startController();
  await system.startWorker();
  await expectSameBits(system, job, await system.terminal(job), reference);
}, 300_000);

// The weights of a job, downloaded as a user would, in Keras and in PyTorch: the scripts of docs/examples load them by name, and
// both predict what the job's own network does. Without these libraries the tests are skipped, loudly.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildServer } from '../../../api/server.js';
import { decodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import { systemClock } from '../../../lib/clock.js';
import type { EpochRow } from '../../../lib/contract/rows.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { silentLog } from '../../../lib/log.js';
import { planModel } from '../../../lib/model/plan-model.js';
import { resolved } from '../../resume/support/run-training.js';
import { installedPython } from '../../support/python.js';
import { startTestSystem, type TestSystem } from '../../support/system.js';
import { loadSource } from '../../unit/data/npz-files.js';
import { outputsOf } from '../trainer/support/keras.js';

const docs = join(import.meta.dirname, '../../../docs');
const CLASSES = 10;
const recipe = await readFile(join(docs, 'examples/keras-recipe.json'), 'utf8');
const [keras, torch] = [await installedPython('keras'), await installedPython('torch')];

test('docs/from-keras.md shows the recipe as it is', async () => {
  expect(await readFile(join(docs, 'from-keras.md'), 'utf8')).toContain(recipe);
});

describe.skipIf(keras === null && torch === null)('the weights of a job', () => {
  let system: TestSystem;
  let weightsFile: string;
  let probabilities: number[];
  let classes: number[];
  let row: EpochRow;

  beforeAll(async () => {
    const spec = JSON.parse(recipe) as JobSpecInput;
    system = await startTestSystem();
    await system.startController();
    await system.startWorker();
    const job = await system.submit({ ...spec, training: { ...spec.training, epochs: 2 } });
    const head = await system.terminal(job);
    expect(head.state, head.message ?? '').toBe('succeeded');

    const app = buildServer({ store: system.store, queue: system.queue, clock: systemClock, log: silentLog, places: { roots: [], buckets: null }, limits: { openJobs: 1_000, requestsPerMinute: null }, version: 'test', security: { tokens: [], corsOrigins: [], host: '127.0.0.1' } });
    const weights = (await app.inject(`/v1/jobs/${job}/weights`)).rawPayload;
    row = (await app.inject(`/v1/jobs/${job}/metrics?series=epoch`)).json<{ data: EpochRow[] }>().data.at(-1)!;
    await app.close();
    weightsFile = join(system.folder, 'weights.safetensors');
    await writeFile(weightsFile, weights);

    const { description, x, y } = await loadSource({ type: 'builtin', name: 'digits' });
    const first = Math.floor(description.samples * 0.8);
    classes = [...y.subarray(first)];
    const images = Float32Array.from(x.subarray(first * 64), (value) => value / 16);
    const { model } = resolved(spec);
    const planned = planModel(model.layers, description.shape, { classes: CLASSES });
    if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
    probabilities = outputsOf(planned.plan, resolved(spec), decodeSafetensors(weights), images);
  });
  afterAll(() => system.stop());

  describe.each([['Keras', keras, 'load_in_keras.py'], ['PyTorch', torch, 'load_in_pytorch.py']] as const)('in %s', (_, python, script) => {
    test.skipIf(python === null)('predict what the job’s network does', async () => {
      const file = join(system.folder, `${script}.csv`);
      const said = await python!.run(join(docs, 'examples', script), weightsFile, file);
      const predicted = (await readFile(file, 'utf8')).trim().split(/\s+/).map(Number);
      expect(predicted).toHaveLength(probabilities.length);
      expect(predicted.reduce((worst, value, at) => Math.max(worst, Math.abs(value - probabilities[at]!)), 0)).toBeLessThan(2e-6);
      expect(said).toContain(`accuracy ${row.val_accuracy!.toFixed(4)}`);
      const loss = classes.reduce((sum, label, sample) => sum - Math.log(predicted[sample * CLASSES + label]!), 0) / classes.length;
      expect(Math.abs(loss - row.val_loss!)).toBeLessThan(1e-5);
    });
  });
});

// A sweep by the command line, with a real API, controller and worker: from its file to its best trial, whose job has the value; and
// suspended, which frees the worker, and resumed.
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseSweepFile } from '../../../api/cli/sweep-file.js';
import { type Client, makeClient } from '../../../api/client.js';
import type { Sweep, Trial } from '../../../lib/contract/sweep-views.js';
import { startTestSystem, type TestSystem, waitFor } from '../../support/system.js';

let system: TestSystem;
let client: Client;
let url: string;
beforeAll(async () => {
  system = await startTestSystem();
  await system.startController();
  await system.startWorker();
  ({ url } = await system.startApi());
  client = makeClient({ url });
});
afterAll(() => system.stop());

const SWEEP = `
method: random
metric: { name: val_loss }
parameters:
  lr: { min: 0.001, max: 0.1 }
  training.accum_iters: { values: [1, 2] }
run_cap: 4
budget: { max_concurrent: 2 }
early_terminate: { type: asha, min_iter: 4, max_iter: 36, eta: 3 }
job:
  data: { type: builtin, name: digits, normalize: unit, validation: { split: 0.2 } }
  model: { layers: [{ type: flatten }, { type: dense, units: 10, activation: softmax }] }
  training: { batch_size: 10, epochs: 100, max_updates: 36, optimizer: { type: adam } }
`;

async function pawl(...args: string[]): Promise<string> {
  const { code, out, err } = await system.pawl(url, args);
  expect([args, code, err]).toEqual([args, 0, '']);
  return out;
}
async function file(text: string): Promise<string> {
  const path = join(system.folder, 'sweep.yaml');
  await writeFile(path, text);
  return path;
}

test('goes from its file to its best trial, whose job has the value', { timeout: 240_000 }, async () => {
  const shown = await pawl('sweep', 'start', await file(SWEEP), '--watch');
  const id = /started: (swp_\w{26})/.exec(shown)![1]!;
  expect(shown).toMatch(/status {5}succeeded/);
  expect(shown).toMatch(/BRACKET {2}UPDATES {2}TRIALS/);

  const sweep = JSON.parse(await pawl('sweep', 'show', id, '--json')) as Sweep;
  expect(sweep).toMatchObject({ status: 'succeeded', is_terminal: true, why: { trials: 4 } });
  expect(sweep.spec.parameters['lr']).toEqual({ min: 0.001, max: 0.1, distribution: 'uniform' });
  expect(sweep.budget.spent.compute_seconds).toBeGreaterThan(0);
  const { data: trials } = JSON.parse(await pawl('sweep', 'trials', id, '--json')) as { data: Trial[] };
  expect(trials).toHaveLength(4);

  const best = JSON.parse(await pawl('sweep', 'best', id, '--json')) as Trial;
  expect([best.id, best.value]).toEqual([sweep.best!.trial_id, sweep.best!.value]);
  const job = await client.job(best.job_id!);
  expect(job).toMatchObject({ status: 'succeeded', sweep: { id, trial_id: best.id }, spec: { training: { optimizer: { lr: best.params['lr'] }, accum_iters: best.params['training.accum_iters'] } } });
  expect(job.result!.validation!['val_loss']).toBe(best.value);
  expect(best.values.map(({ step }) => step)).toEqual([4, 12, 36].slice(0, best.values.length));

  await system.submit({ data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] }, training: { max_updates: 1 } });
  const listed = await waitFor('the list has all jobs', async () => ((await client.jobs()).data.length === 5 ? client.jobs({ sweep: id }) : null));
  expect(listed.data.map((each) => each.id).sort()).toEqual(trials.map(({ job_id }) => job_id).sort());
  expect(await pawl('jobs', '--sweep', id)).toMatch(new RegExp(best.job_id!));
  expect(await pawl('sweep', 'ls')).toMatch(new RegExp(`${id}.*succeeded`));
  expect((await client.sweeps.export(id)).trials).toEqual(trials);
  for (const trial of trials) expect([trial.number, Date.parse(trial.ended_at!) > Date.parse(trial.started_at), trial.ended_at! <= sweep.finished_at!]).toEqual([trial.number, true, true]);
  const page = join(system.folder, 'report.html');
  expect(await pawl('sweep', 'report', id, '--output', page)).toMatch(/report\.html · 1\.\d MiB/);
  const plots = JSON.parse(/id="plots">(.*?)<\/script>/s.exec(await readFile(page, 'utf8'))![1]!) as { id: string; option: { series: { data: unknown[] }[] } }[];
  const { series } = plots.find((plot) => plot.id === 'timeline')!.option;
  expect([plots.map((plot) => plot.id), series.reduce((sum, { data }) => sum + data.length, 0)]).toEqual([expect.arrayContaining(['history', 'parallel', 'rungs', 'curves', 'timeline', 'slice-0', 'slice-1']), 4]);
  expect((await client.sweeps.importance(id)).parameters.map(({ name }) => name).sort()).toEqual(['lr', 'training.accum_iters']);
});

test('suspended it frees the worker, and resumed it goes on to its end', { timeout: 240_000 }, async () => {
  const long = SWEEP.replace('min_iter: 4, max_iter: 36', 'min_iter: 2000, max_iter: 6000').replace('max_updates: 36', 'max_updates: 6000').replace('epochs: 100', 'epochs: 1000').replace('run_cap: 4', 'run_cap: 2');
  const { sweep: { id } } = await client.sweeps.start(parseSweepFile(long, 'sweep.yaml'));
  const busy = async (): Promise<number> => (await client.workers()).data.reduce((sum, { jobs }) => sum + jobs.length, 0);
  await waitFor('a trial runs', async () => (await client.jobs({ sweep: id, status: ['running'] })).data.length > 0, 60_000);
  expect(await pawl('sweep', 'suspend', id)).toMatch(new RegExp(`^${id} suspend`));
  await waitFor('it is suspended', async () => (await client.sweeps.get(id)).status === 'suspended', 60_000);
  await waitFor('the worker is free', async () => (await busy()) === 0);
  const { data: held } = await client.jobs({ sweep: id });
  expect(held.length).toBeGreaterThan(0);
  for (const job of held) expect(job.status).toBe('paused');
  expect((await client.sweeps.get(id)).counts.waiting).toBe(2);

  expect(await pawl('sweep', 'resume', id)).toBe(`${id} running\n`);
  const over = await waitFor('it is over', async () => {
    const sweep = await client.sweeps.get(id);
    return sweep.is_terminal ? sweep : null;
  }, 180_000);
  expect(over).toMatchObject({ status: 'succeeded', why: { trials: 2 } });
  const [job] = (await client.jobs({ sweep: id, status: ['succeeded'] })).data;
  expect(job!.progress.updates).toBe(6_000);
});

test('the example of the documentation is taken as it is', async () => {
  const path = join(system.folder, 'example.yaml');
  await copyFile('docs/examples/digits-sweep.yaml', path);
  const { trials, warnings } = JSON.parse(await pawl('sweep', 'start', path, '--dry-run')) as { trials: unknown[]; warnings: unknown[] };
  expect([trials.length, warnings]).toEqual([10, []]);
});

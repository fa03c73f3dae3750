// docs/examples/own_program.py, run by a real Python: three processes of it take a sweep to its end, one of them killed on the way and
// started again under its name.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageRoot } from '../../../api/cli/package-root.js';
import { parseSweepFile } from '../../../api/cli/sweep-file.js';
import type { Trial } from '../../../lib/contract/sweep-views.js';
import { startApi, until } from '../../support/api.js';
import { hasPython } from '../../support/any-python.js';

const EXAMPLES = join(packageRoot(), 'docs/examples');

const canRun = hasPython('docs/examples/own_program.py');

it.runIf(canRun)('own_program.py takes its sweep to the end, also where a client dies and comes back', async () => {
  const api = await startApi();
  const url = await api.listen();
  const spec = parseSweepFile(await readFile(join(EXAMPLES, 'own-program.yaml'), 'utf8'), 'own-program.yaml');
  const { id } = (await api.app.inject({ method: 'POST', url: '/v1/sweeps', payload: spec as object })).json<{ id: string }>();
  const environment = (client: string) => ({ PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', PAWL_URL: url, CLIENT: client, CHECKPOINTS: join(api.dataRoot, 'checkpoints') });
  const args = [join(EXAMPLES, 'own_program.py'), id];
  const run = (client: string) =>
    new Promise<{ code: unknown; err: string }>((resolve) => {
      execFile('python3', args, { env: environment(client) }, (error, _out, err) => resolve({ code: error === null ? 0 : error.code, err }));
    });
  const trials = async () => (await api.app.inject(`/v1/sweeps/${id}/trials?limit=100`)).json<{ data: Trial[] }>().data;

  const mortal: ChildProcess = spawn('python3', args, { env: environment('mortal'), stdio: 'ignore' });
  const exited = new Promise<unknown>((resolve) => mortal.once('exit', (_code, signal) => resolve(signal)));
  await until('the first client has a trial', async () => (await trials()).some(({ client, step }) => client === 'mortal' && step !== null));
  mortal.kill('SIGKILL');
  expect(await exited).toBe('SIGKILL');

  for (const ended of await Promise.all([run('a'), run('b'), run('mortal')])) expect(ended).toEqual({ code: 0, err: '' });
  const sweep = (await api.app.inject(`/v1/sweeps/${id}`)).json();
  expect(sweep).toMatchObject({ status: 'succeeded', counts: { running: 0, paused: 0, failed: 0 }, best: { value: expect.any(Number) as number } });
  const all = await trials();
  expect(all).toHaveLength(20);
  const whole = all.filter(({ status }) => status === 'succeeded');
  expect(whole.length).toBeGreaterThan(0);
  for (const { values } of whole) expect(values.map(({ step }) => step)).toEqual(Array.from({ length: 27 }, (_, step) => step + 1));
  expect(new Set(all.map(({ client }) => client)).size).toBeGreaterThan(1);
});

// A sweep's report over HTTP, and what the command line makes of a sweep's results. Trials are written into the log here as a controller
// would; what plots look like is in test/unit/api/report.
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CliContext, explain } from '../../../api/cli/context.js';
import { makeProgram } from '../../../api/cli/program.js';
import { makeClient } from '../../../api/client.js';
import { systemClock } from '../../../lib/clock.js';
import type { SweepEvent } from '../../../lib/sweeps/events.js';
import { loadSweep, openLog } from '../../../lib/sweeps/log.js';
import { SPEC as JOB, startApi, type TestApi } from '../../support/api.js';

const SWEEP = {
  name: 'nightly',
  method: 'random',
  metric: { name: 'val_loss' },
  parameters: { lr: { distribution: 'log_uniform_values', min: 1e-4, max: 1e-1 }, 'training.batch_size': { values: [5, 10, 20] } },
  run_cap: 4,
  budget: { max_concurrent: 4 },
  job: { ...JOB, training: { ...JOB.training, optimizer: { type: 'adam', lr: 0.001 } } },
};
const ASHA = { ...SWEEP, early_terminate: { type: 'asha', min_iter: 3, eta: 3 } };

async function start(api: TestApi, payload: object = SWEEP): Promise<string> {
  const answer = await api.app.inject({ method: 'POST', url: '/v1/sweeps', payload });
  if (answer.statusCode !== 201) throw new Error(answer.body);
  return answer.json<{ id: string }>().id;
}
/** As a controller that saw this. */
async function see(api: TestApi, id: string, ...events: SweepEvent[]): Promise<void> {
  const log = await openLog({ store: api.store, clock: systemClock }, (await loadSweep(api.store, id))!);
  for (const event of events) expect(await log.append(event)).toBe(true);
}
const ended = (trial: number, value: number | null): SweepEvent => ({ type: 'ended', trial, outcome: value === null ? 'failed' : 'succeeded', value, message: null });
const reached = (trial: number, value: number | null): SweepEvent => ({ type: 'reached', trial, step: 3, value });

const report = (api: TestApi, id: string, headers: Record<string, string> = {}) => api.app.inject({ url: `/v1/sweeps/${id}/report`, headers });
interface Drawn {
  id: string;
  option: { series: { type: string; data: unknown[] }[]; xAxis: { type: string; name: string } };
}
function plotsIn(page: string): Record<string, Drawn['option']> {
  const plots = JSON.parse(/<script type="application\/json" id="plots">(.*?)<\/script>/s.exec(page)![1]!) as Drawn[];
  return Object.fromEntries(plots.map(({ id, option }) => [id, option]));
}
const marks = (option: Drawn['option'] | undefined, type: string): number => (option?.series ?? []).filter((each) => each.type === type).reduce((sum, { data }) => sum + data.length, 0);
/** Without scripts and style. */
const markupOf = (page: string): string => page.replaceAll(/<(script|style)[^>]*>.*?<\/\1>/gs, '');

describe('GET /v1/sweeps/{id}/report', () => {
  it('is a page by itself: its policy allows what is in it, and nobody may frame it', async () => {
    const api = await startApi();
    const id = await start(api);
    await see(api, id, ended(0, 0.5), ended(1, 0.3), ended(2, null), ended(3, 0.4));
    const { statusCode, headers, body } = await report(api, id);
    expect([statusCode, headers['content-type'], headers['content-disposition'], headers['x-content-type-options'], headers['cache-control'], headers['referrer-policy']]).toEqual([200, 'text/html; charset=utf-8', `inline; filename="${id}.html"`, 'nosniff', 'no-store', 'no-referrer']);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'sha256-[\w+/]{43}=' 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/);
    expect(markupOf(body)).toMatch(/<h1>nightly <span class="status">succeeded<\/span>.*0\.3<\/dd><dd>trial 1<\/dd>/s);
    const plots = plotsIn(body);
    expect(Object.keys(plots)).toEqual(['history', 'parallel', 'importance', 'timeline', 'slice-0', 'slice-1']);
    expect([marks(plots['history'], 'scatter'), marks(plots['history'], 'line'), marks(plots['parallel'], 'parallel'), marks(plots['timeline'], 'lines'), marks(plots['slice-0'], 'scatter')]).toEqual([3, 3, 3, 4, 3]);
    expect(plots['slice-0']!.xAxis).toMatchObject({ type: 'log', name: 'lr (log)' });
    expect((await api.app.inject({ method: 'HEAD', url: `/v1/sweeps/${id}/report` })).statusCode).toBe(200);
  });

  it('shows rungs of a sweep that goes on', async () => {
    const api = await startApi();
    const id = await start(api, ASHA);
    await see(api, id, reached(0, 0.5), reached(1, 0.4), reached(2, null), reached(3, 0.6));
    const { body } = await report(api, id);
    const plots = plotsIn(body);
    expect(Object.keys(plots)).toEqual(['history', 'parallel', 'rungs', 'curves', 'timeline', 'slice-0', 'slice-1']);
    expect(plots['rungs']!.xAxis).toMatchObject({ name: 'updates', data: ['3'] });
    expect(plots['rungs']!.series.map(({ data }) => data)).toEqual([[1], [2], [1]]);
    expect(marks(plots['curves'], 'line')).toBe(3);
    expect(markupOf(body)).toContain('1 trial without a value is not drawn.');
  });

  it('has a timeline where no trial has a value: without a metric, or where all failed', async () => {
    const api = await startApi();
    const { metric: _, ...without } = SWEEP;
    const plain = await start(api, without);
    await see(api, plain, ended(0, null), { type: 'ended', trial: 1, outcome: 'succeeded', value: null, message: null });
    expect(Object.keys(plotsIn((await report(api, plain)).body))).toEqual(['timeline']);
    expect(markupOf((await report(api, plain)).body)).toContain('No trial has a value yet');

    const failed = await start(api);
    await see(api, failed, ...[0, 1, 2, 3].map((trial) => ended(trial, null)));
    expect(Object.keys(plotsIn((await report(api, failed)).body))).toEqual(['timeline']);
    expect(markupOf((await report(api, failed)).body)).toContain('4 failed');
  });

  it('shows of a parameter with conditions the trials that have it, and of one trial one point', async () => {
    const api = await startApi();
    const conditional = await start(api, { ...SWEEP, parameters: { 'optimizer.type': { values: ['adam', 'sgd'] }, 'training.optimizer.momentum': { min: 0.1, max: 0.9, when: { 'optimizer.type': ['sgd'] } } }, run_cap: 20, budget: { max_concurrent: 20 } });
    await see(api, conditional, ...Array.from({ length: 20 }, (_, trial) => ended(trial, trial)));
    const { body } = await report(api, conditional);
    const sgd = (await api.app.inject(`/v1/sweeps/${conditional}/export`)).json<{ trials: { params: Record<string, unknown> }[] }>().trials.filter(({ params }) => params['optimizer.type'] === 'sgd').length;
    expect(sgd).toBeGreaterThan(0);
    expect(marks(plotsIn(body)['slice-1'], 'scatter')).toBe(sgd);

    const one = await start(api, { ...SWEEP, run_cap: 1 });
    await see(api, one, ended(0, 0.5));
    expect(marks(plotsIn((await report(api, one)).body)['history'], 'scatter')).toBe(1);
  });

  it('is there as soon as the sweep is: acknowledged, and nobody has written its first entry', async () => {
    const api = await startApi();
    const early = await start(api);
    const other = await startApi();
    for (const key of await api.keys()) if (!key.startsWith(`sweeps/${early}/log/`)) await other.store.put(key, (await api.store.get(key))!.body);
    const none = await report(other, early);
    expect([none.statusCode, plotsIn(none.body)]).toEqual([200, {}]);
    expect(markupOf(none.body)).toContain('no trial has begun');
  });

  it('is not changed by what users wrote', async () => {
    const api = await startApi();
    const evil = '</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>';
    const id = await start(api, { ...SWEEP, name: evil, parameters: { lr: SWEEP.parameters.lr, name: { values: [evil, 'other'] } } });
    await see(api, id, ...[0, 1, 2, 3].map((trial) => ended(trial, trial)));
    const { body } = await report(api, id);
    expect([body.match(/<\/?script/gi)!.length, body.includes('<!--')]).toEqual([6, false]);
    expect(markupOf(body)).not.toMatch(/<img|<script/);
    expect(markupOf(body)).toContain('&lt;/script&gt;&lt;script&gt;alert(1)');
    expect(plotsIn(body)['slice-1']!.xAxis).toMatchObject({ data: [`${evil.slice(0, 31)}…`, 'other'] });
  });

  it('is refused as everything is: unknown sweeps, unknown questions, other origins, no token', async () => {
    const api = await startApi({ tokens: ['t'.repeat(32)] });
    const token = { authorization: `Bearer ${'t'.repeat(32)}` };
    const unknown = await report(api, 'swp_01jzzzzzzzzzzzzzzzzzzzzzzz', token);
    expect([unknown.statusCode, unknown.headers['content-type'], unknown.json().error.code]).toEqual([404, 'application/json; charset=utf-8', 'not_found']);
    expect((await report(api, 'swp_01jzzzzzzzzzzzzzzzzzzzzzzz')).statusCode).toBe(401);
    expect((await report(api, 'swp_01jzzzzzzzzzzzzzzzzzzzzzzz', { ...token, origin: 'https://example.com' })).statusCode).toBe(403);
    expect((await api.app.inject({ url: '/v1/sweeps/swp_01jzzzzzzzzzzzzzzzzzzzzzzz/report?theme=dark', headers: token })).json().error).toMatchObject({ code: 'invalid_request', param: 'theme' });
  });
});

const MAIN = join(import.meta.dirname, '../../../dist/api/cli/main.js');
const pawl = (url: string, cwd: string, ...args: string[]) =>
  new Promise<{ code: unknown; out: string; err: string }>((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { cwd, env: { PATH: process.env['PATH'] ?? '', PAWL_URL: url } }, (error, out, err) => resolve({ code: error === null ? 0 : error.code, out, err }));
  });

/** The command line in this process, which is faster than another one. */
async function run(url: string, terminal: { columns: number; colour: boolean } | null, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { code: 0, out: '', err: '' };
  const unused = (): never => {
    throw new Error('nothing here needs that');
  };
  const context: CliContext = {
    env: {}, json: args.includes('--json'), config: unused, client: () => makeClient({ url }), out: (line) => (said.out += `${line}\n`), err: (line) => (said.err += `${line}\n`),
    terminal: terminal && { columns: () => terminal.columns, colour: terminal.colour, write: unused }, readInput: unused, onInterrupt: unused, exit: (code) => (said.code = code),
  };
  await makeProgram(context).parseAsync(['node', 'pawl', 'sweep', ...args]).catch((error: unknown) => {
    const { lines, code } = explain(error);
    Object.assign(said, { code, err: lines.map((line) => `error: ${line}\n`).join('') });
  });
  return said;
}

describe('pawl sweep', () => {
  async function finished(): Promise<{ api: TestApi; url: string; id: string }> {
    const api = await startApi();
    const id = await start(api, { ...SWEEP, run_cap: 20, budget: { max_concurrent: 20 } });
    await see(api, id, ...Array.from({ length: 20 }, (_, trial) => ended(trial, 1 - trial / 40)));
    return { api, url: await api.listen(), id };
  }

  it('show draws, by the width of the terminal, with colours only if there are any', async () => {
    const { api, url, id } = await finished();
    const plain = await pawl(url, api.dataRoot, 'sweep', 'show', id);
    expect(plain).toMatchObject({ code: 0, err: '' });
    expect(plain.out).toMatch(/^best val_loss so far, by trial$.*^ *1┤━.*^importance, of 20 trials that ran to their end$\n(lr|training\.batch_size) +█/ms);
    expect(plain.out).not.toContain('\u001b');
    const { out: coloured } = await run(url, { columns: 80, colour: true }, 'show', id);
    expect(coloured).toContain('\u001b[36m');
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(plain.out);
    const widthOf = async (columns: number): Promise<number> => Math.max(...(await run(url, { columns, colour: false }, 'show', id)).out.split('\n').filter((line) => line.includes('└')).map((line) => [...line].length));
    expect([(await widthOf(50)) <= 50, (await widthOf(100)) > 70]).toEqual([true, true]);
    // for programs it is what it was
    expect(JSON.parse((await run(url, null, 'show', id, '--json')).out)).toEqual((await api.app.inject(`/v1/sweeps/${id}`)).json());
  });

  it('importance shows bars, or says why there are none', async () => {
    const { api, url, id } = await finished();
    expect((await run(url, null, 'importance', id)).out).toMatch(/^importance, of 20 trials that ran to their end\n/);
    expect(JSON.parse((await run(url, null, 'importance', id, '--json')).out)).toEqual((await api.app.inject(`/v1/sweeps/${id}/importance`)).json());
    expect((await run(url, null, 'importance', await start(api))).out).toMatch(/^trials tell nothing of parameters yet/);
  });

  it('export prints or writes a table, or JSON', async () => {
    const { api, url, id } = await finished();
    const file = (name: string): string => join(api.dataRoot, name);
    const csv = (await api.app.inject(`/v1/sweeps/${id}/export?format=csv`)).body;
    expect((await run(url, null, 'export', id)).out).toBe(`${csv.trimEnd()}\n`);
    expect(await run(url, null, 'export', id, '--output', file('trials.csv'))).toMatchObject({ code: 0, out: expect.stringMatching(/trials\.csv · \d+\.\d KiB\n$/) });
    expect(await readFile(file('trials.csv'), 'utf8')).toBe(csv);
    const trialsOf = (text: string): number => (JSON.parse(text) as { trials: unknown[] }).trials.length;
    for (const args of [['--json'], ['--format', 'json'], ['--format', 'json', '--json']]) expect([args, trialsOf((await run(url, null, 'export', id, ...args)).out)]).toEqual([args, 20]);
    const saved = JSON.parse((await run(url, null, 'export', id, '--output', file('sweep.json'), '--json')).out) as { bytes: number };
    const text = await readFile(file('sweep.json'), 'utf8');
    expect([saved, trialsOf(text)]).toEqual([{ out: file('sweep.json'), format: 'json', bytes: Buffer.byteLength(text) }, 20]);
    await run(url, null, 'export', id, '--output', file('table.json'), '--format', 'csv');
    expect(await readFile(file('table.json'), 'utf8')).toBe(csv);
  });

  it('report writes the page, and says where', async () => {
    const { api, url, id } = await finished();
    const cwd = api.dataRoot;
    expect(await pawl(url, cwd, 'sweep', 'report', id)).toMatchObject({ code: 0, out: expect.stringMatching(new RegExp(`^${id}\\.html · 1\\.\\d MiB\n$`)) });
    const page = await readFile(join(cwd, `${id}.html`), 'utf8');
    expect([page.startsWith('<!doctype html>'), page.endsWith('</html>\n'), marks(plotsIn(page)['history'], 'scatter')]).toEqual([true, true, 20]);
    const there = join(cwd, 'there.html');
    await writeFile(there, 'old');
    const { out } = await run(url, null, 'report', id, '--output', there, '--json');
    expect(JSON.parse(out)).toEqual({ out: there, bytes: (await readFile(there)).length });
    // nothing is left of what was written beside it
    expect((await readdir(cwd)).sort()).toEqual([`${id}.html`, 'there.html'].sort());
  });

  it('says what is wrong, and exits 2', async () => {
    const { api, url, id } = await finished();
    const nowhere = join(api.dataRoot, 'nowhere/file');
    expect(await pawl(url, api.dataRoot, 'sweep', 'export', id, '--format', 'xml')).toMatchObject({ code: 2, err: expect.stringMatching(/--format <format>' argument 'xml' is invalid\. Allowed choices are csv, json\./) });
    expect(await run(url, null, 'export', id, '--format', 'csv', '--json')).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/--json: prints JSON, and --format csv is none/) });
    for (const what of ['export', 'report']) {
      expect(await run(url, null, what, id, '--output', nowhere)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(`error: --output: must name a file that can be written, got ${JSON.stringify(nowhere)}: ENOENT`) });
      // a folder
      expect(await run(url, null, what, id, '--output', api.dataRoot)).toMatchObject({ code: 2, err: expect.stringMatching(/^error: --output: must name a file/) });
      expect(await run(url, null, what, 'nope')).toMatchObject({ code: 2, err: 'error: no sweep "nope"\n' });
    }
    expect(await readdir(api.dataRoot)).toEqual([]);
  });
});

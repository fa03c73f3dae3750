// `pawl schedule` as a real process against a listening API: files and names, what is printed in both times, and how it exits.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Schedule } from '../../../lib/contract/schedule.js';
import { startApi } from '../../support/api.js';
import { makeTempDir } from '../../support/temp.js';

const MAIN = join(import.meta.dirname, '../../../dist/api/cli/main.js');
const EXAMPLE = join(import.meta.dirname, '../../../docs/examples/nightly.yaml');

async function setUp() {
  const api = await startApi();
  const url = await api.listen();
  const folder = await makeTempDir('schedule-cli');
  onTestFinished(folder.remove);
  const pawl = (...args: string[]): Promise<{ code: number | string; out: string; err: string }> =>
    new Promise((resolve) => {
      execFile(process.execPath, [MAIN, 'schedule', ...args], { env: { PATH: process.env['PATH'] ?? '', PAWL_URL: url }, cwd: folder.path }, (error, out, err) => resolve({ code: error === null ? 0 : (error.code ?? ''), out, err }));
    });
  return { api, pawl, file: async (name: string, text: string): Promise<string> => (await writeFile(join(folder.path, name), text), name) };
}

it('puts the example, once, and shows, fires, pauses and deletes it by its name', async () => {
  const { pawl } = await setUp();
  const created = await pawl('put', EXAMPLE);
  expect(created).toMatchObject({ code: 0, err: '' });
  expect(created.out).toMatch(/^created: sch_\w{26}\n *UTC +LOCAL\n.*T0[01]:30:00Z +.*T02:30:00\+0[12]:00/);
  const id = /sch_\w{26}/.exec(created.out)![0];
  expect((await pawl('put', EXAMPLE)).out).toMatch(new RegExp(`^replaced: ${id}`));
  expect((await pawl('ls')).out).toMatch(new RegExp(`${id} +nightly +active +30 2 \\* \\* \\* +Europe/Berlin +\\S+Z +\\S+T02:30:00`));
  expect((await pawl('trigger', 'nightly')).out).toMatch(/^1 fire asked for\n[^]*fire_\w{26}/);
  expect((await pawl('backfill', 'nightly', '--from', '2025-03-01T00:00:00Z', '--to', '2025-03-02T12:00:00Z')).out).toMatch(/^2 fires asked for/);
  expect((await pawl('pause', 'nightly', '--note', 'holidays')).out).toBe(`${id} paused\n`);
  const shown = await pawl('show', 'nightly');
  expect(shown.out).toMatch(/status {5}paused · holidays\nfires {6}30 2 \* \* \* in Europe\/Berlin \(dst: gap shift, overlap first\)/);
  expect((JSON.parse((await pawl('show', id, '--json')).out) as Schedule).spec.catchup_window).toBe(7_200);
  expect((await pawl('resume', 'nightly')).out).toMatch(/active · next \S+Z \(\S+T02:30:00/);
  expect((await pawl('fires', 'nightly', '--json')).out).toMatch(/"object":"list","data":\[\]/);
  expect((await pawl('rm', 'nightly')).out).toBe(`deleted: ${id}\n`);
  expect(await pawl('show', 'nightly')).toMatchObject({ code: 2, err: expect.stringMatching(/^error: nightly: is neither the id nor the name/) as string });
});

it('previews an expression, a file and a schedule', async () => {
  const { pawl, file } = await setUp();
  const spring = ['--from', '2027-03-27T12:00:00Z', '--count', '1'];
  const expected = /^UTC +LOCAL\n2027-03-28T01:00:00Z +2027-03-28T03:00:00\+02:00\n$/;
  expect((await pawl('preview', '30 2 * * *', '--timezone', 'Europe/Berlin', ...spring)).out).toMatch(expected);
  expect((await pawl('preview', EXAMPLE, ...spring)).out).toMatch(expected);
  await pawl('put', EXAMPLE);
  expect((await pawl('preview', 'nightly', ...spring)).out).toMatch(expected);
  const skip = await file('skip.json', '{"cron": "30 2 * * *", "timezone": "Europe/Berlin", "dst": {"gap": "skip"}}');
  expect(JSON.parse((await pawl('preview', skip, ...spring, '--json')).out)).toMatchObject({ object: 'preview', fires: [{ utc: '2027-03-29T00:30:00Z' }] });
  expect(await pawl('preview', '0 0 13 * 5', '--count', '1')).toMatchObject({ code: 0, err: expect.stringMatching(/^warning: both a day of month/) as string });
});

it('says every problem in a line of its own, and exits 2', async () => {
  const { pawl, file } = await setUp();
  const wrong = await pawl('put', await file('wrong.yaml', 'cron: "99 * * * *"\njob: {model: {layers: []}}\n'));
  expect([wrong.code, wrong.out]).toEqual([2, '']);
  expect(wrong.err.trim().split('\n').map((line) => line.replace(/^error: (\S+):.*/, '$1'))).toEqual(['cron', 'job.data', 'job.model.layers']);
  for (const args of [['put', 'none.yaml'], ['put', await file('broken.yaml', 'a: [')], ['preview', '1 2 3'], ['preview', '* * * * *', '--count', 'x'], ['trigger', 'nobody'], ['backfill', 'nobody'], ['ls', '--limit', 'many'], ['put']]) {
    const { code, err } = await pawl(...args);
    expect([args, code]).toEqual([args, 2]);
    expect(err).not.toBe('');
    expect(err).not.toMatch(/\n\s+at /);
  }
  const twice = await file('twice.json', '{"name": "twice", "cron": "* * * * *", "job": {"data": {"type": "builtin", "name": "digits"}, "model": {"layers": [{"type": "flatten"}, {"type": "dense", "units": 10, "activation": "softmax"}]}}}');
  const { id } = JSON.parse((await pawl('put', twice, '--json')).out) as Schedule;
  expect(id).toMatch(/^sch_/);
});

// The `pawl` command as a real process against a listening API: what it prints, where, and how it exits.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startRedis } from '../../support/redis.js';
import { event, resultWith, sha256, SPEC, startApi, type TestApi, until } from '../../support/api.js';

const MAIN = join(import.meta.dirname, '../../../dist/api/cli/main.js');

interface Run {
  /** The exit code, or the signal's name. */
  code: number | string;
  out: string;
  err: string;
}
interface Process {
  done: Promise<Run>;
  out(): string;
  interrupt(): void;
}

function start(url: string, args: readonly string[], { input, command = [process.execPath, MAIN], env = {} }: { input?: string; command?: readonly string[]; env?: Record<string, string> } = {}): Process {
  const [file = '', ...before] = command;
  const child = spawn(file, [...before, ...args], { env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', PAWL_URL: url, ...env }, stdio: 'pipe' });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.end(input ?? '');
  const done = new Promise<Run>((resolve) => child.on('close', (code, signal) => resolve({ code: code ?? signal ?? '', out, err })));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await done;
  });
  return { done, out: () => out, interrupt: () => void child.kill('SIGINT') };
}

const run = (url: string, args: readonly string[], options = {}): Promise<Run> => start(url, args, options).done;

async function withFile(spec: unknown = SPEC): Promise<{ api: TestApi; url: string; folder: string; file: string }> {
  const api = await startApi();
  const folder = await mkdtemp(join(tmpdir(), 'pawl-cli-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'job.json');
  await writeFile(file, typeof spec === 'string' ? spec : JSON.stringify(spec));
  return { api, url: await api.listen(), folder, file };
}

describe('pawl submit', () => {
  it('takes a file or standard input, changed by --set, and prints the id or what the API says', async () => {
    const { url, file } = await withFile();
    const plain = await run(url, ['submit', file]);
    expect([plain.code, plain.err]).toEqual([0, '']);
    expect(plain.out).toMatch(/^submitted: job_\w{26}   \(pawl watch job_\w{26}\)\n$/);
    const json = await run(url, ['submit', '-', '--json', '--set', 'training.epochs=5', '--set', 'name=five', '--set', 'model.layers.1.units=10'], { input: JSON.stringify(SPEC) });
    expect(json.code).toBe(0);
    expect(JSON.parse(json.out)).toMatchObject({ object: 'job', name: 'five', spec: { training: { epochs: 5 } } });
    const dry = await run(url, ['submit', file, '--dry-run']);
    expect(JSON.parse(dry.out)).toMatchObject({ object: 'dry_run', total_updates: 57 });
  });

  it('says every problem in a line of its own, with its field, and exits 2', async () => {
    const { api, url, file, folder } = await withFile();
    const wrong = await run(url, ['submit', file, '--set', 'training.batch_size=0', '--set', 'training.epochz=3', '--set', 'data.name=letters']);
    expect([wrong.code, wrong.out]).toEqual([2, '']);
    expect(wrong.err.trim().split('\n').sort()).toEqual([
      expect.stringMatching(/^error: data\.name: must be one of digits, synthetic, got "letters"$/),
      expect.stringMatching(/^error: training\.batch_size: must be an integer from 1 to 65536, got 0$/),
      expect.stringMatching(/^error: training\.epochz: is not a known key \(did you mean epochs\?\)/),
    ]);
    for (const args of [['submit'], ['submit', join(folder, 'none.json')], ['submit', file, '--wacth'], ['submit', file, '--set', 'training'], ['sumbit', file], ['jobs', '--limit', 'many'], ['show'], []]) {
      const { code, err } = await run(url, args);
      expect([args, code]).toEqual([args, 2]);
      expect(err).not.toBe('');
      expect(err).not.toMatch(/\n\s+at /);
    }
    await writeFile(file, '{"name": }');
    expect(await run(url, ['submit', file])).toMatchObject({ code: 2, err: expect.stringMatching(/job\.json: is not JSON: .*\n$/) });
    expect(await api.keys()).toEqual([]);
  });

  it('exits 3 where nobody answers, and 0 for help', async () => {
    expect(await run('http://127.0.0.1:9', ['jobs'])).toMatchObject({ code: 3, out: '', err: expect.stringMatching(/^error: http:\/\/127\.0\.0\.1:9 does not answer/) });
    const help = await run('http://127.0.0.1:9', ['--help']);
    expect([help.code, help.out.includes('submit [options] <file>')]).toEqual([0, true]);
    expect((await run('nonsense', ['jobs'])).code).toBe(2);
  });

  it('says errors as JSON where --json asks for it, with the same exit codes', async () => {
    const { url, file } = await withFile();
    const errorOf = async (to: string, args: readonly string[]) => {
      const { code, out, err } = await run(to, [...args, '--json']);
      expect([args, out, err.trim().split('\n').length]).toEqual([args, '', 1]);
      return [code, JSON.parse(err).error];
    };
    expect(await errorOf(url, ['submit', file, '--set', 'training.batch_size=0', '--set', 'data.name=letters'])).toEqual([2, {
      type: 'invalid_request', code: 'invalid_spec', message: expect.stringMatching(/^data\.name: must be/), param: 'data.name', request_id: expect.stringMatching(/^req_/),
      details: [{ param: 'data.name', message: expect.stringMatching(/^must be/) }, { param: 'training.batch_size', message: 'must be an integer from 1 to 65536, got 0' }],
    }]);
    expect(await errorOf(url, ['show', 'job_none'])).toMatchObject([2, { type: 'not_found', code: 'not_found', message: 'no job "job_none"' }]);
    expect(await errorOf(url, ['jobs', '--limit', 'many'])).toMatchObject([2, { type: 'invalid_request', param: '--limit' }]);
    expect(await errorOf(url, ['jobs', '--limits'])).toMatchObject([2, { type: 'invalid_request', code: 'invalid_request', message: expect.stringMatching(/^unknown option/) }]);
    expect(await errorOf(url, ['show'])).toMatchObject([2, { message: "missing required argument 'id'" }]);
    expect(await errorOf('http://127.0.0.1:9', ['queue'])).toMatchObject([3, { type: 'unavailable', code: 'unreachable', request_id: null, details: [] }]);
    const job = JSON.parse((await run(url, ['submit', file, '--json'])).out).id as string;
    expect(await errorOf(url, ['wait', job, '--timeout', '0.2'])).toMatchObject([124, { code: 'timed_out', message: `${job} is not over after 0.2 s` }]);
  });

  it('sends the token of the environment', async () => {
    const token = 'a-token-of-thirty-two-characters';
    const api = await startApi({ tokens: [token] });
    const url = await api.listen();
    expect((await run(url, ['jobs'], { env: { PAWL_API_TOKEN: token } })).code).toBe(0);
    expect(await run(url, ['jobs'])).toMatchObject({ code: 2, err: expect.stringMatching(/Authorization: Bearer/) });
  });
});

describe('reading and verbs', () => {
  it('print tables for people and the API’s answers with --json', async () => {
    const { api, url } = await withFile();
    const job = await api.submit({ ...SPEC, name: 'bad\u001b[31mname', run: { tags: { team: 'vision' } } });
    const owner = await api.own(job);
    await owner.commit({ updates: 4, microBatches: 20, events: [event(owner.claim.head().counters.events + 1)] });
    const table = await run(url, ['jobs', '--status', 'running', '--tag', 'team=vision']);
    expect(table.out).toMatch(/ID +NAME +STATUS +DONE/);
    expect(table.out).toContain(job);
    expect(table.out).not.toContain('\u001b');
    for (const [args, path] of [
      [['jobs'], '/v1/jobs'], [['show', job], `/v1/jobs/${job}`], [['events', job, '--limit', '2'], `/v1/jobs/${job}/events?limit=2`], [['attempts', job], `/v1/jobs/${job}/attempts`], [['checkpoints', job], `/v1/jobs/${job}/checkpoints`],
    ] as const) {
      const { code, out } = await run(url, [...args, '--json']);
      expect([args, code, JSON.parse(out)]).toEqual([args, 0, (await api.app.inject(path)).json()]);
    }
    expect((await run(url, ['show', job])).out).toMatch(/status +running\n/);
    expect((await run(url, ['events', job])).out).toMatch(/attempt\.started/);
    expect((await run(url, ['attempts', job])).out).toMatch(/wrk_test/);
    expect((await run(url, ['checkpoints', job])).out).toMatch(/ckpt_/);
    expect((await run(url, ['pause', job])).out).toBe(`${job} pausing\n`);
    expect(JSON.parse((await run(url, ['cancel', job, '--json'])).out)).toMatchObject({ id: job, status: 'cancelling' });
    expect(await run(url, ['resume', job])).toMatchObject({ code: 2, err: expect.stringMatching(/^error: cannot resume/) });
    expect(await run(url, ['show', 'job_none'])).toMatchObject({ code: 2, err: expect.stringMatching(/^error: no job "job_none"\n$/) });
    expect((await run(url, ['workers'])).code).toBe(3);
  });
});

describe('pawl chaos', () => {
  it('exits 1 for a job that did not succeed', async () => {
    const { api, url } = await withFile();
    const [cancelled, expired, succeeded] = [await api.submit(), await api.submit({ ...SPEC, run: { start_before: '2020-01-01T00:00:00Z' } }), await api.submit()];
    await api.app.inject({ method: 'POST', url: `/v1/jobs/${cancelled}/cancel` });
    await expect(api.own(expired)).rejects.toThrow(/not claimed/);
    const weights = Buffer.from('w');
    await (await api.own(succeeded)).commit({ updates: 57, microBatches: 288, weights, end: { kind: 'completed', result: resultWith(weights, 57) } });
    for (const [job, status, code] of [[cancelled, 'cancelled', 1], [expired, 'expired', 1], [succeeded, 'succeeded', 0]] as const) {
      const { out, ...ended } = await run(url, ['chaos', job, '--json']);
      expect([JSON.parse(out).status, ended]).toEqual([status, { code, err: '' }]);
    }
  });
});

describe('pawl watch and wait', () => {
  it('print lines where there is no terminal, and exit by how the job ended', async () => {
    const { api, url, file } = await withFile();
    const watch = start(url, ['submit', file, '--watch']);
    await until('the id', async () => watch.out().includes('submitted: job_'));
    const job = /job_\w{26}/.exec(watch.out())![0];
    const wait = start(url, ['wait', job, '--json']);
    const owner = await api.own(job);
    const weights = Buffer.from('w');
    await until('a first event', async () => watch.out().includes('attempt.started'));
    await owner.commit({ updates: 57, microBatches: 288, weights, end: { kind: 'completed', result: resultWith(weights, 57) } });
    const done = await watch.done;
    expect([done.code, done.err]).toEqual([0, '']);
    expect(done.out).not.toMatch(/[\r\u001b]/);
    const lines = done.out.trim().split('\n');
    expect(lines.filter((line) => /job\.submitted|attempt\.started|attempt\.ended|job\.succeeded/.test(line))).toHaveLength(4);
    expect(lines.some((line) => /^(queued|running) 0\.0% · update 0\/57/.test(line))).toBe(true);
    expect(lines.at(-1)).toBe(`${job} · succeeded · loss 0.100 · accuracy 0.900`);
    const waited = await wait.done;
    expect([waited.code, JSON.parse(waited.out).status]).toEqual([0, 'succeeded']);
    const json = (await run(url, ['watch', job, '--json'])).out.trim().split('\n').map((line) => JSON.parse(line));
    expect(json.map((line) => line.type ?? line.status)).toEqual(['job.submitted', 'attempt.started', 'attempt.ended', 'job.succeeded', 'succeeded']);
  });

  it('exit 1 for a job that failed or was cancelled, 124 when time is up', async () => {
    const { api, url } = await withFile();
    const job = await api.submit();
    expect(await run(url, ['wait', job, '--timeout', '0.3'])).toMatchObject({ code: 124, out: '', err: `${job} is not over after 0.3 s\n` });
    expect((await run(url, ['wait', job, '--timeout', 'soon'])).code).toBe(2);
    await (await api.own(job)).end({ kind: 'failed', reason: 'invalid_data', error: { code: 'invalid_data', message: 'labels are missing', param: null }, retryable: false });
    expect(await run(url, ['wait', job])).toMatchObject({ code: 1, out: `${job} failed\n` });
    expect(await run(url, ['watch', job])).toMatchObject({ code: 1, out: expect.stringMatching(/failed · invalid_data: labels are missing\n$/) });
    expect((await run(url, ['watch', 'job_none'])).code).toBe(2);
  });

  it('wait for as long as they are told: longer than a timer can be set for, and for parts of seconds', async () => {
    const { api, url } = await withFile();
    const job = await api.submit();
    expect(await run(url, ['wait', job, '--timeout', '2.01'])).toMatchObject({ code: 124, err: `${job} is not over after 2.01 s\n` });
    // whoever gave up at once would have done so before the job failed
    const waits = ['30d', '60d'].map((timeout) => start(url, ['wait', job, '--timeout', timeout]));
    const looks = start(url, ['watch', job]);
    await until('a watcher has come up beside them', async () => looks.out() !== '');
    await (await api.own(job)).end({ kind: 'failed', reason: 'invalid_data', error: { code: 'invalid_data', message: 'labels are missing', param: null }, retryable: false });
    for (const wait of waits) expect(await wait.done).toEqual({ code: 1, out: `${job} failed\n`, err: '' });
  });

  it('exit 3 where nobody answers, however short the time, and 124 where somebody is only slow', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    const sockets: Socket[] = [];
    silent.on('connection', (socket) => sockets.push(socket));
    await once(silent, 'listening');
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const begun = performance.now();
    expect(await run(url, ['wait', 'job_none', '--timeout', '1'])).toMatchObject({ code: 124 });
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect(sockets.length).toBeGreaterThan(0);
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => silent.close(closed));
    for (const timeout of ['0.5', '10']) expect(await run(url, ['wait', 'job_none', '--timeout', timeout])).toMatchObject({ code: 3, err: expect.stringMatching(/does not answer: nothing listens there/) });
  });

  it('Ctrl-C leaves the job running', async () => {
    const { api, url } = await withFile();
    const job = await api.submit();
    const watch = start(url, ['watch', job]);
    await until('a first line', async () => watch.out().includes('job.submitted'));
    watch.interrupt();
    expect(await watch.done).toMatchObject({ code: 0, err: `left: ${job} goes on (pawl watch ${job})\n` });
    expect((await api.app.inject(`/v1/jobs/${job}`)).json().status).toBe('queued');
  });

  it('draws a bar on a terminal, with events above it', async () => {
    const { api, url } = await withFile();
    const job = await api.submit();
    const owner = await api.own(job);
    const watch = start(url, [`${process.execPath} ${MAIN} watch ${job}`, '/dev/null'], { command: ['script', '-qec'] });
    await until('the bar', async () => /\r\u001b\[2Krunning \[░+\] 0\.0% · update 0\/57/.test(watch.out()));
    await owner.commit({ updates: 30, microBatches: 150 });
    await until('progress', async () => /running \[█+░+\] 52\.1% · update 30\/57/.test(watch.out()));
    const weights = Buffer.from('w');
    await owner.commit({ updates: 57, microBatches: 288, weights, end: { kind: 'completed', result: resultWith(weights, 57) } });
    const { out } = await watch.done;
    expect(out).toMatch(/\u001b\[2K\d\d:\d\d:\d\d  job\.succeeded/);
    expect(out.trimEnd().split('\n').at(-1)).toContain('succeeded · loss 0.100');
  });
});

describe('pawl up and recover', () => {
  it('say what keeps them from starting', async () => {
    const { url, folder } = await withFile();
    const { port } = new URL(url);
    expect(await run('', ['up', '--port', port, '--data', join(folder, 'up')])).toEqual({ code: 2, out: '', err: `error: the api does not start: port ${port} of 127.0.0.1 is taken: PAWL_PORT chooses another, 0 a free one\n` });
    expect(await run('', ['up', '--data', join(folder, 'job.json', 'up')])).toEqual({ code: 2, out: '', err: expect.stringMatching(/^error: the data folder cannot be made: ENOTDIR.* \(--data takes another\)\n$/) });
    const recover = await run('', ['recover'], { env: { REDIS_URL: 'redis://127.0.0.1:1', PAWL_DATA_DIR: folder } });
    expect(recover).toMatchObject({ code: 3, out: '', err: expect.stringMatching(/^error: check Redis: not connected to redis:\/\/127\.0\.0\.1:1/) });
  });

  it('recover counts what it found', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const { folder } = await withFile();
    const env = { REDIS_URL: redis.url, PAWL_DATA_DIR: folder };
    expect(await run('', ['recover'], { env })).toEqual({ code: 0, out: '0 open jobs\n', err: '' });
    expect(JSON.parse((await run('', ['recover', '--json'], { env })).out)).toEqual({ object: 'recovery', jobs: { heard: 0 } });
  });
});

describe('pawl export', () => {
  it('writes the whole file with the right hash, or none', async () => {
    const { api, url, folder } = await withFile();
    const job = await api.submit();
    const owner = await api.own(job);
    const out = join(folder, 'weights.safetensors');
    expect(await run(url, ['export', job, '--out', out])).toMatchObject({ code: 2, err: expect.stringMatching(/^error: the job has not ended/) });
    const head = await owner.commit({ updates: 1, microBatches: 5, weights: Buffer.from('early') });
    expect((await run(url, ['export', job, '--out', out, '--checkpoint', head.retained[0]!.id])).code).toBe(0);
    expect(await readFile(out, 'utf8')).toBe('early');
    const weights = Buffer.alloc(5 << 20, 7);
    const end = await owner.commit({ updates: 57, microBatches: 288, weights, end: { kind: 'completed', result: resultWith(weights, 57) } });
    const done = await run(url, ['export', job, '--out', out, '--json']);
    expect([done.code, JSON.parse(done.out)]).toEqual([0, { out, bytes: weights.length, sha256: sha256(weights) }]);
    expect((await readFile(out)).equals(weights)).toBe(true);

    const damaged = Buffer.from(weights);
    damaged[0] = 8;
    await api.store.put(end.retained.at(-1)!.blobs[0]!.key, damaged);
    const broken = await run(url, ['export', job, '--out', out]);
    expect(broken.code).not.toBe(0);
    expect((await readFile(out)).equals(weights)).toBe(true);
    expect((await run(url, ['export', job, '--out', join(folder, 'none', 'x')])).code).toBe(2);
    expect((await readdir(folder)).sort()).toEqual(['job.json', 'weights.safetensors']);
  });
});

describe('pawl doctor', { timeout: 180_000 }, () => {
  interface Diagnosis {
    healthy: boolean;
    findings: { about: string; level: string; message: string }[];
  }
  const folder = async (): Promise<string> => {
    const made = await mkdtemp(join(tmpdir(), 'pawl-doctor-'));
    onTestFinished(() => rm(made, { recursive: true }));
    return made;
  };

  it('tries Redis, the store and both engines, and says why there is no GPU', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const data = await folder();
    const { code, out, err } = await run('', ['doctor', '--json'], { env: { REDIS_URL: redis.url, PAWL_DATA_DIR: data, PAWL_PORT: '0', HOME: process.env['HOME'] ?? '' } });
    expect([code, err]).toEqual([0, '']);
    const { healthy, findings } = JSON.parse(out) as Diagnosis;
    const of = (about: string) => findings.find((finding) => finding.about === about)!;
    expect(healthy).toBe(true);
    expect(of('redis')).toMatchObject({ level: 'ok', message: expect.stringMatching(/^(redis|valkey) \d+\.\d+\S* at redis:/) as string });
    expect(of('store')).toMatchObject({ level: 'ok', message: expect.stringContaining(data) as string });
    expect(of('wasm')).toMatchObject({ level: 'ok', message: expect.stringMatching(/^self-test passed, [\d,]+ samples\/s .*\(wasm/) as string });
    expect(['tensorflow', 'gpu'].map((about) => findings.some((finding) => finding.about === about))).toEqual([true, true]);
    expect(of('gpu').message).toMatch(/^(used: |not used\. )/);
  });

  it('exits with 1 where jobs cannot run, and says why in a line each', async () => {
    const data = await folder();
    await writeFile(join(data, 'file'), '');
    const { code, out } = await run('', ['doctor'], { env: { REDIS_URL: 'redis://127.0.0.1:1', PAWL_PORT: '0', PAWL_STORE: `file:${join(data, 'file/store')}`, PAWL_DATA_DIR: data } });
    expect(code).toBe(1);
    expect(out).toMatch(/^error +redis +\S/m);
    expect(out).toMatch(/^error +store +\S/m);
    expect(out).toMatch(/^ok +wasm +self-test passed/m);
  });

  it('names settings that cannot be used, none of a password, and goes on with all that does not go by them', async () => {
    const data = await folder();
    const { code, out, err } = await run('', ['doctor', '--json'], { env: { REDIS_URL: 'redis://:secret#1@localhost:6379', PAWL_QUEUE_PREFIX: 'my prefix', PAWL_DATA_DIR: data, PAWL_PORT: '0', HOME: process.env['HOME'] ?? '' } });
    expect([code, err]).toEqual([1, '']);
    const { findings } = JSON.parse(out) as Diagnosis;
    expect(findings.filter(({ about }) => about === 'settings').map(({ message }) => message)).toEqual([expect.stringMatching(/^REDIS_URL must be redis:/), expect.stringMatching(/^PAWL_QUEUE_PREFIX must be 1 to 64 letters/)]);
    expect(out).not.toContain('secret');
    expect(new Set(findings.map(({ about }) => about))).toEqual(new Set(['node', 'settings', 'folder', 'store', 'data', 'api', 'tensorflow', 'wasm', 'gpu']));
    expect(findings.find(({ about }) => about === 'wasm')).toMatchObject({ level: 'ok' });
  });
});

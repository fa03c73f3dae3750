// The live server under a public fuzzer that reads the OpenAPI document (Schemathesis): requests that the document allows and
// requests that it does not, as many as fit into PAWL_FUZZ_SECONDS; no answer may be a server's error or one that the document
// does not describe. Without Python, or without its package index, skipped, loudly (REQUIRE_SCHEMATHESIS=1).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OPERATIONS } from '../../../api/openapi.js';
import { NoQuery } from '../../../api/requests.js';
import { event, resultWith, row, SPEC, startApi, type TestApi } from '../../support/api.js';
import type { TestOwner } from '../../support/owner.js';
import { findPython } from '../../support/python.js';
import { startRedis } from '../../support/redis.js';
import { makeTempDir } from '../../support/temp.js';

const SECONDS = Number(process.env['PAWL_FUZZ_SECONDS'] ?? '90');
const SEED = process.env['PAWL_FUZZ_SEED'] ?? '1';
const BEAT_EVERY_MS = 500;
/** On average; how many there are in all is a matter of the machine. */
const REQUESTS_MEAN = 5;
/** Of that mean every operation has to have had such a share; one that takes nothing is asked in so many ways only. */
const SHARE_MIN = 0.1;
const BARE_REQUESTS_MIN = 2;
/** What it is about is named in its body, where the fuzzer is told of no ids that are there. */
const SELDOM_FINE = ['tellOfTrial'];

const python = await findPython('schemathesis');

interface Population {
  /** In the states that answers differ by. */
  jobs: string[];
  /** With weights, and checkpoints that have some. */
  kept: string[];
  checkpoints: string[];
  /** It runs, and nothing is asked of it but to be preempted. */
  preempted: string;
  /** In the states that verbs bring about. */
  sweeps: string[];
  worker: string;
  schedules: string[];
  /** They are deleted. */
  doomed: string[];
}

/** Some jobs, and a worker that says yes to everything. */
async function populate(api: TestApi): Promise<Population> {
  const worker = `wrk_${ulid().toLowerCase()}`;
  const checkpoints: string[] = [];
  const end = { kind: 'failed', reason: 'invalid_data', error: { code: 'invalid_data', message: 'no', param: null }, retryable: false } as const;
  const weights = Buffer.from('weights');
  const result = { kind: 'completed', result: resultWith(weights, 3) } as const;
  const succeeded = async (): Promise<string> => {
    const job = await api.submit();
    const owner = await api.own(job, worker);
    await owner.commit({ updates: 1, microBatches: 5, rows: [row(1)] });
    const { retained } = await owner.commit({ updates: 3, microBatches: 15, weights, rows: [row(2), row(3)], epochs: [{ epoch: 1, updates: 3, loss: 0.5, lr: 0.1 }], events: [event(900)], end: result });
    checkpoints.push(...retained.map(({ id }) => id));
    return job;
  };
  const owners: TestOwner[] = [];
  const running = async (): Promise<string> => {
    const job = await api.submit();
    const owner = await api.own(job, worker);
    const { retained } = await owner.commit({ updates: 2, microBatches: 12, windowPosition: 2, rows: [row(1), row(2)] });
    await owner.report([row(3)]);
    checkpoints.push(...retained.map(({ id }) => id));
    owners.push(owner);
    return job;
  };
  const kept = [await succeeded(), await running()];
  const jobs = [await succeeded(), await running(), await running(), await api.submit(), await api.submit()];
  await (await api.own(jobs[3]!, worker)).end(end);
  await api.app.inject({ method: 'POST', url: `/v1/jobs/${jobs[4]}/pause` });
  const preempted = await running();
  const beat = async (): Promise<void> => {
    for (const owner of owners) await owner.beat('running', { updates: 2, loss: 0.1 });
    await api.queue.workers.beat({ id: worker, engine: 'tensorflow', device: 'cpu', slots: 1, jobs: [preempted], draining: false, uncommitted_seconds: 0, youngest_seconds: null, started_at: new Date().toISOString(), host: 'localhost', machine: 'localhost', pid: 1, version: 'test' });
  };
  await beat();
  const beats = setInterval(() => void beat().catch(() => undefined), BEAT_EVERY_MS);
  const deaf = api.queue.control.listen(worker, { preempt: () => true, drain: () => undefined, nudge: () => undefined });
  onTestFinished(() => {
    clearInterval(beats);
    deaf();
  });
  const schedule = async (): Promise<string> => (await api.app.inject({ method: 'POST', url: '/v1/schedules', payload: { cron: '30 2 * * *', job: SPEC } })).json<{ id: string }>().id;
  const schedules = [await schedule(), await schedule()];
  const doomed = [await schedule(), await schedule(), await schedule()];
  const sweeps: string[] = [];
  for (const verb of ['resume', 'stop', 'pause', 'suspend', 'cancel']) {
    const sweep = { method: 'random', metric: { name: 'val_loss' }, parameters: { lr: { min: 0.1, max: 0.2 } }, run_cap: 3, job: SPEC };
    const { id } = (await api.app.inject({ method: 'POST', url: '/v1/sweeps', payload: sweep })).json<{ id: string }>();
    await api.app.inject({ method: 'POST', url: `/v1/sweeps/${id}/${verb}` });
    sweeps.push(id);
  }
  const external = { method: 'random', metric: { name: 'loss' }, parameters: { lr: { min: 0.1, max: 0.2 } } };
  sweeps.push((await api.app.inject({ method: 'POST', url: '/v1/sweeps', payload: external })).json<{ id: string }>().id);
  return { jobs, kept, checkpoints, preempted, sweeps, worker, schedules, doomed };
}

/** What is asked of the fuzzer; https://schemathesis.readthedocs.io/en/stable/reference/configuration/ */
function settings({ jobs, kept, checkpoints, preempted, sweeps, worker, schedules, doomed }: Population): string {
  const values = (...list: readonly string[]): string => `{ values = ${JSON.stringify(list)} }`;
  const from = (dictionary: string): string => `{ dictionary = "${dictionary}", probability = 0.8 }`;
  return `
seed = ${SEED}
max-time = ${SECONDS}
continue-on-failure = true
request-timeout = 20

# Runs are alike: nothing is remembered.
[cache]
enabled = false
[generation]
database = "none"

# Ids that are there, beside any others.
[dictionaries]
jobs = ${values(...jobs)}
kept = ${values(...kept)}
checkpoints = ${values(...checkpoints)}
preempted = ${values(preempted)}
workers = ${values(worker)}
schedules = ${values(...schedules)}
doomed = ${values(...doomed)}
sweeps = ${values(...sweeps)}
trials = ${values('0', '1')}
[[operations]]
include-path-regex = "^/v1/jobs/[{]id[}](/(pause|resume|cancel|kill|retry|events|metrics|attempts))?$"
parameters = { "path.id" = ${from('jobs')} }
[[operations]]
include-path-regex = "^/v1/sweeps/[{]id[}]"
parameters = { "path.id" = ${from('sweeps')}, "path.number" = ${from('trials')} }
[[operations]]
include-path-regex = "/weights$"
parameters = { "path.id" = ${from('kept')}, "query.checkpoint" = ${from('checkpoints')} }
[[operations]]
include-path-regex = "/checkpoints"
parameters = { "path.id" = ${from('kept')}, "path.checkpoint" = ${from('checkpoints')} }
[[operations]]
include-path-regex = "/preempt$"
parameters = { "path.id" = ${from('preempted')} }
[[operations]]
include-path-regex = "/drain$"
parameters = { "path.id" = ${from('workers')} }
[[operations]]
include-path-regex = "^/v1/schedules/[{]id[}]/"
parameters = { "path.id" = ${from('schedules')} }
${['getSchedule', 'replaceSchedule'].map((id) => `[[operations]]\ninclude-operation-id = "${id}"\nparameters = { "path.id" = ${from('schedules')} }`).join('\n')}
[[operations]]
include-operation-id = "deleteSchedule"
parameters = { "path.id" = ${from('doomed')} }

# An answer that does not end.
[[operations]]
include-operation-id = "streamEvents"
enabled = false
`;
}

describe.skipIf(python === null)('a fuzzer that knows the contract', () => {
  it(`finds nothing in ${SECONDS} seconds`, { timeout: (SECONDS + 240) * 1_000 }, async () => {
    const redis = await startRedis({ appendonly: false });
    onTestFinished(() => redis.stop());
    const folder = await makeTempDir('fuzzer');
    onTestFinished(folder.remove);
    const api = await startApi({ redisUrl: redis.url });
    const address = await api.listen();
    const config = join(folder.path, 'schemathesis.toml');
    const population = await populate(api);
    await writeFile(config, settings(population));
    const child = spawn(python!.python, ['-B', '-m', 'schemathesis.cli', '--no-color', '--config-file', config, 'run', `${address}/openapi.json`, '--checks', 'all', '--exclude-checks', 'positive_data_acceptance'], { cwd: folder.path, env: { ...process.env, ...python!.env, PYTHONUTF8: '1', SCHEMATHESIS_HOOKS: join(import.meta.dirname, 'contract_checks.py'), FUZZER_KEPT_SCHEDULES: population.schedules.join(), FUZZER_DOOMED_SCHEDULE: population.doomed.at(-1)! }, stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code, said).toBe(0);
    const seen = await requestsOf(api);
    const operations = OPERATIONS.filter((operation) => operation.id !== 'streamEvents');
    const mean = operations.reduce((sum, { method, path }) => sum + seen(method, path).all, 0) / operations.length;
    expect(mean, said).toBeGreaterThan(REQUESTS_MEAN);
    for (const id of population.schedules) expect([id, (await api.app.inject(`/v1/schedules/${id}`)).statusCode]).toEqual([id, 200]);
    for (const { method, path, id, query, body } of operations) {
      const { all, good } = seen(method, path);
      const isBare = query === NoQuery && body === undefined && !path.includes('{');
      const least = isBare ? Math.min(BARE_REQUESTS_MIN, mean * SHARE_MIN) : mean * SHARE_MIN;
      expect([id, all >= least ? 'enough' : `${all} of ${mean} on average`, good > 0 || SELDOM_FINE.includes(id) ? 'some were fine' : good]).toEqual([id, 'enough', 'some were fine']);
    }
  });
});

/** How many requests each route has had, and how many of them were fine, by the server's own count. */
async function requestsOf(api: TestApi): Promise<(method: string, path: string) => { all: number; good: number }> {
  const { body } = await api.app.inject('/metrics');
  const counts = new Map<string, { all: number; good: number }>();
  for (const [, method, route, status, count] of body.matchAll(/^pawl_http_requests_total\{method="(\w+)",route="([^"]+)",status="(\d+)"\} (\d+)$/gm)) {
    const key = `${method} ${route!.replaceAll(/:(\w+)/g, '{$1}')}`;
    const { all, good } = counts.get(key) ?? { all: 0, good: 0 };
    counts.set(key, { all: all + Number(count), good: good + (Number(status) < 300 ? Number(count) : 0) });
  }
  return (method, path) => counts.get(`${method.toUpperCase()} ${path}`) ?? { all: 0, good: 0 };
}

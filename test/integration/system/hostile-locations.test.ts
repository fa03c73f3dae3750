// Locations made to reach what is no data: other buckets, the store, files of the machine. Against a real API and a real worker
// with a real S3 server behind them, whose requests are seen: what is refused is asked of nobody.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import type { Head } from '../../../lib/contract/records.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import type { Store } from '../../../lib/store/index.js';
import { openDataPlaces } from '../../../lib/store/open.js';
import { startApi } from '../../support/api.js';
import { makeDatasets } from '../../support/datasets.js';
import { s3ServerAvailable } from '../../support/s3-server.js';
import { startTestSystem, type TestSystem } from '../../support/system.js';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.js';

const available = await s3ServerAvailable();
const PATIENCE_MS = 3_000;

const zeros = (...shape: number[]) => ({ dtype: 'F32', shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }) as const;
const weights = encodeSafetensors(new Map([['dense_1/kernel', zeros(64, 10)], ['dense_1/bias', zeros(10)]]));
/** Whoever reads it says its name. */
const secret = encodeSafetensors(new Map([['secret', zeros(1)]]));
const FORMS = {
  'model.init.from': (from: string): JobSpecInput => ({ data: { type: 'builtin', name: 'digits', normalize: 'unit' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }], init: { from } }, training: { batch_size: 16, max_updates: 1 }, run: { max_failures: 0 } }),
  'data.path': (path: string): JobSpecInput => ({ ...FORMS['model.init.from']('s3://datasets/ok.safetensors'), data: { type: 'npz', path } }),
  'data.validation.labels': (labels: string): JobSpecInput => ({ ...FORMS['model.init.from']('s3://datasets/ok.safetensors'), data: { type: 'builtin', name: 'digits', validation: { type: 'idx', images: 'not-here', labels } } }),
} as const;

describe.skipIf(!available)('a location', () => {
  let system: TestSystem;
  let proxy: FaultProxy;
  let datasets: Store;
  let url: string;

  beforeAll(async () => {
    system = await startTestSystem({ store: 's3', env: { PAWL_DATA_BUCKETS: 'datasets,pawl' } });
    proxy = await startFaultProxy(system.s3!.endpoint);
    system.env['S3_ENDPOINT'] = proxy.endpoint;
    system.env['PAWL_DATA_ROOTS'] = system.folder; // in it lies PAWL_DATA_DIR
    datasets = await makeDatasets(system.s3!);
    await datasets.put('ok.safetensors', weights);
    await datasets.put('folder/ok.safetensors', weights);
    await system.store.put('secret.safetensors', secret);
    const spool = join(system.env['PAWL_DATA_DIR']!, 'spool');
    await mkdir(spool, { recursive: true });
    await writeFile(join(spool, 'secret.safetensors'), secret);
    await symlink(join(spool, 'secret.safetensors'), join(system.folder, 'to-spool'));
    await mkdir(join(system.folder, 'sets'));
    await writeFile(join(system.folder, 'sets', 'ok.safetensors'), weights);
    await system.startController();
    ({ url } = await system.startApi());
    await system.startWorker();
  });
  afterAll(async () => {
    await datasets.close();
    await system.stop();
    await proxy.stop();
  });

  async function ask(spec: object): Promise<{ status: number; ms: number; text: string; error: { code: string; param: string; message: string } | undefined }> {
    const began = performance.now();
    const answer = await fetch(`${url}/v1/jobs?dry_run=true`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(spec) });
    const text = await answer.text();
    return { status: answer.status, ms: performance.now() - began, text, error: (JSON.parse(text) as { error?: { code: string; param: string; message: string } }).error };
  }
  const run = async (spec: JobSpecInput): Promise<Head> => system.terminal(await system.submit(spec));
  /** What was asked for since the last look, of what is no job's own. */
  const asked = (): string[] => {
    const paths = proxy.paths().map(decodeURIComponent).filter((path) => !path.includes('jobs-of-test') || /secret/i.test(path));
    proxy.takeMethods();
    return paths;
  };

  const store = /lies in the store, which holds no data/;
  const segments = /has an empty segment, \. or \.\. in its key/;
  const control = /has a control character or a backslash in its key/;
  const bucket = /is in a bucket that holds no data for Pawl: PAWL_DATA_BUCKETS names datasets, pawl/;
  const none = /is not s3:\/\/bucket\/key/;
  const own = /a folder of Pawl’s own/;
  const REFUSED: [string, RegExp][] = [
    ...['jobs-of-test/secret.safetensors', 'Jobs-Of-Test/secret.safetensors', 'jobs-of-test', '%6aobs-of-test/secret.safetensors', 'jobs-of-test%2Fsecret.safetensors', 'jobs-of-test/keys/x', 'jobs-of-test/jobs/job_1/HEAD?x=1'].map((key): [string, RegExp] => [`s3://pawl/${key}`, store]),
    ['S3://pawl/jobs-of-test/secret.safetensors', store],
    ...['jobs-of-test/../jobs-of-test/secret.safetensors', 'x/../jobs-of-test/secret.safetensors', 'x/%2e%2e/jobs-of-test/secret.safetensors', 'x/%2E./jobs-of-test/secret.safetensors', '/jobs-of-test/secret.safetensors', 'x//secret.safetensors', './jobs-of-test/secret.safetensors', 'jobs-of-test/./secret.safetensors', 'x/..%2fjobs-of-test/secret.safetensors'].map((key): [string, RegExp] => [`s3://pawl/${key}`, segments]),
    ['s3://datasets/../pawl/jobs-of-test/secret.safetensors', segments], ['s3://datasets/%2e%2e/pawl/jobs-of-test/secret.safetensors', segments], ['s3://datasets/ok.safetensors/', segments],
    ...['other/ok.safetensors', '169.254.169.254/latest/meta-data', 'localhost/x', 'data-sets/x', 'datasets.evil.example/x', 'pawl.jobs/x', 'a..b/x'].map((rest): [string, RegExp] => [`s3://${rest}`, bucket]),
    ...['a\0b', 'a\nb', 'a\rb', 'a\x7fb', 'a\\b', 'a%00b', 'a%0d%0ab', 'a%5cb'].map((key): [string, RegExp] => [`s3://datasets/${key}`, control]),
    [`s3://datasets/${'k'.repeat(1_025)}`, /a key of more than 1024 bytes/], [`s3://datasets/${'ü'.repeat(513)}`, /a key of more than 1024 bytes/], ['s3://datasets/\ud800', /is not well-formed Unicode/],
    ...['s3://user:pass@datasets/ok.safetensors', 's3://user@datasets/ok.safetensors', 's3://datasets:9000/ok.safetensors', 's3://DATASETS/ok.safetensors', 's3://datasets', 's3://datasets/', 's3:///ok.safetensors', 's3:datasets/ok.safetensors', 's3:/datasets/ok.safetensors', 's3://-datasets/x', 's3://da%74asets/ok.safetensors', 's3://datasets?x/ok', 's3://[::1]/x'].map((location): [string, RegExp] => [location, none]),
    ...['http://127.0.0.1/ok', 'https://datasets/ok.safetensors', 'HTTP://x/y', 's3n://datasets/ok', 's3a://datasets/ok', 'ftp:x', 'data:,x', 'javascript:x', 'C:/x', 'gs://datasets/ok'].map((location): [string, RegExp] => [location, /has the scheme /]),
    ...['/etc/passwd', '//host/x', 'file:/etc/passwd', 'file:///etc/passwd', 'file://host/etc/passwd', 'FILE:///etc/passwd', 'file://localhost/etc/passwd'].map((location): [string, RegExp] => [location, /is absolute/]),
    ...['..', '../x', 'sets/../../x', 'file:..', 'file:sets/../../etc/passwd'].map((location): [string, RegExp] => [location, /goes up with \.\./]),
    ['\\\\host\\x', /backslash/], ['sets\0/x', /NUL/], ['sets/\udfff', /is not well-formed Unicode/], ['.', /names no file/], ['file:', /names no file/],
    ['data/spool/secret.safetensors', own], ['file:./data//spool/secret.safetensors', own], ['to-spool', own],
  ];

  test('that reaches for what is no data is refused by the API with its field, and asked of nobody', async () => {
    expect(await ask(FORMS['model.init.from']('s3://datasets/ok.safetensors'))).toMatchObject({ status: 200 });
    for (const [location, message] of REFUSED) {
      for (const [param, form] of Object.entries(FORMS)) {
        if (message === own && param === 'data.validation.labels') continue; // nobody looks at labels of images that are not here
        asked();
        const answer = await ask(form(location));
        expect([location, answer.status, answer.error?.code, answer.error?.param], answer.text).toEqual([location, 400, 'invalid_location', param]);
        expect(answer.error!.message, location).toMatch(message);
        expect(answer.text).not.toMatch(/root:|"secret"/);
        expect([location, asked().filter((path) => path !== '/datasets/ok.safetensors?x-id=GetObject'), answer.ms < PATIENCE_MS]).toEqual([location, [], true]);
      }
    }
  });

  test('that reaches for what is no data ends the job of a worker that meets it, and is asked of nobody', async () => {
    for (const [location, message] of REFUSED.filter((_, index) => index % 3 === 0)) {
      asked();
      const head = await run(FORMS['model.init.from'](location));
      expect([location, head.state, head.error?.code, head.error?.param]).toEqual([location, 'failed', 'invalid_location', 'model.init.from']);
      expect(head.error!.message, location).toMatch(message);
      expect([location, asked()]).toEqual([location, []]);
    }
  });

  test('that is odd is taken at its word: what is not there is missing, and a scheme has no case', async () => {
    const missing = ['ok.safetensors?versionId=null', 'ok.safetensors?x-id=ListBuckets', 'ok.safetensors#x', 'ok.safetensors/x', 'folder', 'ok.safetensors ', ' ok.safetensors', 'OK.safetensors', 'k'.repeat(1_024), `${'k'.repeat(200)}/${'k'.repeat(200)}`, '*', '?acl', '?list-type=2', '\u202eok', '100%', '%zz', '…'];
    for (const key of missing) {
      const location = `s3://datasets/${key}`;
      expect([location, (await ask(FORMS['model.init.from'](location))).status]).toEqual([location, 200]);
      asked();
      const head = await run(FORMS['model.init.from'](location));
      expect([location, head.state, head.error?.code, head.error?.param]).toEqual([location, 'failed', 'data_missing', 'model.init.from']);
      const [path, ...more] = asked();
      expect([location, path!.replace(/\?x-id=GetObject$/, ''), more]).toEqual([location, `/datasets/${key}`, []]);
    }
    for (const location of ['S3://datasets/ok.safetensors', 'file:sets/ok.safetensors', 'FILE:sets/ok.safetensors', 'sets//./ok.safetensors']) {
      const head = await run(FORMS['model.init.from'](location));
      expect([location, head.state], head.message ?? '').toEqual([location, 'succeeded']);
    }
  });

  test('in a bucket that is the store as a whole is refused, whatever it is', async () => {
    const { endpoint, accessKey, secretKey } = system.s3!;
    const { buckets } = await openDataPlaces({ roots: [], closed: [], buckets: ['datasets'], store: 's3://datasets', s3: { endpoint: proxy.endpoint, credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } }, patienceMs: 0 });
    expect(endpoint).not.toBe(proxy.endpoint);
    const api = await startApi({ buckets: buckets! });
    asked();
    for (const key of ['ok.safetensors', 'folder/ok.safetensors', 'x']) {
      const answer = await api.app.inject({ method: 'POST', url: '/v1/jobs', payload: FORMS['model.init.from'](`s3://datasets/${key}`) });
      expect([answer.statusCode, answer.json<{ error: { code: string; param: string } }>().error]).toMatchObject([400, { code: 'invalid_location', param: 'model.init.from', message: expect.stringMatching(store) as string }]);
    }
    expect([asked(), await api.keys()]).toEqual([[], []]);
    await buckets!.objects.close();
  });

  test('of a link that is swapped all the time leads to what is inside, or nowhere', async () => {
    const outside = join(system.folder, '..', `pawl-secret-${process.pid}.safetensors`);
    await writeFile(outside, secret);
    const links = join(system.folder, 'links');
    await mkdir(links);
    const swap = `
      const { renameSync, symlinkSync } = require('node:fs');
      for (let i = 0; ; i++) {
        symlinkSync(i % 2 === 0 ? ${JSON.stringify(outside)} : '../sets/ok.safetensors', ${JSON.stringify(join(links, 'next'))});
        renameSync(${JSON.stringify(join(links, 'next'))}, ${JSON.stringify(join(links, 'moving'))});
        if (i === 1) console.log('swapping');
      }`;
    const swapper: ChildProcess = spawn(process.execPath, ['-e', swap], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise((resolve) => swapper.stdout!.once('data', resolve));
      const outcomes = new Map<string, number>();
      const count = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      for (let i = 0; i < 150; i++) {
        const { status, text, error } = await ask(FORMS['model.init.from']('links/moving'));
        expect(text).not.toMatch(/"secret"/);
        count(status === 200 ? 'API: 200' : `API: ${status} ${error!.code} ${error!.message.replace(/.*moving" /, '')}`);
      }
      for (let i = 0; i < 12; i++) {
        const head = await run(FORMS['model.init.from']('links/moving'));
        expect(head.error?.message ?? '').not.toMatch(/secret/);
        count(head.state === 'succeeded' ? 'worker: succeeded' : `worker: ${head.error!.code}`);
      }
      console.log(Object.fromEntries(outcomes));
      for (const outcome of outcomes.keys()) expect(outcome).toMatch(/^API: (200$|400 (invalid_location|data_changed))|^worker: (succeeded|invalid_location|data_changed|data_missing)$/);
      expect([...outcomes.keys()].filter((outcome) => outcome.startsWith('API')).length, 'both were met').toBeGreaterThan(1);
    } finally {
      swapper.kill('SIGKILL');
      await rm(outside);
    }
  });
});

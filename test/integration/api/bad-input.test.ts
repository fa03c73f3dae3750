// What is wrong is refused with its field, what was given and what is allowed, all at once, and leaves nothing in the store.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SPEC, startApi, type TestApi } from '../../support/api.js';

const MiB = 1 << 20;
const dense = { type: 'dense', units: 10, activation: 'softmax' };
const conv = (more: object) => ({ type: 'conv2d', filters: 4, kernel_size: 3, ...more });
const model = (...layers: object[]) => ({ ...SPEC, model: { layers } });
const data = (path: string) => ({ ...SPEC, data: { type: 'npz', path } });
const UNKNOWN = 'job_01jzzzzzzzzzzzzzzzzzzzzzzz';

/** Spec, code, params (in order), and a piece of the first message. */
const SPECS: readonly [string, unknown, string, readonly string[], RegExp][] = [
  ['an unknown key', { ...SPEC, trainig: {} }, 'invalid_spec', ['trainig'], /did you mean training/],
  ['an unknown key inside', { ...SPEC, training: { batchsize: 3 } }, 'invalid_spec', ['training.batchsize'], /did you mean batch_size/],
  ['a wrong type', { ...SPEC, training: { batch_size: '10' } }, 'invalid_spec', ['training.batch_size'], /must be an integer from 1 to 65536, got "10"/],
  ['a number as text in a layer', model({ type: 'flatten' }, { ...dense, units: '10' }), 'invalid_spec', ['model.layers.1.units'], /got "10"/],
  ['an unknown layer', model({ type: 'convolution' }, dense), 'invalid_spec', ['model.layers.0.type'], /got "convolution"/],
  ['an unknown optimizer', { ...SPEC, training: { optimizer: { type: 'adma' } } }, 'invalid_spec', ['training.optimizer.type'], /got "adma"/],
  ['what is not built yet', { ...SPEC, training: { precision: 'bfloat16' } }, 'not_supported', ['training.precision'], /bfloat16.*not supported yet/],
  ['residuals without end', model(Array.from({ length: 25 }).reduce<object>((layer) => ({ type: 'residual', layers: [layer] }), { type: 'flatten' }), dense), 'invalid_spec', [expect.stringMatching(/^model\.layers\.0\.layers/) as string], /nested too deeply/],
  ['no layers', { ...SPEC, model: { layers: [] } }, 'invalid_spec', ['model.layers'], /at least 1|1 to 1000/],
  ['a kernel larger than its input', model(conv({ kernel_size: 9 }), { type: 'flatten' }, dense), 'invalid_spec', ['model.layers.0.kernel_size'], /9/],
  ['pooling away to nothing', model({ type: 'max_pooling2d', pool_size: 16 }, { type: 'flatten' }, dense), 'invalid_spec', ['model.layers.0.pool_size'], /16/],
  ['a dense layer on an image', model(conv({}), { type: 'flatten' }, dense, conv({})), 'invalid_spec', ['model.layers.3'], /./],
  ['a last layer that does not fit the classes', model({ type: 'flatten' }, { ...dense, units: 7 }), 'invalid_spec', ['model.layers.1.units'], /10/],
  ['no update ever', { ...SPEC, training: { batch_size: 10, accum_iters: 100_000 } }, 'invalid_spec', ['training.accum_iters'], /no update would ever be made/],
  ['a prototype', JSON.parse('{"__proto__": {"admin": true}, "data": {"type": "builtin", "name": "digits"}}'), 'invalid_spec', ['model', '__proto__'], /./],
  ['a prototype inside', JSON.parse(JSON.stringify(SPEC).replace('"batch_size"', '"__proto__":{"lr":1},"batch_size"')), 'invalid_spec', ['training.__proto__'], /not a known key/],
  ['tags without end', { ...SPEC, run: { tags: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`t${n}`, 'x'])) } }, 'invalid_spec', ['run.tags'], /at most 16/],
  ['a path that climbs', data('../../etc/passwd'), 'invalid_location', ['data.path'], /goes up with \.\./],
  ['an absolute path', data('/etc/passwd'), 'invalid_location', ['data.path'], /absolute/],
  ['another scheme', data('http://example.com/x.npz'), 'invalid_location', ['data.path'], /scheme http/],
  ['a link that leads outside', data('escape/passwd'), 'invalid_location', ['data.path'], /outside/],
  ['a private folder', data('.pawl/x.npz'), 'invalid_location', ['data.path'], /\.pawl/],
  ['data that is no archive', data('broken.npz'), 'invalid_data', ['data.path'], /./],
  ['first weights that are none', { ...SPEC, model: { ...SPEC.model, init: { from: 'broken.npz' } } }, 'invalid_data', ['model.init.from'], /./],
  ['first weights of another model', { ...SPEC, model: { ...SPEC.model, init: { from: 'init.safetensors' } } }, 'invalid_spec', ['model.init.from', 'model.init.from'], /dense_1\/kernel/],
  ['a list', [SPEC], 'invalid_spec', [''], /must be an object/],
  ['a text', 'spec', 'invalid_spec', [''], /must be an object/],
  ['nothing', null, 'invalid_spec', [''], /must be an object/],
  ['many problems at once', { ...SPEC, training: { batch_size: 0, epochs: -1, seed: 1.5 }, run: { priority: 101 }, extra: 1 }, 'invalid_spec', ['extra', 'training.batch_size', 'training.epochs', 'training.seed', 'run.priority'], /./],
];

async function prepared(): Promise<TestApi> {
  const api = await startApi();
  await writeFile(join(api.dataRoot, 'broken.npz'), 'PK no archive');
  await mkdir(join(api.dataRoot, '.pawl'));
  await writeFile(join(api.dataRoot, '.pawl', 'x.npz'), 'secret');
  await symlink('/etc', join(api.dataRoot, 'escape'));
  const header = Buffer.from(JSON.stringify({ 'dense_1/kernel': { dtype: 'F32', shape: [1, 1], data_offsets: [0, 4] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await writeFile(join(api.dataRoot, 'init.safetensors'), Buffer.concat([length, header, Buffer.alloc(4)]));
  return api;
}

describe('a spec that cannot be', () => {
  it('is refused naming every field, and nothing of it is stored', async () => {
    const api = await prepared();
    const before = await api.keys();
    for (const [what, payload, code, params, message] of SPECS) {
      const answer = await api.app.inject({ method: 'POST', url: '/v1/jobs', headers: { 'content-type': 'application/json', 'idempotency-key': what.replaceAll(' ', '-') }, payload: JSON.stringify(payload) });
      const { error } = answer.json();
      expect([what, answer.statusCode, error.code, error.type]).toEqual([what, 400, code, 'invalid_request']);
      expect([what, error.details.map(({ param }: { param: string }) => param).sort()]).toEqual([what, [...params].sort()]);
      expect(`${what}: ${error.details.map((problem: { message: string }) => problem.message).join(' ')}`).toMatch(message);
      expect([what, error.param]).toEqual([what, error.details[0].param === '' ? null : error.details[0].param]);
      expect(JSON.stringify(error)).not.toMatch(/secret|root:|\/work|\/tmp/);
    }
    expect(await api.keys()).toEqual(before);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe('a body that cannot be read', () => {
  const cases: [string, string | Buffer, string | undefined, number, string][] = [
    ['no JSON', '{"name": ', 'application/json', 400, 'invalid_request'],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'application/json', 400, 'invalid_request'],
    ['nested without end', '['.repeat(100_000) + ']'.repeat(100_000), 'application/json', 400, 'invalid_request'],
    ['a form', 'name=x', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
    ['a text', JSON.stringify(SPEC), 'text/plain', 415, 'unsupported_media_type'],
    ['something like JSON', JSON.stringify(SPEC), 'application/jsonp', 415, 'unsupported_media_type'],
    ['no type at all', JSON.stringify(SPEC), undefined, 415, 'unsupported_media_type'],
    ['a byte more than a megabyte', `"${'x'.repeat(MiB - 1)}"`, 'application/json', 413, 'payload_too_large'],
  ];
  it('is refused', async () => {
    const api = await startApi();
    for (const [what, payload, type, status, code] of cases) {
      const answer = await api.app.inject({ method: 'POST', url: '/v1/jobs', payload, headers: type === undefined ? {} : { 'content-type': type } });
      expect([what, answer.statusCode, answer.json().error.code]).toEqual([what, status, code]);
      expect(answer.json().error.request_id).toMatch(/^req_/);
    }
    expect(await api.keys()).toEqual([]);
  });

  it('may be a megabyte to the byte', async () => {
    const api = await startApi();
    const answer = await api.app.inject({ method: 'POST', url: '/v1/jobs', payload: `"${'x'.repeat(MiB - 2)}"`, headers: { 'content-type': 'application/json' } });
    expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'invalid_spec']);
  });

  it('is cut off when it says its length or not', async () => {
    const api = await startApi();
    const address = await api.listen();
    const body = new ReadableStream({
      pull: (controller) => {
        controller.enqueue(new Uint8Array(64 << 10).fill(32));
      },
    });
    const endless = await fetch(`${address}/v1/jobs`, { method: 'POST', headers: { 'content-type': 'application/json' }, body, duplex: 'half' }).then((answer) => answer.status, () => 'cut');
    expect([413, 'cut']).toContain(endless);
    expect(await api.keys()).toEqual([]);
  });

  it('that is no HTTP is answered in the same form', async () => {
    const api = await startApi();
    const { port } = new URL(await api.listen());
    const said = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write('nonsense\r\n\r\n'));
      let text = '';
      socket.on('data', (bytes) => (text += bytes.toString())).on('close', () => resolve(text));
    });
    expect(said).toMatch(/^HTTP\/1.1 400/);
    expect(JSON.parse(said.split('\r\n\r\n')[1]!).error.code).toBe('invalid_request');
  });
});

describe('a verb’s body', () => {
  const cases: [string, unknown, string[]][] = [
    ['pause', { now: true }, ['now']],
    ['preempt', { grace_seconds: '30' }, ['grace_seconds']],
    ['preempt', { grace_seconds: -1 }, ['grace_seconds']],
    ['preempt', { grace: 30 }, ['grace']],
    ['preempt', [], ['']],
    ['preempt', null, ['']],
    ['pause', null, ['']],
    ['preempt', { grace: 1, grace_seconds: null }, ['grace', 'grace_seconds']],
  ];
  it('is checked as sent', async () => {
    const api = await startApi();
    const job = await api.submit();
    const before = await api.keys();
    for (const [verb, payload, params] of cases) {
      const answer = await api.app.inject({ method: 'POST', url: `/v1/jobs/${job}/${verb}`, headers: { 'content-type': 'application/json' }, payload: JSON.stringify(payload) });
      expect([verb, payload, answer.statusCode]).toEqual([verb, payload, 400]);
      expect(answer.json().error.details.map(({ param }: { param: string }) => param).sort()).toEqual(params);
    }
    expect(await api.keys()).toEqual(before);
  });
});

describe('a query', () => {
  const cases: [string, string, string][] = [
    ['/v1/jobs?limit=0', 'invalid_request', 'limit'],
    ['/v1/jobs?limit=101', 'invalid_request', 'limit'],
    ['/v1/jobs?limit=1e1', 'invalid_request', 'limit'],
    ['/v1/jobs?limit=5&limit=6', 'invalid_request', 'limit'],
    ['/v1/jobs?limt=5', 'invalid_request', 'limt'],
    ['/v1/jobs?__proto__=5', 'invalid_request', '__proto__'],
    ['/v1/jobs?status=running,sleeping', 'invalid_request', 'status'],
    ['/v1/jobs?status=', 'invalid_request', 'status'],
    ['/v1/jobs?created_after=2026-01-31T12:00:00-08:00', 'invalid_request', 'created_after'],
    ['/v1/jobs?created_after=yesterday', 'invalid_request', 'created_after'],
    ['/v1/jobs?created_after=2026-02-30T00:00:00Z', 'invalid_request', 'created_after'],
    ['/v1/jobs?tag.=x', 'invalid_request', '"tag."'],
    ['/v1/jobs?tag.a=x&tag.a=y', 'invalid_request', 'tag.a'],
    [`/v1/jobs?after=${UNKNOWN}`, 'invalid_cursor', 'after'],
    ['/v1/jobs?after=../../etc', 'invalid_cursor', 'after'],
    ['/v1/jobs/JOB?verbose=1', 'invalid_request', 'verbose'],
    ['/v1/jobs/JOB/events?after=last', 'invalid_cursor', 'after'],
    ['/v1/jobs/JOB/events?limit=1000', 'invalid_request', 'limit'],
    ['/v1/jobs/JOB/metrics?series=loss', 'invalid_request', 'series'],
    ['/v1/jobs/JOB/metrics?limit=10001', 'invalid_request', 'limit'],
    ['/v1/jobs/JOB/metrics?max_points=0', 'invalid_request', 'max_points'],
    ['/v1/jobs/JOB/metrics?after_update=-1', 'invalid_request', 'after_update'],
    ['/v1/jobs/JOB/checkpoints?after=ckpt_x', 'invalid_cursor', 'after'],
    ['/v1/jobs/JOB/attempts?after=9', 'invalid_cursor', 'after'],
    ['/v1/jobs/JOB/weights?weights=both', 'invalid_request', 'weights'],
    ['/healthz?x=1', 'invalid_request', 'x'],
  ];
  it('is checked key by key', async () => {
    const api = await startApi();
    const job = await api.submit();
    for (const [url, code, param] of cases) {
      const answer = await api.app.inject(url.replace('JOB', job));
      expect([url, answer.statusCode, answer.json().error.code, answer.json().error.param]).toEqual([url, 400, code, param]);
    }
  });

  it('is about submits too', async () => {
    const api = await startApi();
    for (const query of ['dry_run=yes', 'dry_run=1', 'dry_run', 'dryrun=true']) expect((await api.app.inject({ method: 'POST', url: `/v1/jobs?${query}`, payload: SPEC })).statusCode).toBe(400);
    expect(await api.keys()).toEqual([]);
  });
});

describe('an id', () => {
  const none = [UNKNOWN, 'job_1', 'JOB_01JZZZZZZZZZZZZZZZZZZZZZZZ', '..%2F..%2Fkeys', '%2e%2e', 'job_01jzzzzzzzzzzzzzzzzzzzzzzz%00'];
  it.each(none)('that is none is 404 everywhere, and reaches no store: %s', async (id) => {
    const api = await startApi();
    for (const rest of ['', '/events', '/stream', '/metrics', '/attempts', '/checkpoints', `/checkpoints/${UNKNOWN}`, '/weights']) {
      const answer = await api.app.inject(`/v1/jobs/${id}${rest}`);
      expect([rest, answer.statusCode, answer.json().error.type]).toEqual([rest, 404, 'not_found']);
    }
    for (const verb of ['pause', 'resume', 'cancel', 'kill', 'retry', 'preempt']) {
      const answer = await api.app.inject({ method: 'POST', url: `/v1/jobs/${id}/${verb}` });
      expect([verb, answer.statusCode]).toEqual([verb, 404]);
    }
    expect(await api.keys()).toEqual([]);
  });

  it('that cannot be decoded, or has no end, is 400', async () => {
    const api = await startApi();
    for (const id of ['%zz', 'x'.repeat(3_000)]) {
      const answer = await api.app.inject(`/v1/jobs/${id}`);
      expect([answer.statusCode, answer.json().error.code]).toEqual([400, 'invalid_request']);
    }
  });
});

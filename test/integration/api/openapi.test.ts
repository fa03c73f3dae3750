// The OpenAPI document against the rules of OpenAPI, and against the server that it describes: the same routes, and answers that are
// what it says. contract-fuzzer.test.ts tries many more requests.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATIONS, openApiDocument } from '../../../api/openapi.js';
import { event, resultWith, row, SPEC, startApi } from '../../support/api.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: false });
});
afterAll(() => redis.stop());

const document = openApiDocument('test');
const ajv = new Ajv2020({ strict: false, discriminator: true, formats: { 'date-time': true } });
ajv.addSchema(document, 'api');
/** What is wrong with a value that is to be a component. */
function wrong(component: string, value: unknown): unknown {
  const validate = ajv.getSchema(`api#/components/schemas/${component}`)!;
  return validate(value) ? null : validate.errors;
}

/** Components, and the schemas of parameters, headers and bodies. */
function schemasIn(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return [];
  const { schema, schemas, ...rest } = value as { schema?: object; schemas?: Record<string, object> };
  return [...(schema ? [schema] : []), ...Object.values(schemas ?? {}), ...Object.values(rest).flatMap(schemasIn)];
}

describe('the document', () => {
  it('has the server’s routes, and no others', async () => {
    const source = await readFile(join(import.meta.dirname, '../../../api/server.ts'), 'utf8');
    const routes = [...source.matchAll(/app\.(get|post|head|put|delete)\('([^']+)'/g)].map(([, method, path]) => `${method} ${path!.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(OPERATIONS.map(({ method, path }) => `${method} ${path}`).concat('get /openapi.json').sort()).toEqual(routes.sort());
    expect(new Set(OPERATIONS.map(({ id }) => id)).size).toBe(OPERATIONS.length);
  });

  it('is OpenAPI 3.1, by its schema, and all schemas in it are JSON Schema', async () => {
    const validator = new Validator();
    const plain = JSON.parse(JSON.stringify(document)) as Record<string, unknown>;
    expect(await validator.validate(plain)).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    expect((await new Validator().validate({ ...plain, info: {} })).valid).toBe(false);
    const schemas = schemasIn(plain);
    expect(schemas.length).toBeGreaterThan(100);
    for (const schema of schemas) expect(ajv.validateSchema(schema) === true ? null : [schema, ajv.errors]).toBeNull();
    expect(ajv.validateSchema({ type: 'objekt' })).toBe(false);
  });

  it('has examples that are what it says', () => {
    const { schemas } = document['components'] as { schemas: Record<string, { examples?: unknown[] }> };
    const examples = Object.entries(schemas).flatMap(([name, { examples: given = [] }]) => given.map((example) => [name, example] as const));
    expect(examples.length).toBeGreaterThanOrEqual(5);
    for (const [name, example] of examples) expect([name, wrong(name, example)]).toEqual([name, null]);
  });

  it('refers to nothing that is not in it', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name);
    const { schemas } = document['components'] as { schemas: Record<string, unknown> };
    expect(references.length).toBeGreaterThan(50);
    for (const name of references) expect(Object.keys(schemas)).toContain(name);
    expect(JSON.stringify(document)).not.toMatch(/"\$ref":"(?!#\/components)|"\$id"/);
  });

  it('describes a spec as the server takes it, layers in layers too', () => {
    const residual = { type: 'residual', layers: [{ type: 'residual', layers: [{ type: 'conv2d', filters: 1, kernel_size: 1 }], shortcut: null }] };
    const spec = (layer: object) => ({ ...SPEC, model: { layers: [layer] } });
    expect(wrong('JobSpec', SPEC)).toBeNull();
    expect(wrong('JobSpec', spec(residual))).toBeNull();
    expect(wrong('JobSpec', spec({ ...residual, layers: [{ type: 'conv2d', filters: 0, kernel_size: 1 }] }))).not.toBeNull();
    expect(wrong('JobSpec', { ...SPEC, trainig: {} })).not.toBeNull();
  });
});

describe('the server', () => {
  it('answers as the document says', async () => {
    const api = await startApi({ redisUrl: redis.url });
    const json = async (url: string) => (await api.app.inject(url)).json();
    const job = await api.submit();
    const weights = Buffer.from('weights');
    const owner = await api.own(job);
    await owner.commit({ updates: 2, microBatches: 10, weights, rows: [row(1), row(2)], epochs: [{ epoch: 1, updates: 2, loss: 0.5, lr: 0.1 }], events: [event(900, 'epoch.completed')], end: { kind: 'completed', result: resultWith(weights, 2) } });
    const url = `/v1/jobs/${job}`;
    expect(wrong('Job', await json(url))).toBeNull();
    const lists: [string, string][] = [['/v1/jobs', 'JobListItem'], [`${url}/events`, 'JobEvent'], [`${url}/metrics`, 'UpdateRow'], [`${url}/metrics?series=epoch`, 'EpochRow'], [`${url}/attempts`, 'Attempt'], [`${url}/checkpoints`, 'Checkpoint']];
    for (const [path, component] of lists) {
      const { object, data } = (await json(path)) as { object: string; data: unknown[] };
      expect([path, object, data.length > 0]).toEqual([path, 'list', true]);
      for (const item of data) expect(wrong(component, item), path).toBeNull();
    }
    expect(wrong('DryRun', (await api.app.inject({ method: 'POST', url: '/v1/jobs?dry_run=true', payload: SPEC })).json())).toBeNull();
    const sweep = { method: 'random', metric: { name: 'val_loss' }, parameters: { lr: { min: 0.1, max: 0.2 } }, run_cap: 2, early_terminate: { type: 'asha', min_iter: 5 }, job: SPEC };
    expect(wrong('SweepSpec', sweep)).toBeNull();
    expect(wrong('SweepSpec', { ...sweep, parameters: { a: { parameters: { b: { minimum: 0 } } } } })).not.toBeNull();
    const started = (await api.app.inject({ method: 'POST', url: '/v1/sweeps', payload: sweep })).json<{ id: string }>();
    expect(wrong('Sweep', started)).toBeNull();
    const of = `/v1/sweeps/${started.id}`;
    for (const [path, component] of [[of, 'Sweep'], [`${of}/trials/0`, 'Trial'], [`${of}/importance`, 'SweepImportance'], [`${of}/export`, 'SweepExport']] as const) expect([path, wrong(component, await json(path))]).toEqual([path, null]);
    for (const [path, component] of [['/v1/sweeps', 'SweepListItem'], [`${of}/trials`, 'Trial']] as const) for (const item of ((await json(path)) as { data: unknown[] }).data) expect([path, wrong(component, item)]).toEqual([path, null]);
    expect(wrong('SweepDryRun', (await api.app.inject({ method: 'POST', url: '/v1/sweeps?dry_run=true', payload: sweep })).json())).toBeNull();
    expect(wrong('Queue', await json('/v1/queue'))).toBeNull();
    expect(wrong('Health', await json('/healthz'))).toBeNull();
    expect(wrong('Readiness', await json('/readyz'))).toBeNull();
    expect(wrong('Error', await json('/v1/jobs/nope'))).toBeNull();
    expect(wrong('Error', await json('/v1/jobs'))).not.toBeNull();
  });

  it('gives the document, and pages to read it', async () => {
    const api = await startApi({ redisUrl: redis.url });
    expect((await api.app.inject('/openapi.json')).json()).toEqual(JSON.parse(JSON.stringify(openApiDocument('test'))));
    const page = await api.app.inject('/docs');
    expect([page.statusCode, page.headers['content-type']]).toEqual([200, expect.stringMatching(/^text\/html/) as string]);
    expect(page.headers['content-security-policy']).toMatch(/default-src 'self'/);
    for (const [, path] of page.body.matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)) expect([path, (await api.app.inject(new URL(path!, 'http://localhost/docs/').pathname)).statusCode]).toEqual([path, 200]);
    expect((await api.app.inject('/docs/json')).json()).toMatchObject({ openapi: '3.1.0', info: { title: 'Pawl' } });
  });
});

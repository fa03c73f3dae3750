// Wrong specs and requests of every kind, made of valid ones, against the live server: never a 5xx, always a code, a message and a
// param, and nothing of what is refused is stored.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anySpec } from '../../unit/spec/arbitrary-spec.js';
import { startApi, type TestApi } from '../../support/api.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: false });
});
afterAll(() => redis.stop());

const RUNS = Number(process.env['PAWL_FUZZ_RUNS'] ?? '300');

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** What no field expects, and what some do. */
const stranger: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, 0, -1, 1e308, 0.5, '', 'auto', '../../etc/passwd', 's3://other/x', '__proto__', [], {}, [[]], { type: 'conv2d' }, { type: 3 }, '\u0000', 'a'.repeat(300)),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
);

/** Every place of a value, as the keys that lead there. */
function placesOf(value: Json, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const entries: [string | number, Json][] = Array.isArray(value) ? value.map((item, index): [number, Json] => [index, item]) : Object.entries(value);
  return [path, ...entries.flatMap(([key, item]) => placesOf(item, [...path, key]))];
}

type Change = { kind: 'replace' | 'add'; value: Json } | { kind: 'remove' | 'repeat'; value: null };
/** The value with one place of it changed. */
function changed(value: Json, path: readonly (string | number)[], change: Change, key: string): Json {
  const [first, ...rest] = path;
  if (first !== undefined && (change.kind === 'replace' || rest.length > 0 || change.kind === 'add')) {
    if (Array.isArray(value)) return value.map((item, index) => (index === first ? changed(item, rest, change, key) : item));
    return Object.fromEntries(Object.entries(value as { [key: string]: Json }).map(([name, item]) => [name, name === first ? changed(item, rest, change, key) : item]));
  }
  if (first !== undefined) {
    if (Array.isArray(value)) return change.kind === 'remove' ? value.filter((_, index) => index !== first) : [...value, value[first as number]!];
    return change.kind === 'remove' ? Object.fromEntries(Object.entries(value as object).filter(([name]) => name !== first)) : value;
  }
  if (change.kind === 'replace') return change.value;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value, [key]: change.value };
  return Array.isArray(value) ? [...value, change.value] : value;
}

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constantFrom<'replace' | 'add'>('replace', 'add'), value: stranger }),
  fc.record({ kind: fc.constantFrom<'remove' | 'repeat'>('remove', 'repeat'), value: fc.constant(null) }),
);
const mutated = fc
  .tuple(anySpec, fc.array(fc.tuple(fc.nat(), change, fc.constantFrom('type', 'name', 'foo', 'constructor', 'epochs', 'layers')), { minLength: 1, maxLength: 3 }))
  .map(([spec, changes]) => changes.reduce<Json>((value, [at, each, key]) => {
    const places = placesOf(value);
    return changed(value, places[at % places.length]!, each, key);
  }, JSON.parse(JSON.stringify(spec)) as Json));

const stored = async (api: TestApi): Promise<string[]> => (await api.keys()).sort();

/** An answer to something wrong, or to something that was right after all. */
function expectSane(answer: { statusCode: number; body: string; headers: Record<string, unknown> }, what: string): void {
  expect(answer.statusCode, `${what}: ${answer.body.slice(0, 300)}`).toBeLessThan(500);
  if (answer.statusCode < 400) return;
  const { error } = JSON.parse(answer.body) as { error: Record<string, unknown> };
  expect(Object.keys(error).sort(), what).toEqual(['code', 'details', 'message', 'param', 'request_id', 'type']);
  expect([typeof error['type'], typeof error['code'], typeof error['message'], typeof error['request_id']], what).toEqual(['string', 'string', 'string', 'string']);
  expect(error['param'] === null || typeof error['param'] === 'string', what).toBe(true);
  expect((error['message'] as string).length, what).toBeGreaterThan(5);
}

describe('wrong specs', () => {
  it(`are refused by field, or are right after all: ${RUNS} mutations of valid ones`, async () => {
    const api = await startApi({ redisUrl: redis.url });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(mutated, async (spec) => {
        const answer = await api.app.inject({ method: 'POST', url: '/v1/jobs?dry_run=true', payload: JSON.stringify(spec), headers: { 'content-type': 'application/json' } });
        expectSane(answer, JSON.stringify(spec).slice(0, 500));
        if (answer.statusCode === 200) return;
        refused += 1;
        expect(answer.statusCode).toBe(400);
        const { error } = answer.json<{ error: { details: { param: string; message: string }[] } }>();
        for (const { param, message } of error.details) expect([typeof param, message.length > 0]).toEqual(['string', true]);
      }),
      { numRuns: RUNS },
    );
    expect(refused).toBeGreaterThan(RUNS / 4);
  });

  it('leave nothing behind when they are submitted', async () => {
    const api = await startApi({ redisUrl: redis.url });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(mutated, async (spec) => {
        const before = await stored(api);
        const answer = await api.app.inject({ method: 'POST', url: '/v1/jobs', payload: JSON.stringify(spec), headers: { 'content-type': 'application/json' } });
        expectSane(answer, JSON.stringify(spec).slice(0, 500));
        const after = await stored(api);
        if (answer.statusCode < 400) expect(after.filter((key) => !before.includes(key)).some((key) => key.includes(answer.json<{ id: string }>().id))).toBe(true);
        else {
          refused += 1;
          expect(after).toEqual(before);
        }
      }),
      { numRuns: Math.ceil(RUNS / 4) },
    );
    expect(refused).toBeGreaterThan(0);
  });
});

describe('wrong requests', () => {
  const text = fc.oneof(fc.constantFrom('', '%00', '%', '../..', 'job_01j8zq4v9m3c7t5x2w6e0r8n1k', '-1', '1e9', 'x'.repeat(2000), 'é', '<script>'), fc.string({ maxLength: 30 }));
  const path = fc.oneof(
    fc.constantFrom('/v1/jobs', '/v1/workers', '/v1/queue', '/metrics', '/healthz', '/openapi.json', '/docs', '/v1', '/'),
    fc.tuple(text, fc.constantFrom('', '/events', '/metrics', '/attempts', '/checkpoints', '/weights', '/pause', '/preempt', '/nothing')).map(([id, rest]) => `/v1/jobs/${encodeURIComponent(id)}${rest}`),
    text.map((id) => `/v1/workers/${encodeURIComponent(id)}/drain`),
  );
  const query = fc.array(fc.tuple(fc.constantFrom('limit', 'after', 'status', 'name', 'series', 'max_points', 'after_update', 'checkpoint', 'weights', 'dry_run', 'created_after', 'tag.a', 'x'), text), { maxLength: 3 });
  const headers = fc.dictionary(fc.constantFrom('idempotency-key', 'range', 'if-range', 'if-none-match', 'last-event-id', 'content-type', 'accept'), text.filter((value) => !/[^\x20-\x7e]/.test(value)), { maxKeys: 3 });
  const body = fc.option(fc.oneof(stranger.map((value) => JSON.stringify(value)), text));

  it(`are answered in the same form: ${RUNS} of them`, async () => {
    const api = await startApi({ redisUrl: redis.url });
    const before = await stored(api);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('GET', 'POST', 'HEAD', 'PUT', 'DELETE'), path, query, headers, body, async (method, url, pairs, given, payload) => {
        const search = new URLSearchParams(pairs).toString();
        const answer = await api.app.inject({ method: method as 'GET', url: search === '' ? url : `${url}?${search}`, headers: given, ...(payload === null || method === 'GET' || method === 'HEAD' ? {} : { payload }) });
        if (method === 'HEAD') expect(answer.statusCode, `${method} ${url}?${search}`).toBeLessThan(500);
        else expectSane(answer, `${method} ${url}?${search} ${JSON.stringify(given)} ${payload}`);
      }),
      { numRuns: RUNS },
    );
    expect(await stored(api)).toEqual(before);
  });
});

// What is refused for being too much: 429, with the time to come again, and nothing stored.
import { expect, it } from 'vitest';
import { SPEC, startApi, type TestApi, until } from '../../support/api.js';

it('takes no more jobs than may be open, repeats aside, until one of them is over', async () => {
  const api = await startApi({ limits: { openJobs: 2 } });
  const submit = (key?: string) => api.app.inject({ method: 'POST', url: '/v1/jobs', payload: SPEC, headers: key === undefined ? {} : { 'idempotency-key': key } });
  const first = await submit('first');
  expect([first.statusCode, (await submit()).statusCode]).toEqual([201, 201]);
  const keys = (await api.keys()).sort();
  const full = await submit('third');
  expect([full.statusCode, full.headers['retry-after'], full.json().error]).toEqual([429, '60', expect.objectContaining({ type: 'queue_full', code: 'queue_full', param: null })]);
  expect((await api.keys()).sort()).toEqual(keys);
  const repeat = await submit('first');
  expect([repeat.statusCode, repeat.json().id]).toEqual([201, first.json().id]);
  expect((await api.app.inject({ method: 'POST', url: '/v1/jobs?dry_run=true', payload: SPEC })).statusCode).toBe(200);
  await (await api.own(first.json().id)).end({ kind: 'failed', reason: 'invalid_data', error: { code: 'invalid_data', message: 'no labels', param: null }, retryable: false });
  await until('there is room', async () => (await submit('third')).statusCode === 201);
  // one that starts again is one more
  const again = await submit('first');
  const before = (await api.keys()).filter((key) => key.includes(again.json().id)).sort();
  const retry = async (id: string) => (await api.app.inject({ method: 'POST', url: `/v1/jobs/${id}/retry` })).json().error?.code;
  await until('it is full again', async () => (await submit()).statusCode === 429);
  expect([await retry(again.json().id), await retry((await submit('third')).json().id), await retry('job_00000000000000000000000000')]).toEqual(['queue_full', 'invalid_state', 'not_found']);
  expect((await api.keys()).filter((key) => key.includes(again.json().id)).sort()).toEqual(before);
});

it('answers a client so many times a minute, others and the load balancer still', async () => {
  const tokens = ['a-token-of-thirty-two-characters', 'its-successor-of-thirty-two-char'];
  const api = await startApi({ tokens, limits: { requestsPerMinute: 3 } });
  const list = async (token: string) => api.app.inject({ url: '/v1/jobs', headers: { authorization: `Bearer ${token}` } });
  const answers = [];
  for (let n = 0; n < 4; n++) answers.push(await list(tokens[0]!));
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 429]);
  const refused = answers[3]!;
  expect(refused.json().error).toMatchObject({ type: 'rate_limited', code: 'rate_limited', request_id: expect.stringMatching(/^req_/) as string });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  expect((await list(tokens[1]!)).statusCode).toBe(200);
  for (let n = 0; n < 5; n++) expect((await api.app.inject('/healthz')).statusCode).toBe(200);
});

it('knows a client however it writes its token, and by its address where it has none of ours', async () => {
  const token = 'a-token-of-thirty-two-characters';
  const statusOf = async (api: TestApi, authorization?: string) => (await api.app.inject({ url: '/v1/jobs', headers: authorization === undefined ? {} : { authorization } })).statusCode;
  const known = await startApi({ tokens: [token], limits: { requestsPerMinute: 3 } });
  const written = [];
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) written.push(await statusOf(known, `${scheme} ${token}`));
  expect(written).toEqual([200, 200, 200, 429]);
  const open = await startApi({ limits: { requestsPerMinute: 3 } });
  const made = [];
  for (const authorization of ['Bearer one', undefined, 'Basic two', 'three']) made.push(await statusOf(open, authorization));
  expect(made).toEqual([200, 200, 200, 429]);
});

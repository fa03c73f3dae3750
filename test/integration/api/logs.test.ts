// A job's log over HTTP: from Redis, from the store, and across both.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LogLine } from '../../../lib/contract/rows.js';
import { LOG_ID_STRIDE, writeLogPage } from '../../../lib/jobs/logs.js';
import { type RedisServer, startRedis } from '../../support/redis.js';
import { startApi, type TestApi } from '../../support/api.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: false });
});
afterAll(() => redis.stop());

const line = (fence: number, n: number): LogLine => ({ id: fence * LOG_ID_STRIDE + n, at: '2026-01-01T00:00:00.000Z', level: 'info', source: 'supervisor', attempt: fence, message: `line ${n} of ${fence}` });
const lines = (fence: number, count: number): LogLine[] => Array.from({ length: count }, (_, n) => line(fence, n + 1));
const patient = () => AbortSignal.timeout(10_000);

interface Page {
  data: LogLine[];
  has_more: boolean;
  last_id: number | null;
}
const page = async (api: TestApi, job: string, query = ''): Promise<Page> => (await api.app.inject(`/v1/jobs/${job}/logs${query}`)).json();

/** Every line, page by page. */
async function all(api: TestApi, job: string, limit: number): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for (let after = ''; ; ) {
    const { data, has_more: more, last_id: last } = await page(api, job, `?limit=${limit}${after}`);
    found.push(...data);
    if (!more) return found;
    after = `&after=${last}`;
  }
}

it('shows lines once and in order, wherever they are, in pages of any size', async () => {
  const api = await startApi({ redisUrl: redis.url });
  const job = await api.submit();
  expect(await page(api, job)).toEqual({ object: 'list', data: [], has_more: false, last_id: null });
  // The first attempt was killed before its second page; the second is in two pages; the third has only live lines.
  const [first, second, third] = [lines(1, 30), lines(2, 25), lines(3, 12)];
  await api.queue.logs.append(job, { gen: 0, fence: 1 }, first);
  await writeLogPage(api.store, job, first.slice(0, 20), patient());
  await api.queue.logs.append(job, { gen: 0, fence: 2 }, second);
  await writeLogPage(api.store, job, second.slice(0, 10), patient());
  await writeLogPage(api.store, job, second.slice(10), patient());
  await api.queue.logs.append(job, { gen: 0, fence: 3 }, third);
  for (const limit of [1, 7, 20, 100]) expect(await all(api, job, limit)).toEqual([...first, ...second, ...third]);
  expect(await page(api, job, `?after=${second[3]!.id}&limit=2`)).toMatchObject({ data: [second[4], second[5]], has_more: true, last_id: second[5]!.id });

  await api.queue.reset();
  for (const limit of [1, 7, 20, 100]) expect(await all(api, job, limit)).toEqual([...first.slice(0, 20), ...second]);
});

it('shows lines once where a page that got no answer was written again, longer', async () => {
  const api = await startApi();
  const job = await api.submit();
  const said = lines(1, 12);
  for (const [from, to] of [[0, 3], [0, 6], [0, 9], [9, 12]] as const) await writeLogPage(api.store, job, said.slice(from, to), patient());
  for (const limit of [1, 3, 5, 100]) expect(await all(api, job, limit)).toEqual(said);
});

it('is read from the store without Redis, and refuses what is no line', async () => {
  const api = await startApi();
  const job = await api.submit();
  await writeLogPage(api.store, job, lines(1, 3), patient());
  expect(await all(api, job, 2)).toEqual(lines(1, 3));
  for (const [query, param] of [['?after=x', 'after'], ['?limit=0', 'limit'], ['?level=info', 'level']] as const) {
    const answer = await api.app.inject(`/v1/jobs/${job}/logs${query}`);
    expect([answer.statusCode, answer.json().error.param]).toEqual([400, param]);
  }
  expect((await api.app.inject('/v1/jobs/job_none/logs')).statusCode).toBe(404);
});

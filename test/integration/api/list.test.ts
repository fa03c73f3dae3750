// The list of jobs: order, pages, filters, and that it is right without Redis and for what other processes do.
import { describe, expect, it } from 'vitest';
import type { JobListItem } from '../../../lib/contract/job.js';
import { makeJobListing, type Page } from '../../../lib/jobs/listing.js';
import { makeJobAccess } from '../../../lib/jobs/access.js';
import { systemClock } from '../../../lib/clock.js';
import { silentLog } from '../../../lib/log.js';
import type { Store } from '../../../lib/store/index.js';
import { SPEC, startApi, type TestApi } from '../../support/api.js';

const list = async (api: TestApi, query = '') => (await api.app.inject(`/v1/jobs${query}`)).json();
const ids = (page: { data: { id: string }[] }): string[] => page.data.map(({ id }) => id);

describe('the list of jobs', () => {
  it('is newest first, without specs and attempts, in pages that meet', async () => {
    const api = await startApi();
    const jobs: string[] = [];
    for (let n = 0; n < 5; n++) jobs.unshift(await api.submit({ ...SPEC, name: `job ${n}` }));
    const all = await list(api);
    expect(ids(all)).toEqual(jobs);
    expect(all).toMatchObject({ object: 'list', has_more: false, last_id: jobs[4] });
    expect(all.data[0]).not.toHaveProperty('spec');
    expect(all.data[0]).not.toHaveProperty('attempts');
    const first = await list(api, '?limit=2');
    expect([ids(first), first.has_more, first.last_id]).toEqual([jobs.slice(0, 2), true, jobs[1]]);
    const second = await list(api, `?limit=3&after=${first.last_id}`);
    expect([ids(second), second.has_more]).toEqual([jobs.slice(2), false]);
    expect(await list(api, `?after=${jobs[4]}`)).toEqual({ object: 'list', data: [], has_more: false, last_id: null });
  });

  it('is filtered by status, tag, name and time of creation', async () => {
    const api = await startApi();
    const paused = await api.submit({ ...SPEC, name: 'one', run: { tags: { team: 'vision', tier: 'a' } } });
    const queued = await api.submit({ ...SPEC, name: 'two', run: { tags: { team: 'vision' } } });
    const cancelled = await api.submit({ ...SPEC, name: 'one' });
    await api.app.inject({ method: 'POST', url: `/v1/jobs/${paused}/pause` });
    await api.app.inject({ method: 'POST', url: `/v1/jobs/${cancelled}/cancel` });
    expect(ids(await list(api, '?status=paused'))).toEqual([paused]);
    expect(ids(await list(api, '?status=paused,cancelled'))).toEqual([cancelled, paused]);
    expect(ids(await list(api, '?tag.team=vision'))).toEqual([queued, paused]);
    expect(ids(await list(api, '?tag.team=vision&tag.tier=a'))).toEqual([paused]);
    expect(ids(await list(api, '?tag.team=speech'))).toEqual([]);
    expect(ids(await list(api, '?tag.__proto__=x'))).toEqual([]);
    expect(ids(await list(api, '?name=one'))).toEqual([cancelled, paused]);
    expect(ids(await list(api, '?name=one&status=queued'))).toEqual([]);
    const { created_at: created } = (await api.app.inject(`/v1/jobs/${paused}`)).json();
    expect(ids(await list(api, `?created_after=${created}`))).toEqual([cancelled, queued]);
    expect(ids(await list(api, '?created_after=2020-01-01T00:00:00Z'))).toHaveLength(3);
    expect(ids(await list(api, '?created_after=2099-01-01T00:00:00Z'))).toEqual([]);
  });

  it('shows what was just taken in', async () => {
    const api = await startApi();
    const seen: string[] = [];
    for (let n = 0; n < 3; n++) {
      seen.unshift(await api.submit());
      expect(ids(await list(api))).toEqual(seen);
    }
  });

  it('is read of those that are over as soon as the server listens, before anybody asks', async () => {
    let asked = (): void => undefined;
    const walked = new Promise<void>((resolve) => (asked = resolve));
    const keys = (store: Store): Store['keys'] => (prefix, options) => {
      if (prefix === 'closed/') asked();
      return store.keys(prefix, options);
    };
    const api = await startApi({ wrapStore: (store) => ({ ...store, keys: keys(store) }) });
    await api.listen();
    await walked;
  });

  it('shows what another process took in, and a job that it closed', async () => {
    const api = await startApi();
    const job = await api.submit();
    expect(ids(await list(api))).toEqual([job]);
    const owner = await api.own(job);
    await owner.end({ kind: 'failed', reason: 'invalid_data', error: { code: 'invalid_data', message: 'no', param: null }, retryable: false });
    expect(await list(api, '?status=failed')).toMatchObject({ data: [{ id: job, error: { code: 'invalid_data' } }] });
    const other = anotherListing(api);
    expect((await other.list(ALL)).items.map(({ id, status }) => [id, status])).toEqual([[job, 'failed']]);
  });

  it('leaves out a job whose submit was never acknowledged', async () => {
    const api = await startApi();
    await api.store.put('open/job_01jzzzzzzzzzzzzzzzzzzzzzzz.0', Buffer.from('{"name":null,"tags":{},"created_at":"2026-01-01T00:00:00Z","priority":0,"start_after":null}'));
    expect(ids(await list(api))).toEqual([]);
    expect((await list(api, '?after=job_01jzzzzzzzzzzzzzzzzzzzzzza')).error.code).toBe('invalid_cursor');
  });

  it('shows all others where a job’s record is damaged, and the job itself where only its marker or summary is', async () => {
    const api = await startApi();
    const [damaged, open, over, whole] = [await api.submit(), await api.submit(), await api.submit(), await api.submit()] as const;
    await (await api.own(over)).end({ kind: 'failed', reason: 'invalid_data', error: { code: 'invalid_data', message: 'no', param: null }, retryable: false });
    const half = Buffer.from('{"id": "job_');
    await api.store.put(`jobs/${damaged}/job.json`, half);
    await api.store.put(`open/${open}.0`, half);
    for (const key of (await api.keys()).filter((found) => found.startsWith('closed/'))) await api.store.put(key, half);
    // A process that has read none of them before.
    const { list: look } = anotherListing(api);
    expect((await look(ALL)).items.map(({ id }) => id)).toEqual([whole, over, open]);
    expect((await look({ ...ALL, name: 'digits' })).items.map(({ id }) => id)).toEqual([whole, over, open]);
    expect((await look({ ...ALL, statuses: ['failed'] })).items).toMatchObject([{ id: over, error: { code: 'invalid_data' } }]);
    await expect(anotherAccess(api).job(damaged)).rejects.toMatchObject({ code: 'checkpoint_corrupt' });
  });

  it('reads no more than one answer is worth, and goes on where it stopped', async () => {
    const api = await startApi();
    // 2,300 jobs that are over, as their summaries say.
    const summary = (id: string): Buffer => Buffer.from(JSON.stringify({ id, object: 'job', name: null, status: 'succeeded', created_at: '2026-01-01T00:00:00.000Z', tags: {}, is_terminal: true }));
    const made = Array.from({ length: 2_300 }, (_, n) => `job_01j${String(n).padStart(23, '0')}`);
    await Promise.all(made.map((id) => api.store.put(`closed/2026-01-01/${id}.0`, summary(id))));
    let reads = 0;
    const counted: Pick<Store, 'get' | 'keys'> = { keys: (...args) => api.store.keys(...args), get: (...args) => (reads++, api.store.get(...args)) };
    const listing = anotherListing(api, counted);
    const pages: Page<JobListItem>[] = [];
    for (let after: string | null = null; ; ) {
      const before = reads;
      const page = await listing.list({ ...ALL, statuses: ['failed'], after });
      expect(reads - before).toBeLessThanOrEqual(1_100);
      pages.push(page);
      if (!page.hasMore) break;
      after = page.lastId;
    }
    expect(pages.flatMap((page) => page.items)).toEqual([]);
    expect(pages.length).toBe(3);
    const again = reads;
    expect((await listing.list({ ...ALL, limit: 100 })).items).toHaveLength(100);
    expect(reads).toBe(again);
  });
});

const ALL = { statuses: null, name: null, tags: {}, only: null, createdAfter: null, after: null, limit: 20 };

function anotherListing(api: TestApi, store: Pick<Store, 'get' | 'keys'> = api.store) {
  return makeJobListing({ store, access: anotherAccess(api), clock: systemClock });
}

const anotherAccess = (api: TestApi) => makeJobAccess({ store: api.store, queue: api.queue, clock: systemClock, places: { roots: [], buckets: null }, log: silentLog });

// Closing a job that is over: what nothing refers to goes, and a store that is away in between is no reason to leave it for good.
import { expect, it } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import { closeJob } from '../../../lib/jobs/closing.js';
import { readHead } from '../../../lib/jobs/head.js';
import { openKey } from '../../../lib/jobs/names.js';
import { requireRecord } from '../../../lib/jobs/record.js';
import type { Store } from '../../../lib/store/index.js';
import { resultWith, row, startApi } from '../../support/api.js';

it('a manifest that cannot be read at the moment keeps the job open, and its garbage is collected the next time', async () => {
  const api = await startApi();
  const job = await api.submit();
  const owner = await api.own(job);
  const weights = Buffer.from('weights 2');
  await owner.commit({ updates: 1, microBatches: 5, rows: [row(1)] });
  await owner.commit({ updates: 2, microBatches: 10, rows: [row(2)], weights, end: { kind: 'completed', result: resultWith(weights, 2) } });
  const { head } = await readHead(api, job);
  const record = await requireRecord(api.store, job);
  const garbage = `jobs/${job}/data/0000000001/${'a'.repeat(64)}`;
  await api.store.put(garbage, Buffer.from('of a commit that never was'));
  await api.store.put(openKey(job, 0), Buffer.from('{}'));

  let misses = 0;
  const flaky: Store = {
    ...api.store,
    get: async (key, options) => {
      // The summary reads it first; this one is the collection's.
      if (key === head.manifest && misses++ === 1) throw new AppError('store_unavailable', 'no answer in time');
      return api.store.get(key, options);
    },
  };
  await expect(closeJob(flaky, record, head, new Date())).rejects.toThrow('no answer in time');
  expect(misses).toBe(2);
  expect(await api.store.head(openKey(job, 0)), 'a controller comes back to it').not.toBeNull();
  await closeJob(flaky, record, head, new Date());
  expect(await api.store.head(garbage)).toBeNull();
  expect(await api.store.head(openKey(job, 0))).toBeNull();
  for (const commit of head.retained) for (const { key } of commit.blobs) expect(await api.store.head(key), key).not.toBeNull();
});

// A checkpoint that somebody reads: it stays while it is read, and goes once nobody does, whether the reader said so or died.
import { expect, it } from 'vitest';
import type { Head, RetainedCommit } from '../../../lib/contract/records.js';
import { editHead, readHead } from '../../../lib/jobs/head.js';
import { makeHold } from '../../../lib/jobs/holding.js';
import { committed, emptyHead } from '../../../lib/jobs/lifecycle.js';
import { AppError } from '../../../lib/errors.js';
import { silentLog } from '../../../lib/log.js';
import type { Store } from '../../../lib/store/index.js';
import { makeMemoryStore } from '../../support/memory-store.js';

const JOB = `job_${'0'.repeat(26)}`;
const MINUTE_MS = 60_000;

/** A job that commits once a minute and keeps the last two. */
async function committing() {
  const store = makeMemoryStore();
  let nowMs = Date.UTC(2026, 0, 1);
  let seq = 0;
  const clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs, sleep: () => Promise.resolve() };
  const deps = { store, clock, log: silentLog };
  const commit = (): RetainedCommit => {
    seq += 1;
    const blob = { role: 'weights' as const, key: `jobs/${JOB}/data/1/${seq}`, bytes: 1, sha256: String(seq).padStart(64, '0') };
    return { id: `ckpt_${seq}`, seq, manifest: `m${seq}`, manifest_sha256: blob.sha256, micro_batches: seq, updates: seq, window_position: 0, committed_at: clock.now().toISOString(), best: null, bytes: 1, bytes_written: 1, blobs: [blob] };
  };
  const pass = async (minutes: number): Promise<Head> => {
    for (let minute = 0; minute < minutes; minute++) {
      nowMs += MINUTE_MS;
      const made = commit();
      await editHead(deps, JOB, (head) => committed(head, { commit: made, keepLast: 2, keepBest: null, lastEvent: 0, trainSeconds: 0, saveSeconds: 0 }));
    }
    return (await readHead(deps, JOB)).head;
  };
  await editHead(deps, JOB, () => emptyHead());
  const ids = (head: Head): string[] => head.retained.map(({ id }) => id);
  return { deps, pass, ids };
}

it('a checkpoint that is read stays as long as it is read, and is gone ten minutes after', async () => {
  const { deps, pass, ids } = await committing();
  await pass(1);
  const hold = makeHold(deps, JOB, 'ckpt_1');
  for (let minute = 0; minute < 30; minute++) {
    await hold.keep();
    expect(ids(await pass(1))).toContain('ckpt_1');
  }
  expect(ids(await pass(4))).toContain('ckpt_1');
  const after = await pass(6);
  expect([ids(after), after.holds]).toEqual([['ckpt_40', 'ckpt_41'], []]);
});

it('keeping costs a write of HEAD every five minutes', async () => {
  const { deps, pass } = await committing();
  await pass(1);
  const hold = makeHold(deps, JOB, 'ckpt_1');
  const version = async (): Promise<number> => (await readHead(deps, JOB)).head.version;
  const before = await version();
  for (let n = 0; n < 100; n++) await hold.keep();
  expect((await version()) - before).toBe(1);
});

it('of two readers the one who wants it longer decides, and what was dropped before cannot be held', async () => {
  const { deps, pass, ids } = await committing();
  await pass(1);
  await makeHold(deps, JOB, 'ckpt_1').keep();
  await pass(6);
  await makeHold(deps, JOB, 'ckpt_1').keep();
  expect(ids(await pass(9))).toContain('ckpt_1');
  expect(ids(await pass(1))).not.toContain('ckpt_1');
  await expect(makeHold(deps, JOB, 'ckpt_1').keep()).rejects.toMatchObject({ code: 'not_found' });
});

it('a store that takes no write is no reason not to read, and is asked again a minute later', async () => {
  const { deps, pass, ids } = await committing();
  await pass(1);
  let struck = 0;
  let isFull = true;
  const store: Store = {
    ...deps.store,
    compareAndSwap: async (...args) => {
      if (!isFull) return deps.store.compareAndSwap(...args);
      struck++;
      throw new AppError('store_full', 'no space left');
    },
  };
  const hold = makeHold({ ...deps, store }, JOB, 'ckpt_1');
  await hold.keep();
  const tries = struck;
  expect(tries).toBeGreaterThan(0);
  await hold.keep();
  expect(struck).toBe(tries);
  isFull = false;
  await pass(1);
  await hold.keep();
  expect(ids(await pass(9))).toContain('ckpt_1');
});

it('a store that answers no write keeps no reader waiting', async () => {
  const { deps, pass } = await committing();
  await pass(1);
  let asked = 0;
  const store: Store = {
    ...deps.store,
    compareAndSwap: () => {
      asked++;
      return new Promise(() => undefined);
    },
  };
  await makeHold({ ...deps, store }, JOB, 'ckpt_1').keep();
  expect(asked).toBe(1);
});

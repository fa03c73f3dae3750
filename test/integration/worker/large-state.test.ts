// A state whose files are larger than what one read, one write and one Buffer may hold: saved, hashed and restored.
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../lib/clock.js';
import { makeCommitter } from '../../../lib/jobs/commit.js';
import { claimJob } from '../../../lib/jobs/head.js';
import { NOTHING_DONE } from '../../../lib/jobs/lifecycle.js';
import { restoreState } from '../../../lib/jobs/restore.js';
import { silentLog } from '../../../lib/log.js';
import { makeFileStore } from '../../../lib/store/file.js';
import { startCursor } from '../../../lib/training/cursor.js';
import { startMonitor } from '../../../lib/training/monitor.js';
import { emptySums } from '../../../lib/training/window.js';
import type { Snapshot } from '../../../worker/protocol.js';
import { makeSilentFeed } from '../../../worker/supervisor/live-feed.js';
import { makeSaver, resultOf } from '../../../worker/supervisor/saver.js';
import { INPUTS } from '../../support/owner.js';
import { makeTempDir } from '../../support/temp.js';

const JOB = 'job_00000000000000000000000000';
const SIZE = 2 ** 31 + 4_096;

it('a file of more than 2 GiB is committed and restored, and the result has its hash', async () => {
  const folder = await makeTempDir('large');
  onTestFinished(folder.remove);
  const path = join(folder.path, 'slots');
  const sparse = await open(path, 'wx');
  await sparse.truncate(SIZE);
  await sparse.write(Buffer.from('the end'), 0, 7, SIZE - 7);
  await sparse.close();
  const small = { path: join(folder.path, 'weights'), sizeBytes: 7 };
  const weights = await open(small.path, 'wx');
  await weights.writeFile('weights');
  await weights.close();

  const store = await makeFileStore({ root: join(folder.path, 'store') });
  const deps = { store, clock: systemClock, log: silentLog };
  const limits = { maxFailures: 3, maxPreemptions: null, startAfter: null, startBefore: null };
  const outcome = await claimJob(deps, { job: JOB, worker: 'wrk_a', ticket: null, limits, isLive: () => Promise.resolve(false), account: () => Promise.resolve(NOTHING_DONE), sharedNow: () => Promise.resolve(new Date()) });
  if (outcome.kind !== 'claimed') throw new Error(outcome.kind);
  const { claim } = outcome;
  const stamp = { job: JOB, attempt: claim.attempt, number: claim.number, worker: 'wrk_a', gen: claim.gen, fence: claim.fence };
  const saver = makeSaver({
    claim, committer: makeCommitter({ ...deps, onDamaged: () => expect.fail('nothing is damaged') }, claim, null), stamp, feed: makeSilentFeed(), now: () => new Date(), inputs: () => INPUTS, specSha256: 'e'.repeat(64), keepLast: 2, keepBest: null,
    nowMs: () => performance.now(), epochsTold: () => 0, trainSeconds: () => 0, onSaved: () => undefined,
  });
  const counters = { cursor: startCursor(), window: emptySums(), epoch: emptySums(), last_epoch: null, monitor: startMonitor() };
  const snapshot: Snapshot = { number: 1, counters, files: { weights: small, slots: { path, sizeBytes: SIZE } }, unchanged: [], best: null, writeMs: 0 };

  const outcomeOfTraining = { stoppedBy: 'epochs' as const, updates: 0, unusedMicroBatches: 0, skippedWindows: 0, metrics: {}, validation: null };
  const result = await resultOf(snapshot, { path, sizeBytes: SIZE }, outcomeOfTraining, INPUTS);
  const head = await saver.save(snapshot, {});
  const slots = head.retained[0]!.blobs.find(({ role }) => role === 'slots')!;
  expect(slots).toMatchObject({ bytes: SIZE, sha256: result.state_sha256 });
  const expected = { job: JOB, specSha256: 'e'.repeat(64), dataSha256: null, accumIters: 1, check: () => Promise.resolve() };
  const { restored, corrupt } = await restoreState(store, head, expected, join(folder.path, 'resume'));
  expect(corrupt).toEqual([]);
  expect((await stat(restored!.files.slots!)).size).toBe(SIZE);
  const file = await open(restored!.files.slots!);
  const { buffer } = await file.read(Buffer.alloc(7), 0, 7, SIZE - 7);
  await file.close();
  expect(buffer.toString()).toBe('the end');
  // whole, for whoever asks for it so
  const whole = await store.get(slots.key);
  expect(whole!.body.subarray(-7).toString()).toBe('the end');
});

// Which rows a commit takes: those of the state that it is of, each once.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../lib/clock.js';
import type { Manifest } from '../../../lib/contract/records.js';
import type { EpochRow, UpdateRow } from '../../../lib/contract/rows.js';
import { makeCommitter } from '../../../lib/jobs/commit.js';
import { claimJob } from '../../../lib/jobs/head.js';
import { readSegments } from '../../../lib/jobs/history.js';
import { NOTHING_DONE } from '../../../lib/jobs/lifecycle.js';
import { silentLog } from '../../../lib/log.js';
import type { Course } from '../../../lib/training/course.js';
import { afterStep, epochsTold, planStep, startCursor } from '../../../lib/training/cursor.js';
import { startMonitor } from '../../../lib/training/monitor.js';
import type { Cursor } from '../../../lib/training/state.js';
import { emptySums } from '../../../lib/training/window.js';
import { makeSilentFeed } from '../../../worker/supervisor/live-feed.js';
import { makeSaver } from '../../../worker/supervisor/saver.js';
import { makeMemoryStore } from '../../support/memory-store.js';
import { INPUTS } from '../../support/owner.js';
import { makeTempDir } from '../../support/temp.js';

const JOB = 'job_00000000000000000000000000';
/** Ten updates an epoch. */
const course: Course = { samples: 100, batchSize: 10, accumIters: 1, epochs: 5, maxUpdates: 12, tail: 'carry', restoreBest: false };
const updateRow = (update: number): UpdateRow => ({ update, loss: 1, regularization: 0, lr: 1, grad_norm: 1, samples: 10, wall_time: update });
const epochRow = (epoch: number, updates: number): EpochRow => ({ epoch, updates, loss: 1, lr: 1 });

it('the row of the part of an epoch that max_updates left is committed with the end, and no row twice or before its state', async () => {
  const folder = await makeTempDir('saver');
  onTestFinished(folder.remove);
  const store = makeMemoryStore();
  const deps = { store, clock: systemClock, log: silentLog, onDamaged: () => expect.fail('nothing is damaged') };
  const limits = { maxFailures: 3, maxPreemptions: null, startAfter: null, startBefore: null };
  const outcome = await claimJob(deps, { job: JOB, worker: 'wrk_a', ticket: null, limits, isLive: () => Promise.resolve(false), account: () => Promise.resolve(NOTHING_DONE), sharedNow: () => Promise.resolve(new Date()) });
  if (outcome.kind !== 'claimed') throw new Error(outcome.kind);
  const { claim } = outcome;
  const saver = makeSaver({
    claim, committer: makeCommitter(deps, claim, null), stamp: { job: JOB, attempt: claim.attempt, number: 1, worker: 'wrk_a', gen: 0, fence: 1 }, feed: makeSilentFeed(), now: () => new Date(), inputs: () => INPUTS,
    specSha256: 'e'.repeat(64), keepLast: 2, keepBest: null, nowMs: () => performance.now(), epochsTold: (cursor) => epochsTold(cursor, course), trainSeconds: () => 0, onSaved: () => undefined,
  });

  const states: Cursor[] = [];
  let cursor = startCursor();
  for (let step = planStep(cursor, course); step !== 'finished'; step = planStep(cursor, course)) {
    cursor = afterStep(cursor, step, course);
    states.push(cursor);
    if (step === 'update') saver.addRows([updateRow(cursor.updates)], []);
    if (step === 'end_epoch') saver.addRows([], [epochRow(Math.ceil(cursor.updates / 10), cursor.updates)]);
  }
  // Snapshots are committed late, when the trainer has told of everything.
  const committed: { at: number; pending: boolean; updates: number; epochs: number[] }[] = [];
  for (const [number, state] of states.filter(({ window_position: position, updates }) => position === 0 && updates >= 9).entries()) {
    const path = join(folder.path, `${number}.weights`);
    await writeFile(path, `weights ${state.updates}`);
    const head = await saver.save({ number, counters: { cursor: state, window: emptySums(), epoch: emptySums(), last_epoch: null, monitor: startMonitor() }, files: { weights: { path, sizeBytes: 9 + String(state.updates).length - 1 } }, unchanged: [], best: null, writeMs: 0 }, {});
    const { rows } = JSON.parse((await store.get(head.manifest!))!.body.toString()) as Manifest;
    const updates = (await readSegments<UpdateRow>(store, rows.update)).map(({ update }) => update);
    expect(updates).toEqual(Array.from({ length: state.updates }, (_, index) => index + 1));
    committed.push({ at: state.updates, pending: state.validation_pending, updates: updates.length, epochs: (await readSegments<EpochRow>(store, rows.epoch)).map(({ epoch }) => epoch) });
  }
  expect(committed.map(({ at, pending, epochs }) => [at, pending, epochs])).toEqual([[9, false, []], [10, true, []], [10, false, [1]], [11, false, [1]], [12, true, [1]], [12, false, [1, 2]]]);
});

// What a newer version of the program wrote, read by this one while a fleet is upgraded: its own fields are left as they are, those that
// this one knows are checked as ever.
import { expect, test } from 'vitest';
import type { Head, Manifest } from '../../../lib/contract/records.js';
import { isAppError } from '../../../lib/errors.js';
import { claimJob, editHead, readHead } from '../../../lib/jobs/head.js';
import { attemptEnded, claimed, committed, emptyHead, held, NOTHING_DONE, pinned, quarantined, withEvents } from '../../../lib/jobs/lifecycle.js';
import { headKey } from '../../../lib/jobs/names.js';
import { parseHead, parseManifest } from '../../../lib/jobs/rebuild.js';
import { toJson } from '../../../lib/jobs/record.js';
import { afterVerb, goesOnUntil, retried } from '../../../lib/jobs/verbs.js';
import { startCursor } from '../../../lib/training/cursor.js';
import { startMonitor } from '../../../lib/training/monitor.js';
import { emptySums } from '../../../lib/training/window.js';
import { makeMemoryStore } from '../../support/memory-store.js';
import { headProblem, manifestProblem } from '../../support/strict-records.js';

const JOB = `job_${'0'.repeat(26)}`;
const SHA = '0'.repeat(64);
const now = new Date('2026-06-01T12:00:00Z');
const at = now.toISOString();
const limits = { maxFailures: 3, maxPreemptions: null, startAfter: null, startBefore: null };
const RESULT = { weights_sha256: SHA, state_sha256: SHA, metrics: { loss: 1 }, validation: { val_loss: null }, updates: 1, unused_micro_batches: 0, skipped_windows: 0, stopped_by: 'epochs' as const, engine: 'wasm', numerics_class: 'wasm', numerics: 'strict' as const };
const BLOB = { role: 'weights' as const, key: 'k', bytes: 1, sha256: SHA };
const COMMIT = { id: 'ckpt_1', seq: 1, manifest: 'm', manifest_sha256: SHA, micro_batches: 1, updates: 1, window_position: 0, committed_at: at, bytes: 1, bytes_written: 1, best: 0.5, blobs: [BLOB] };
const INPUTS = { data_sha256: SHA, init_sha256: null, numerics_class: 'wasm', engine: 'wasm', train_samples: 9, mixed: false };

/** With something in every place. */
const HEAD: Head = {
  ...claimed(emptyHead(), { attempt: 'a', worker: 'w', now, displaced: NOTHING_DONE }),
  write: 'w1', pause_at: { update: 3 }, rungs: [{ update: 1, metrics: { loss: 1 }, validation: { val_loss: 1 } }], reason: 'user', message: 'm', manifest: 'm', manifest_sha256: SHA, seq: 1, retained: [COMMIT], pins: ['ckpt_1'],
  holds: [{ checkpoint: 'ckpt_1', until: at }], quarantined: ['q'], inputs: INPUTS, finished_at: at, result: RESULT, error: { code: 'oom', message: 'm', param: null },
};
const SEGMENT = { key: 's', bytes: 1, sha256: SHA, first: 1, last: 1, count: 1, level: 0 };
const MANIFEST: Manifest = {
  manifest_version: 1, id: 'ckpt_1', job: JOB, gen: 0, seq: 1, fence: 1, attempt: 'a', prev: { id: 'ckpt_0', manifest: 'm0', manifest_sha256: SHA }, committed_at: at,
  state: { cursor: startCursor(), window: emptySums(), epoch: emptySums(), last_epoch: { epoch: 0, updates: 1, loss: 1, lr: 0.1 }, monitor: startMonitor() }, best: null, blobs: [BLOB], bytes_written: 1,
  rows: { update: [SEGMENT], epoch: [SEGMENT] }, events: [{ ...SEGMENT, index: true }], spec_sha256: SHA, data_sha256: SHA, numerics_class: 'wasm', final: RESULT,
};

/** With a field more in every object. */
const newer = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(newer);
  if (typeof value !== 'object' || value === null) return value;
  return { ...Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, newer(inner)])), newer: 1 };
};
/** All places in it of a field that is known: the object, and the field's name. */
const fieldsOf = (value: unknown): [Record<string, unknown>, string][] => {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [...(Array.isArray(value) || name === 'newer' ? [] : [[value as Record<string, unknown>, name] as [Record<string, unknown>, string]]), ...fieldsOf(inner)]);
};

test.each<[string, (value: unknown) => unknown, unknown, (value: unknown) => string | null]>([
  ['HEAD', (value) => parseHead(JOB, toJson(value)), HEAD, headProblem],
  ['a manifest', (value) => parseManifest('m', toJson(value)), MANIFEST, manifestProblem],
])('%s keeps what it says more, and is refused for a known field that is wrong', (_, parse, value, problemOf) => {
  expect(problemOf(value), 'as this version writes it').toBeNull();
  const more = newer(value);
  expect(problemOf(more)).not.toBeNull();
  expect(parse(more)).toEqual(more);

  let refused = 0;
  for (const [object, name] of fieldsOf(more)) {
    const right = object[name];
    object[name] = typeof right === 'object' && right !== null ? 'none' : { none: 1 };
    try {
      parse(more);
    } catch (error) {
      if (!isAppError(error, 'checkpoint_corrupt')) throw error;
      refused++;
    }
    object[name] = right;
  }
  // but for what may be anything: the data of events
  const free = fieldsOf(more).filter(([object, name]) => name === 'worker' && !('attempt' in object)).length;
  expect(refused).toBe(fieldsOf(more).length - free);
});

test.each<[string, (head: Head) => Head | null]>([
  ['a claim', (head) => claimed(head, { attempt: 'b', worker: 'v', now, displaced: NOTHING_DONE })],
  ['an event', (head) => withEvents(head, now, { type: 'job.queued', attempt: null, message: '' })],
  ['what is pinned', (head) => pinned(head, INPUTS, { from: null, at: 0 })],
  ['a commit', (head) => committed(head, { commit: { ...COMMIT, seq: 2 }, keepLast: 2, keepBest: null, lastEvent: 0, trainSeconds: 1, saveSeconds: 1 })],
  ['a hold', (head) => held({ ...head, pins: [], holds: [] }, 'ckpt_1', new Date(now.getTime() + 60_000), now)],
  ['what failed verification', (head) => quarantined(head, ['x'], 1)],
  ['an attempt’s end', (head) => attemptEnded(head, { kind: 'stopped', reason: 'preempted_notice', message: '' }, NOTHING_DONE, limits, now)],
  ['a verb', (head) => afterVerb(head, 'pause', 'user')],
  ['a later pause', (head) => goesOnUntil(head, 9)],
  ['a retry', (head) => retried({ ...head, state: 'failed' }, 0, now)],
])('%s leaves in HEAD what it does not know', (_, edit) => {
  const edited = edit(newer(HEAD) as Head);
  expect(edited).toMatchObject({ newer: 1, counters: { newer: 1 }, retained: expect.arrayContaining([expect.objectContaining({ newer: 1 })]) as unknown });
  // and writes nothing that is in no schema
  expect(headProblem(edit(HEAD))).toBeNull();
});

test('a job whose HEAD says more is claimed, told to pause, and goes on', async () => {
  const store = makeMemoryStore();
  const deps = { store, clock: { now: () => now, sleep: () => Promise.resolve() } };
  await store.put(headKey(JOB), toJson({ ...emptyHead(), newer: { deep: [1] } }));
  const outcome = await claimJob(deps, { job: JOB, worker: 'w', ticket: { job: JOB, gen: 0, fence: 0 }, limits, isLive: () => Promise.resolve(false), account: () => Promise.resolve(NOTHING_DONE), sharedNow: () => Promise.resolve(new Date()) });
  if (outcome.kind !== 'claimed') throw new Error(outcome.kind);
  await editHead(deps, JOB, (head) => afterVerb(head, 'pause', 'user'));
  await outcome.claim.write((head) => attemptEnded(head, { kind: 'stopped', reason: 'user', message: 'pausing' }, NOTHING_DONE, limits, now));
  expect((await readHead(deps, JOB)).head).toMatchObject({ state: 'paused', fence: 1, newer: { deep: [1] } });
});

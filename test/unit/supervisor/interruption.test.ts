// An attempt whose data does not come: a notice, a pause or a cancel ends it at once, without a trainer.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../lib/clock.js';
import { sayVerb } from '../../../lib/jobs/control.js';
import { readHead } from '../../../lib/jobs/head.js';
import { NOTHING_DONE } from '../../../lib/jobs/lifecycle.js';
import { BY_A_USER, submitJob } from '../../../lib/jobs/submit.js';
import { silentLog } from '../../../lib/log.js';
import { makeFileStore } from '../../../lib/store/file.js';
import type { Store } from '../../../lib/store/index.js';
import { runAttempt } from '../../../worker/supervisor/attempt.js';
import { makeSilentFeed } from '../../../worker/supervisor/live-feed.js';
import { makePace } from '../../../worker/supervisor/pace.js';
import { makeNotice, type Notice } from '../../../worker/supervisor/notice.js';
import { makeObjectCache } from '../../../worker/supervisor/object-cache.js';
import type { AttemptControls, AttemptDeps, AttemptOutcome } from '../../../worker/supervisor/session.js';
import { resolved } from '../../resume/support/run-training.js';
import { makeTempDir } from '../../support/temp.js';
import { memoryObjects } from '../data/memory-objects.js';

const JOB = `job_${'0'.repeat(26)}`;
const never = () => {
  throw new Error('no trainer is to be started');
};

let store: Store;
let notice: Notice;
let nudge: () => void;
let spoolRoot: string;
let running: Promise<AttemptOutcome>;
const control = () => ({ store, clock: systemClock, tickets: { issue: () => Promise.resolve(), withdraw: () => Promise.resolve() }, log: silentLog });

beforeEach(async () => {
  const dir = await makeTempDir('interruption');
  onTestFinished(dir.remove);
  store = await makeFileStore({ root: join(dir.path, 'store') });
  spoolRoot = join(dir.path, 'spool');
  const objects = memoryObjects({ 's3://data/set.npz': Buffer.alloc(1_000_000) });
  let asked!: () => void;
  const fetching = new Promise<void>((resolve) => (asked = resolve));
  objects.gate = (_address, startBytes) => (startBytes === 0 && objects.reads.length === 1 ? Promise.resolve() : new Promise(() => asked()));
  const spec = resolved({ data: { type: 'npz', path: 's3://data/set.npz' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 3 }] } });
  await submitJob(control(), { id: JOB, spec, origin: BY_A_USER, beginning: null, principal: 'test', key: null, bodySha256: '' });
  const deps: AttemptDeps = {
    ...control(), beginnings: store, feed: makeSilentFeed(), liveness: { isLive: () => Promise.resolve(false), account: () => Promise.resolve(NOTHING_DONE) }, sharedNow: () => Promise.resolve(new Date()), trainers: { acquire: never, release: never, close: never }, pace: makePace(), memoryMib: Infinity, memoryKills: () => null, trainerSetup: never,
    worker: 'wrk_test', data: { places: { roots: [], buckets: { names: ['data'], store: null, objects } }, memoryBytes: 2 ** 20 }, copies: makeObjectCache(join(spoolRoot, 'objects'), objects, silentLog), spoolRoot, beatEveryMs: 1_000, isHeld: () => true, lookEveryMs: 3_600_000,
  };
  notice = makeNotice();
  const controls: AttemptControls = {
    notice,
    onClaimed: () => undefined,
    onHint: () => () => undefined,
    onNudge: (listener) => {
      nudge = listener;
      return () => undefined;
    },
    onFacts: () => undefined,
    onSafe: () => undefined,
  };
  running = runAttempt(deps, { job: JOB, gen: 0, fence: 0, sinceMs: 0 }, controls);
  await fetching;
});

/** HEAD once the attempt is over, and what is left of its data. */
async function ended() {
  expect(await running).toMatchObject({ kind: 'ended', executed: 0 });
  await expect.poll(() => readdir(join(spoolRoot, 'objects'))).toEqual([]);
  return (await readHead({ store }, JOB)).head;
}

describe('an attempt that fetches its data', () => {
  it('gives its job back at a notice', async () => {
    notice.give({ reason: 'preempted_notice', message: 'the machine goes', deadlineMs: null, immediate: false, trainOn: false });
    expect(await ended()).toMatchObject({ state: 'open', owner: null, reason: 'preempted_notice', counters: { preemptions: 1, failures: 0 } });
  });

  it.each([['pause', 'paused'], ['cancel', 'cancelled'], ['kill', 'cancelled']] as const)('ends at once by a %s', async (verb, state) => {
    await sayVerb(control(), JOB, verb, 'user');
    nudge();
    expect(await ended()).toMatchObject({ state, owner: null, error: null });
  });
});

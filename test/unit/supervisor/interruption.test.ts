// An attempt whose data takes its time: a notice, a pause, a cancel or the end of the job's time ends it at once, without a trainer.
import { appendFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../lib/clock.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { sayVerb } from '../../../lib/jobs/control.js';
import { readHead } from '../../../lib/jobs/head.js';
import type { AttemptOutcome } from '../../../worker/supervisor/session.js';
import { makeTempDir } from '../../support/temp.js';
import { idxOf } from '../data/idx-files.js';
import { memoryObjects } from '../data/memory-objects.js';
import { type ByHand, JOB, makeAttemptByHand } from './attempt-by-hand.js';

const model: JobSpecInput['model'] = { layers: [{ type: 'flatten' }, { type: 'dense', units: 3 }] };
const NOTICE = { reason: 'preempted_notice', message: 'the machine goes', deadlineMs: null, immediate: false, trainOn: false } as const;
const LIMIT_SECONDS = 3_600;

let attempt: ByHand;
let running: Promise<AttemptOutcome>;
const headOf = async () => (await readHead(attempt.control, JOB)).head;

describe('an attempt that fetches its data', () => {
  let timeIsOver: () => void;
  let askedMs: number;

  beforeEach(async () => {
    const objects = memoryObjects({ 's3://data/set.npz': Buffer.alloc(1_000_000) });
    let asked!: () => void;
    const fetching = new Promise<void>((resolve) => (asked = resolve));
    objects.gate = (_address, startBytes) => (startBytes === 0 && objects.reads.length === 1 ? Promise.resolve() : new Promise(() => asked()));
    const wait = (ms: number): Promise<void> => {
      askedMs = ms;
      return new Promise((resolve) => (timeIsOver = resolve));
    };
    const clock: typeof systemClock = { ...systemClock, sleep: (ms, signal) => (ms > 60_000 ? wait(ms) : systemClock.sleep(ms, signal)) };
    attempt = await makeAttemptByHand({ spec: { data: { type: 'npz', path: 's3://data/set.npz' }, model, run: { max_duration_seconds: LIMIT_SECONDS } }, objects, clock });
    running = attempt.begin();
    await fetching;
  });

  /** HEAD once the attempt is over, and nothing is left of its data. */
  async function ended() {
    expect(await running).toMatchObject({ kind: 'ended', executed: 0 });
    await expect.poll(() => readdir(join(attempt.spoolRoot, 'objects'))).toEqual([]);
    attempt.trainer.expectUnused();
    return headOf();
  }

  it('gives its job back at a notice', async () => {
    attempt.notice.give(NOTICE);
    expect(await ended()).toMatchObject({ state: 'open', owner: null, reason: 'preempted_notice', counters: { preemptions: 1, failures: 0 } });
  });

  it.each([['pause', 'paused'], ['cancel', 'cancelled'], ['kill', 'cancelled']] as const)('ends at once by a %s', async (verb, state) => {
    await sayVerb(attempt.control, JOB, verb, 'user');
    attempt.nudge();
    expect(await ended()).toMatchObject({ state, owner: null, error: null });
  });

  it('ends with the time that its job may take, as one that trains does', async () => {
    expect([askedMs <= LIMIT_SECONDS * 1_000, askedMs > (LIMIT_SECONDS - 600) * 1_000]).toEqual([true, true]);
    timeIsOver();
    expect(await ended()).toMatchObject({ state: 'failed', owner: null, reason: 'max_duration', error: { code: 'max_duration', message: `run.max_duration_seconds (${LIMIT_SECONDS}) is over`, param: 'run.max_duration_seconds' } });
  });
});

describe('an attempt that looks through its data', () => {
  it('does not read on after a notice', async () => {
    const dir = await makeTempDir('labels');
    onTestFinished(dir.remove);
    const samples = 2 ** 27;
    for (const [name, shape] of [['images', [samples, 1, 1]], ['labels', [samples]]] as const) {
      const head = idxOf({ shape, data: new Uint8Array(0) });
      await writeFile(join(dir.path, name), head);
      await truncate(join(dir.path, name), head.length + samples - 1); // zeros that take no room
      await appendFile(join(dir.path, name), Uint8Array.of(2)); // the last of three classes
    }
    attempt = await makeAttemptByHand({ spec: { data: { type: 'idx', images: 'images', labels: 'labels' }, model }, roots: [dir.path] });
    attempt.notice.give(NOTICE);
    running = attempt.begin();
    expect(await running).toMatchObject({ kind: 'ended', executed: 0 });
    attempt.trainer.expectUnused();
    expect(await headOf()).toMatchObject({ state: 'open', owner: null, reason: 'preempted_notice', counters: { preemptions: 1, failures: 0 } });
  });
});

// An attempt on a disk that copies of objects have filled: those that nobody holds make way, before it needs the room where that is
// known, and otherwise once something found none.
import { existsSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { AppError } from '../../../lib/errors.js';
import { readHead } from '../../../lib/jobs/head.js';
import { planModel } from '../../../lib/model/plan-model.js';
import { expectedState } from '../../../lib/model/slots.js';
import { startCursor } from '../../../lib/training/cursor.js';
import { startMonitor } from '../../../lib/training/monitor.js';
import { emptySums } from '../../../lib/training/window.js';
import type { Snapshot, ToTrainer } from '../../../worker/protocol.js';
import type { AttemptOutcome } from '../../../worker/supervisor/session.js';
import { spoolSnapshot } from '../../../worker/trainer/spool.js';
import { resolved } from '../../resume/support/run-training.js';
import { smallDisk } from '../../support/small-disk.js';
import { makeTempDir } from '../../support/temp.js';
import { idxOf } from '../data/idx-files.js';
import { memoryObjects } from '../data/memory-objects.js';
import { type ByHand, JOB, makeAttemptByHand } from './attempt-by-hand.js';

const MIB = 2 ** 20;
const spec: JobSpecInput = { data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] } };
const NOTICE = { reason: 'preempted_notice', message: 'the machine goes', deadlineMs: null, immediate: false, trainOn: false } as const;
const objects = memoryObjects({ 's3://data/old': Buffer.alloc(8 * MIB) });

/** A full disk for this call on these paths, until the test ends; how often it was met. */
function refuse(call: 'mkdir' | 'writeFile', when: (path: string) => boolean): () => number {
  const { [call]: original } = fs;
  let met = 0;
  const answerWith = (answer: unknown): void => {
    Object.assign(fs, { [call]: answer });
    syncBuiltinESMExports();
  };
  answerWith(async (path: string, ...rest: never[]) => {
    if (!when(path)) return (original as (...of: unknown[]) => Promise<unknown>)(path, ...rest);
    met += 1;
    throw Object.assign(new Error(`ENOSPC: no space left on device, ${call}`), { code: 'ENOSPC' });
  });
  onTestFinished(() => answerWith(original));
  return () => met;
}

let attempt: ByHand;
/** A copy that is kept for later, and held by nobody. */
async function idle(): Promise<string> {
  const hold = attempt.copies!.hold();
  const { path } = await hold.fetch({ bucket: 'data', key: 'old' }, 'data.path', [], new AbortController().signal);
  hold.release();
  return path;
}
const headOf = async () => (await readHead(attempt.control, JOB)).head;

describe('before a trainer starts', () => {
  it.each([
    [20, 3, true],
    [18, 3, false],
    [24, 60, false], // for the snapshot's sake
  ])('a disk of %i MiB has room for what has to be unpacked and a snapshot of %i units; the copy stays: %s', async (sizeMib, units, stays) => {
    const dir = await makeTempDir('packed');
    onTestFinished(dir.remove);
    const samples = 1_024;
    await fs.writeFile(join(dir.path, 'images.gz'), gzipSync(idxOf({ shape: [samples, 100, 100], data: new Uint8Array(samples * 10_000) }), { level: 1 }));
    await fs.writeFile(join(dir.path, 'labels'), idxOf({ shape: [samples], data: Uint8Array.from({ length: samples }, (_, i) => i % units) }));
    attempt = await makeAttemptByHand({ spec: { data: { type: 'idx', images: 'images.gz', labels: 'labels' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units }] }, training: { batch_size: 5 } }, roots: [dir.path], objects, dataMemoryBytes: 0 });
    const path = await idle();
    const disk = smallDisk(attempt.spoolRoot, sizeMib * MIB);
    const running = attempt.begin();
    const { attempt: name } = await attempt.trainer.next('start');
    expect([existsSync(path), disk.asked() > 0]).toEqual([stays, true]);
    attempt.trainer.say({ type: 'failed', attempt: name, code: 'oom', message: 'enough', param: null, peakMemoryMib: 1 });
    await attempt.trainer.next('release');
    attempt.trainer.say({ type: 'idle', attempt: name, clean: true, peakMemoryMib: 1 });
    await running;
  });

  it('a folder that cannot be made for want of room is made once a copy has gone', async () => {
    attempt = await makeAttemptByHand({ spec, objects });
    const path = await idle();
    await fs.writeFile(join(attempt.spoolRoot, 'filler'), Buffer.alloc(8 * MIB));
    smallDisk(attempt.spoolRoot, 16 * MIB);
    const refused = refuse('mkdir', (at) => dirname(at) === attempt.spoolRoot && at !== dirname(dirname(path)) && existsSync(path));
    const running = attempt.begin();
    await attempt.trainer.next('start');
    expect([refused(), existsSync(path)]).toEqual([1, false]);
    attempt.notice.give({ ...NOTICE, immediate: true });
    await running;
  });
});

describe('while it trains', () => {
  let start: Extract<ToTrainer, { type: 'start' }>;
  let running: Promise<AttemptOutcome>;
  /** Puts into the store that were refused. */
  let refused: string[];
  let refuses: (key: string) => boolean;

  beforeEach(async () => {
    refused = [];
    refuses = () => false;
    attempt = await makeAttemptByHand({
      spec,
      objects,
      store: (store) => ({
        ...store,
        put: async (key, ...rest) => {
          if (!refuses(key)) return store.put(key, ...rest);
          refused.push(key);
          throw new AppError('store_full', 'no space left');
        },
      }),
    });
    await untilRunning();
  });

  async function untilRunning(): Promise<void> {
    running = attempt.begin();
    start = await attempt.trainer.next('start');
    attempt.trainer.say({ type: 'ready', attempt: start.attempt, facts: { engine: 'wasm', device: 'cpu', lanes: 1, numericsClass: 'wasm' }, hashed: [], warmupMs: 1, totalUpdates: 1_000 });
    await attempt.trainer.next('run');
  }
  /** Taken where all is nought. */
  async function snapshotAt(number: number): Promise<Snapshot> {
    const { training, model } = resolved(spec);
    const planned = planModel(model.layers, [8, 8, 1], { classes: 10 });
    if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
    const tensors = expectedState(planned.plan, training, false);
    const view = {
      names: [...tensors.keys()],
      read: (name: string) => {
        const { dtype, shape } = tensors.get(name)!;
        const size = shape.reduce((product, length) => product * length, 1);
        return dtype === 'I32' ? { dtype: 'I32' as const, shape, data: new Int32Array(size) } : { dtype: 'F32' as const, shape, data: new Float32Array(size) };
      },
      dispose: () => undefined,
    };
    const files = await spoolSnapshot({ view, tensors, dir: start.spoolDir, number, without: [], signal: new AbortController().signal });
    const microBatches = number * training.accum_iters;
    const cursor = { ...startCursor(), micro_batches: microBatches, updates: number, position: microBatches * training.batch_size };
    return { number, counters: { cursor, window: emptySums(), epoch: { ...emptySums(), micro_batches: microBatches, samples: cursor.position }, last_epoch: null, monitor: startMonitor() }, files, unchanged: [], best: null, writeMs: 1 };
  }
  const say = async (number: number): Promise<void> => attempt.trainer.say({ type: 'snapshot', attempt: start.attempt, snapshot: await snapshotAt(number) });
  /** It stops here, and all is over. */
  async function stopAt(number: number): Promise<void> {
    attempt.notice.give(NOTICE);
    await attempt.trainer.next('stop', ['snapshot']);
    attempt.trainer.say({ type: 'stopped', attempt: start.attempt, snapshot: await snapshotAt(number), rung: null });
    await attempt.trainer.next('release');
    attempt.trainer.say({ type: 'idle', attempt: start.attempt, clean: true, peakMemoryMib: 1 });
    expect(await running).toMatchObject({ kind: 'ended' });
  }
  async function fillDisk(): Promise<void> {
    await fs.writeFile(join(attempt.spoolRoot, 'filler'), Buffer.alloc(8 * MIB));
    smallDisk(attempt.spoolRoot, 16 * MIB);
  }

  it('a snapshot that finds no room is settled at once and taken again, as long as a copy could go for it', async () => {
    const path = await idle();
    await fillDisk();
    attempt.trainer.say({ type: 'snapshot_failed', attempt: start.attempt, number: 1, code: 'store_full', message: 'no space left' });
    expect(await attempt.trainer.next('snapshot_settled')).toMatchObject({ number: 1, committed: false });
    await attempt.trainer.next('snapshot');
    expect(existsSync(path)).toBe(false);
    attempt.trainer.say({ type: 'snapshot_failed', attempt: start.attempt, number: 2, code: 'store_full', message: 'no space left' });
    expect(await attempt.trainer.next('snapshot_settled')).toMatchObject({ number: 2, committed: false });
    await stopAt(3);
  });

  it('a commit that the store has no room for is tried again with the next snapshot; the last one, until it is there', async () => {
    const path = await idle();
    await fillDisk();
    refuses = () => existsSync(path);
    await say(1);
    expect(await attempt.trainer.next('snapshot_settled')).toMatchObject({ number: 1, committed: false });
    await attempt.trainer.next('snapshot');
    expect([refused.length > 0, existsSync(path)]).toEqual([true, false]);
    await say(2);
    expect(await attempt.trainer.next('snapshot_settled')).toMatchObject({ number: 2, committed: true });
    await fs.rm(join(attempt.spoolRoot, 'filler'));
    const again = await idle();
    await fs.writeFile(join(attempt.spoolRoot, 'filler'), Buffer.alloc(8 * MIB));
    refused = [];
    refuses = () => existsSync(again);
    await stopAt(3);
    expect([refused.length > 0, existsSync(again)]).toEqual([true, false]);
    expect(await headOf()).toMatchObject({ state: 'open', seq: 2, reason: 'preempted_notice', counters: { failures: 0 } });
  });

  it('a store elsewhere that is full costs no copy', async () => {
    const path = await idle();
    refuses = () => refused.length < 3;
    await say(1);
    expect(await attempt.trainer.next('snapshot_settled')).toMatchObject({ number: 1, committed: false });
    refuses = () => false;
    await stopAt(2);
    expect([refused.length > 0, existsSync(path)]).toEqual([true, true]);
  });

  it('a state that finds no room when it is gone on from is fetched again once a copy has gone', async () => {
    await stopAt(1);
    const path = await idle();
    smallDisk(attempt.spoolRoot, 16 * MIB);
    const failed = refuse('writeFile', (at) => {
      if (!at.includes('/resume/') || !existsSync(path)) return false;
      // until now there was room
      writeFileSync(join(attempt.spoolRoot, 'filler'), Buffer.alloc(8 * MIB));
      return true;
    });
    await untilRunning();
    expect([failed(), existsSync(path)]).toEqual([1, false]);
    expect(start.resume?.counters.cursor.updates).toBe(1);
    attempt.notice.give({ ...NOTICE, immediate: true });
    await running;
  });
});

// The forked production process, worker/trainer/main.js, as a supervisor meets it.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import type { ResumeState, Snapshot } from '../../../worker/protocol.js';
import { forkTrainer, PRODUCTION_ENTRY, type ForkedTrainer } from '../../resume/support/forked-trainer.js';
import { resolved, sha256Of, sourcesOf } from '../../resume/support/run-training.js';

const DIGITS: JobSpecInput = {
  data: { type: 'builtin', name: 'digits', normalize: 'unit', validation: { split: 0.2 } },
  model: {
    layers: [
      { type: 'conv2d', filters: 16, kernel_size: 3, padding: 'same', activation: 'relu' },
      { type: 'max_pooling2d' },
      { type: 'flatten' },
      { type: 'dense', units: 10, activation: 'softmax' },
    ],
  },
  training: { batch_size: 10, accum_iters: 5, epochs: 2, optimizer: { type: 'adam', lr: 0.001, decay: 1e-5 }, seed: 42 },
  checkpoint: { every_updates: 10 },
};
/** Longer than any test lasts. */
const LONG: JobSpecInput = { ...DIGITS, training: { ...DIGITS.training, epochs: 100_000 }, checkpoint: { every_seconds: 3600 } };

/** Compiled for about a second. */
const DEEP: JobSpecInput = {
  ...DIGITS,
  model: {
    layers: [
      ...Array.from({ length: 24 }, () => ({ type: 'conv2d' as const, filters: 16, kernel_size: 3, padding: 'same' as const, activation: 'relu' as const })),
      { type: 'flatten' },
      { type: 'dense', units: 10, activation: 'softmax' },
    ],
  },
};

let dir: string;
let trainer: ForkedTrainer;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pawl-trainer-'));
  trainer = forkTrainer({ entry: PRODUCTION_ENTRY });
});
afterEach(async () => {
  await trainer.close();
  await rm(dir, { recursive: true, force: true });
});

async function start(attempt: string, resume: ResumeState | null = null, spec = DIGITS): Promise<string> {
  const spoolDir = join(dir, attempt);
  await mkdir(spoolDir);
  const full = resolved(spec);
  trainer.send({ type: 'start', attempt, spec: full, data: sourcesOf(full), initFile: null, resume, parts: 1, memoryBytes: null, lifetimeMs: 3_600_000, pauseAt: null, spoolDir });
  return spoolDir;
}
const resumeFrom = ({ counters, files }: Snapshot): ResumeState => ({ counters, committed: false, files: Object.fromEntries(Object.entries(files).map(([role, { path }]) => [role, path])) });

describe('a trainer', () => {
  test('trains digits, stops on demand, goes on in the same process, and is clean after each', async () => {
    await start('one');
    const ready = await trainer.until('ready');
    expect(ready).toMatchObject({ attempt: 'one', totalUpdates: 57, facts: { engine: 'tensorflow' } });
    expect(ready.facts.numericsClass).toMatch(/^tensorflow graph; tfjs-node-gpu 4\.22\.0; libtensorflow 2\.20\.0; .*; intra-op 1; .*; batch 10; program [0-9a-f]{64}$/);
    trainer.send({ type: 'run', attempt: 'one' });
    const first = await trainer.until('snapshot');
    expect(first.snapshot).toMatchObject({ number: 1, counters: { cursor: { updates: 10, window_position: 0 } } });
    trainer.send({ type: 'snapshot_settled', attempt: 'one', number: 1, committed: false });
    // another attempt's messages are not for this one
    trainer.send({ type: 'stop', attempt: 'zero', deadlineMs: null, discard: false });
    await trainer.until('snapshot');
    trainer.send({ type: 'stop', attempt: 'one', deadlineMs: 1000, discard: false });
    const { snapshot } = await trainer.until('stopped');
    if (snapshot === null) throw new Error('there is no snapshot');
    trainer.send({ type: 'release', attempt: 'one' });
    expect(await trainer.until('idle')).toMatchObject({ attempt: 'one', clean: true });

    const spool = await start('two', resumeFrom(snapshot));
    await trainer.until('ready');
    trainer.send({ type: 'run', attempt: 'two' });
    const done = await trainer.until('done');
    expect(done.outcome).toMatchObject({ stoppedBy: 'epochs', updates: 57, unusedMicroBatches: 3 });
    expect(done.outcome.metrics['accuracy']).toBeGreaterThan(0.5);
    expect(done.outcome.validation?.['val_accuracy']).toBeGreaterThan(0.5);
    expect(await readdir(spool)).toEqual(expect.arrayContaining(['state.safetensors']));
    expect(done.stateFile.sizeBytes).toBeGreaterThan(0);
    trainer.send({ type: 'release', attempt: 'two' });
    expect(await trainer.until('idle')).toMatchObject({ attempt: 'two', clean: true });

    // the same job undisturbed, in the same warm process
    await start('three');
    await trainer.until('ready');
    trainer.send({ type: 'run', attempt: 'three' });
    const undisturbed = await trainer.until('done');
    expect(sha256Of(undisturbed.stateFile.path)).toBe(sha256Of(done.stateFile.path));
    expect(undisturbed.outcome).toEqual(done.outcome);
  });

  test('has nothing to hand over when it is stopped before its first micro-batch', async () => {
    await start('one');
    await trainer.until('ready');
    trainer.send({ type: 'stop', attempt: 'one', deadlineMs: null, discard: false });
    expect(await trainer.next()).toEqual({ type: 'stopped', attempt: 'one', snapshot: null, rung: null });
    // and while it compiles, when it hears nothing: it is never ready
    trainer.send({ type: 'release', attempt: 'one' });
    await trainer.until('idle');
    await start('two', null, DEEP);
    await sleep(100);
    trainer.send({ type: 'stop', attempt: 'two', deadlineMs: null, discard: false });
    expect(await trainer.next()).toEqual({ type: 'stopped', attempt: 'two', snapshot: null, rung: null });
  });

  test('takes a snapshot that is asked for, and none when it is to be discarded', async () => {
    const spool = await start('one', null, LONG);
    await trainer.until('ready');
    trainer.send({ type: 'run', attempt: 'one' });
    await trainer.until('progress');
    trainer.send({ type: 'snapshot', attempt: 'one' });
    const { snapshot } = await trainer.until('snapshot');
    expect(snapshot.number).toBe(1);
    trainer.send({ type: 'stop', attempt: 'one', deadlineMs: 0, discard: true });
    expect(await trainer.until('stopped')).toMatchObject({ snapshot: null });
    expect((await readdir(spool)).every((file) => file.startsWith('1.'))).toBe(true);
  });

  test('forgets an attempt that is released in the middle, and says no more than that', async () => {
    await start('one', null, LONG);
    await trainer.until('ready');
    trainer.send({ type: 'run', attempt: 'one' });
    await trainer.until('progress');
    trainer.send({ type: 'release', attempt: 'one' });
    for (;;) {
      const message = await trainer.next();
      if (message.type === 'progress') continue;
      expect(message).toMatchObject({ type: 'idle', attempt: 'one', clean: true });
      break;
    }
  });

  test('serves one attempt at a time', async () => {
    await start('one', null, LONG);
    await trainer.until('ready');
    await start('two');
    expect(await trainer.next()).toMatchObject({ type: 'failed', attempt: 'two', message: expect.stringContaining('one') as string });
  });

  test('does not end by the signals of a whole process group, but with its supervisor', async () => {
    await start('one', null, LONG);
    await trainer.until('ready');
    trainer.send({ type: 'run', attempt: 'one' });
    await trainer.until('progress');
    trainer.signal('SIGTERM');
    trainer.signal('SIGINT');
    await trainer.until('progress');
    await trainer.until('progress');
    await trainer.close();
    let message = await trainer.next();
    while (message.type !== 'exit') message = await trainer.next();
    expect(message).toEqual({ type: 'exit', code: 0, signal: null });
  });

  test('goes on training when a background snapshot finds the disk full, and fails when the last one does', async () => {
    await start('one', null, { ...LONG, checkpoint: { every_updates: 5 } });
    await trainer.until('ready');
    // the process may not write a file beyond 1 KiB any more
    execFileSync('prlimit', ['--pid', String(trainer.pid), '--fsize=1024:']);
    trainer.send({ type: 'run', attempt: 'one' });
    const first = await trainer.until('snapshot_failed');
    expect(first).toMatchObject({ number: 1, code: 'store_full' });
    trainer.send({ type: 'snapshot_settled', attempt: 'one', number: 1, committed: false });
    expect(await trainer.until('snapshot_failed')).toMatchObject({ number: 2 });
    trainer.send({ type: 'stop', attempt: 'one', deadlineMs: null, discard: false });
    // the last one is tried twice
    let message = await trainer.next();
    while (message.type === 'progress' || message.type === 'snapshot_failed') {
      if (message.type === 'snapshot_failed') trainer.send({ type: 'snapshot_settled', attempt: 'one', number: message.number, committed: false });
      message = await trainer.next();
    }
    expect(message).toMatchObject({ type: 'failed', code: 'store_full' });
    expect(await readdir(join(dir, 'one'))).toEqual([]);
    trainer.send({ type: 'release', attempt: 'one' });
    expect(await trainer.until('idle')).toMatchObject({ clean: false });
  });
});

describe('a trainer that may not go on without a commit', () => {
  let impatient: ForkedTrainer;
  beforeEach(() => {
    impatient = forkTrainer({ entry: PRODUCTION_ENTRY, env: { PAWL_UNSAVED_SECONDS: '1' } });
  });
  afterEach(() => impatient.close());

  test('tries again by itself, however seldom checkpoints are, and goes on once one is committed', async () => {
    await mkdir(join(dir, 'one'));
    const spec = resolved(LONG);
    impatient.send({ type: 'start', attempt: 'one', spec, data: sourcesOf(spec), initFile: null, resume: null, parts: 1, memoryBytes: null, lifetimeMs: 3_600_000, pauseAt: null, spoolDir: join(dir, 'one') });
    await impatient.until('ready');
    impatient.send({ type: 'run', attempt: 'one' });
    await impatient.until('progress');
    impatient.send({ type: 'snapshot', attempt: 'one' });
    const settle = (number: number, committed: boolean): void => impatient.send({ type: 'snapshot_settled', attempt: 'one', number, committed });
    settle((await impatient.until('snapshot')).snapshot.number, false);
    await impatient.until('waiting');
    const { snapshot } = await impatient.until('snapshot');
    settle(snapshot.number, false);
    const refusedMs = performance.now();
    const again = await impatient.until('snapshot');
    expect(performance.now() - refusedMs, 'not at once').toBeGreaterThan(900);
    expect(again.snapshot.counters, 'nothing was trained meanwhile').toEqual(snapshot.counters);
    settle(again.snapshot.number, true);
    expect((await impatient.until('progress')).from).toBe(snapshot.counters.cursor.micro_batches);
  });
});

describe('an attempt that cannot begin', () => {
  const failure = async () => {
    const message = await trainer.next();
    if (message.type !== 'failed') throw new Error(`expected failed, got ${JSON.stringify(message)}`);
    return message;
  };
  const npz: JobSpecInput = { ...DIGITS, data: { type: 'npz', path: 'data.npz' } };
  const startNpz = async (): Promise<void> => {
    await mkdir(join(dir, 'one'));
    trainer.send({ type: 'start', attempt: 'one', spec: resolved(npz), data: { train: { type: 'npz', path: join(dir, 'data.npz'), x: 'x', y: 'y' }, validation: null, memoryBytes: 2 ** 30 }, initFile: null, resume: null, parts: 1, memoryBytes: null, lifetimeMs: 3_600_000, pauseAt: null, spoolDir: join(dir, 'one') });
  };

  test('for want of its data says data_missing', async () => {
    await startNpz();
    expect(await failure()).toMatchObject({ attempt: 'one', code: 'data_missing' });
  });
  test('because its data is no data says invalid_data', async () => {
    await writeFile(join(dir, 'data.npz'), 'not a zip file at all');
    await startNpz();
    expect(await failure()).toMatchObject({ code: 'invalid_data' });
  });
  test('because its data has other classes than its model says invalid_data', async () => {
    await start('one', null, { ...DIGITS, data: { type: 'builtin', name: 'synthetic', samples: 200, shape: [8, 8, 1], classes: 3 } });
    expect(await failure()).toMatchObject({ code: 'invalid_data', message: expect.stringContaining('3 classes') as string });
  });
  test('because its first weights do not fit says invalid_data and names one', async () => {
    await mkdir(join(dir, 'one'));
    const initFile = fileURLToPath(new URL('../../fixtures/cnn/seed/init.safetensors', import.meta.url));
    trainer.send({ type: 'start', attempt: 'one', spec: resolved(DIGITS), data: sourcesOf(resolved(DIGITS)), initFile: { path: initFile }, resume: null, parts: 1, memoryBytes: null, lifetimeMs: 3_600_000, pauseAt: null, spoolDir: join(dir, 'one') });
    expect(await failure()).toMatchObject({ code: 'invalid_data', message: expect.stringContaining('conv2d_1/kernel') as string });
  });

  test('because its checkpoint is not one of this job says checkpoint_corrupt and why', async () => {
    await start('one', null, { ...LONG, checkpoint: { every_micro_batches: 13 } });
    await trainer.until('ready');
    trainer.send({ type: 'run', attempt: 'one' });
    // micro-batch 13 or later, and not a multiple of 5: with an open window
    let { snapshot } = await trainer.until('snapshot');
    while (snapshot.counters.cursor.window_position === 0) {
      trainer.send({ type: 'snapshot_settled', attempt: 'one', number: snapshot.number, committed: false });
      ({ snapshot } = await trainer.until('snapshot'));
    }
    trainer.send({ type: 'release', attempt: 'one' });
    await trainer.until('idle');
    const good = resumeFrom(snapshot);
    const { window, ...withoutWindow } = good.files;
    const cursor = good.counters.cursor;
    const closed = { ...good.counters, cursor: { ...cursor, window_position: 0 } };
    const cases: [string, ResumeState, RegExp][] = [
      ['no window', { ...good, files: withoutWindow }, /accumulator\/conv2d_1\/kernel.*missing/],
      ['closed', { ...good, counters: closed }, /cursor.window_position is 0/],
      ['slots as weights', { ...good, files: { ...good.files, weights: good.files.slots! } }, /conv2d_1\/kernel.*missing/],
      ['shifted', { ...good, counters: { ...good.counters, cursor: { ...cursor, micro_batches: cursor.micro_batches + 1 } } }, /cursor.micro_batches is/],
      ['sums', { ...good, counters: { ...good.counters, window: { ...good.counters.window, micro_batches: 0 } } }, /sums/],
      ['data', { ...good, files: { ...good.files, window: good.files.weights! } }, /missing/],
    ];
    for (const [name, resume, why] of cases) {
      await start(name, resume, LONG);
      const failed = await failure();
      expect(failed, name).toMatchObject({ attempt: name, code: 'checkpoint_corrupt' });
      expect(failed.message, name).toMatch(why);
      trainer.send({ type: 'release', attempt: name });
      await trainer.until('idle');
    }
    expect(window).toBeDefined();
    // and as it was it is believed
    await start('good', good, LONG);
    await trainer.until('ready');
  });
});

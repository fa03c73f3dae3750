// Snapshots of an attempt, written to a real folder from a view without an engine.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { readSafetensorsFile } from '../../../lib/checkpoints/safetensors.js';
import type { CheckpointPolicySpec } from '../../../lib/contract/spec.js';
import type { ExpectedTensor } from '../../../lib/model/slots.js';
import { holdsWindow, startCursor } from '../../../lib/training/cursor.js';
import { startMonitor } from '../../../lib/training/monitor.js';
import type { HostTensor, StateCounters, StateRole } from '../../../lib/training/state.js';
import { emptySums } from '../../../lib/training/window.js';
import type { Snapshot } from '../../../worker/protocol.js';
import { makeSnapshots, type Snapshots } from '../../../worker/trainer/snapshots.js';

const FLOATS = 8;
const declared = (role: ExpectedTensor['role']): ExpectedTensor => ({ dtype: 'F32', shape: [FLOATS], role });
const TENSORS = (windowOpen: boolean, slots = true) =>
  new Map<string, ExpectedTensor>([['layer/kernel', declared('weights')], ...(slots ? [['optimizer/layer/kernel/m', declared('slots')] as const] : []), ...(windowOpen ? [['accumulator/layer/kernel', declared('window')] as const] : [])]);
const at = (micro_batches: number, window_position = micro_batches % 3): StateCounters => ({ cursor: { ...startCursor(), micro_batches, window_position }, window: emptySums(), epoch: emptySums(), last_epoch: null, monitor: startMonitor() });

let dir: string;
let state = 0;
let clockMs = 0;
let views = 0;
/** So many reads find, as a write would, that the disk is full. */
let fullFor = 0;
let failed: number[];
let ready: Snapshot[];
let failures: unknown[];
let wake = (): void => undefined;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pawl-snapshots-'));
  [state, clockMs, views, fullFor, failed, ready, failures] = [0, 0, 0, 0, [], [], []];
});
afterEach(async () => {
  expect(views, 'every view is freed').toBe(0);
  await rm(dir, { recursive: true, force: true });
});

function make(policy: Partial<CheckpointPolicySpec>, { into = dir, slots = true, committedRoles = [] as StateRole[], tensors = ({ cursor }: StateCounters) => TENSORS(holdsWindow(cursor), slots) } = {}): Snapshots {
  return makeSnapshots({
    policy: { every_seconds: null, every_updates: null, every_micro_batches: null, keep_last: 2, keep_best: null, ...policy },
    lifetimeMs: 3_600_000,
    dir: into,
    tensors,
    finalTensors: TENSORS(false, slots),
    view({ cursor }) {
      const value = state;
      let open = true;
      views += 1;
      return {
        names: [...TENSORS(holdsWindow(cursor), slots).keys()],
        read: (): HostTensor => {
          if (fullFor > 0) {
            fullFor -= 1;
            throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
          }
          return { dtype: 'F32', shape: [FLOATS], data: new Float32Array(FLOATS).fill(value) };
        },
        dispose() {
          if (open) views -= 1;
          open = false;
        },
      };
    },
    start: at(0),
    committedRoles,
    nowMs: () => clockMs,
    onReady(snapshot) {
      ready.push(snapshot);
      wake();
    },
    onFailed(number, error) {
      failed.push(number);
      failures.push(error);
      wake();
    },
  });
}
/** Waits for snapshots to be told of, until `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => (wake = resolve));
}
const valuesIn = async (path: string): Promise<Record<string, number>> => Object.fromEntries([...(await readSafetensorsFile(path))].map(([name, { data }]) => [name, data[0]!]));

describe('a background snapshot', () => {
  test('is of the state that it was taken at, one file a role', async () => {
    const snapshots = make({ every_micro_batches: 1 });
    state = 5;
    snapshots.boundary(at(1));
    state = 6;
    await until(() => ready.length === 1);
    expect(ready[0]).toMatchObject({ number: 1, counters: at(1), files: { weights: { path: join(dir, '1.weights.safetensors') } } });
    expect(await readdir(dir)).toEqual(['1.slots.safetensors', '1.weights.safetensors', '1.window.safetensors']);
    expect(await valuesIn(ready[0]!.files.window!.path)).toEqual({ 'accumulator/layer/kernel': 5 });
    expect(await valuesIn(ready[0]!.files.weights!.path)).toEqual({ 'layer/kernel': 5 });
  });

  test('has no window file when no window is open, and an empty slots file when there are no slots', async () => {
    const snapshots = make({ every_micro_batches: 1 }, { slots: false });
    snapshots.boundary(at(3));
    await until(() => ready.length === 1);
    expect(Object.keys(ready[0]!.files)).toEqual(['weights', 'slots']);
    expect(await valuesIn(ready[0]!.files.slots!.path)).toEqual({});
  });

  test('is taken no earlier than the previous one was settled', async () => {
    const snapshots = make({ every_micro_batches: 1 });
    snapshots.boundary(at(1));
    snapshots.boundary(at(2));
    await until(() => ready.length === 1);
    snapshots.boundary(at(3));
    snapshots.settled(7, false);
    snapshots.boundary(at(4));
    expect(views).toBe(0);
    snapshots.settled(1, false);
    snapshots.boundary(at(5));
    await until(() => ready.length === 2);
    expect(ready[1]).toMatchObject({ number: 2, counters: at(5) });
  });

  test('is taken when it is asked for, at the next boundary, once', async () => {
    const snapshots = make({ every_updates: 1000 });
    snapshots.boundary(at(1));
    snapshots.request();
    snapshots.boundary(at(2));
    await until(() => ready.length === 1);
    snapshots.settled(1, false);
    snapshots.boundary(at(3));
    expect(views).toBe(0);
    expect(ready[0]!.counters).toEqual(at(2));
  });

  test('that cannot be written is reported, leaves no file, and the next one is taken', async () => {
    const missing = join(dir, 'missing');
    const snapshots = make({ every_micro_batches: 1 }, { into: missing });
    snapshots.boundary(at(1));
    await until(() => failures.length === 1);
    expect(failures[0]).toMatchObject({ code: 'ENOENT' });
    snapshots.boundary(at(2));
    expect(views, 'not again before it is settled').toBe(0);
    snapshots.settled(1, false);
    snapshots.boundary(at(2));
    await until(() => failures.length === 2);
    await expect(snapshots.last(at(3), false)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test('where training stands still one is taken whatever the policy says, unless one is under way', async () => {
  const snapshots = make({ every_updates: 1000 });
  snapshots.standing(at(1));
  snapshots.standing(at(1));
  await until(() => ready.length === 1);
  snapshots.standing(at(1));
  expect(views).toBe(0);
  snapshots.settled(1, false);
  snapshots.standing(at(1));
  await until(() => ready.length === 2);
  snapshots.settled(2, true);
  snapshots.boundary(at(2));
  expect(views, 'and nothing is left to be asked for').toBe(0);
});

describe('what a window does not change', () => {
  const roles = (snapshot: Snapshot): [string[], string[]] => [Object.keys(snapshot.files), snapshot.unchanged];

  test('is spooled once it is not committed, and left out once it is, as long as the window is the same', async () => {
    const snapshots = make({ every_micro_batches: 1 });
    snapshots.boundary(at(1));
    await until(() => ready.length === 1);
    expect(roles(ready[0]!)).toEqual([['weights', 'slots', 'window'], []]);
    snapshots.settled(1, false);
    snapshots.boundary(at(2));
    await until(() => ready.length === 2);
    expect(roles(ready[1]!), 'given up').toEqual([['weights', 'slots', 'window'], []]);
    snapshots.settled(2, true);
    expect(roles(await snapshots.last(at(2), false))).toEqual([['window'], ['weights', 'slots']]);
    snapshots.boundary(at(4));
    await until(() => ready.length === 3);
    expect(roles(ready[2]!), 'the next window').toEqual([['weights', 'slots', 'window'], []]);
    expect((await readdir(dir)).filter((name) => name.startsWith('3.'))).toEqual(['3.window.safetensors']);
  });

  test('is left out from the start where the state that training begins with is committed', async () => {
    const begun = make({ every_micro_batches: 1 }, { committedRoles: ['weights', 'slots'] });
    begun.boundary(at(2));
    await until(() => ready.length === 1);
    expect(roles(ready[0]!)).toEqual([['window'], ['weights', 'slots']]);
    expect(roles(await begun.last(at(2), true)), 'the end of training needs all of it').toEqual([['weights', 'slots', 'window'], []]);
  });

  test('is not the best weights after a better epoch, nor the weights once the best are in their place', async () => {
    const withBest = (counters: StateCounters) => new Map([...TENSORS(holdsWindow(counters.cursor)), ...(counters.monitor.best_epoch === null ? [] : [['best/layer/kernel', declared('best')] as const])]);
    const snapshots = make({ every_micro_batches: 1 }, { tensors: withBest });
    const epoch = (counters: StateCounters, best_epoch: number, restored = false): StateCounters => ({ ...counters, cursor: { ...counters.cursor, restored }, monitor: { ...counters.monitor, best_epoch } });
    snapshots.boundary(epoch(at(4), 1));
    await until(() => ready.length === 1);
    snapshots.settled(1, true);
    expect(roles(await snapshots.last(epoch(at(5), 1), false))).toEqual([['window'], ['weights', 'slots', 'best']]);
    expect(roles(await snapshots.last(epoch(at(5), 2), false))).toEqual([['window', 'best'], ['weights', 'slots']]);
    expect(roles(await snapshots.last(epoch(at(5), 1, true), false))).toEqual([['weights', 'slots', 'window'], ['best']]);
    // no checkpoint of a new window stands on a blob of the window before
    expect(roles(await snapshots.last(epoch(at(7), 1), false))).toEqual([['weights', 'slots', 'window', 'best'], []]);
  });
});

test('how often is left to what saving takes', async () => {
  const snapshots = make({ every_seconds: 'auto' });
  clockMs = 5_000;
  snapshots.boundary(at(1));
  await until(() => ready.length === 1);
  // committed after two seconds: the next one two minutes on
  clockMs = 7_000;
  snapshots.settled(1, false);
  clockMs = 124_000;
  snapshots.boundary(at(2));
  expect(views).toBe(0);
  clockMs = 126_000;
  snapshots.boundary(at(3));
  await until(() => ready.length === 2);
});

describe('the last snapshot', () => {
  test('takes the place of an unfinished one of an earlier state, which leaves no file', async () => {
    const snapshots = make({ every_micro_batches: 1 });
    state = 1;
    snapshots.boundary(at(1));
    state = 2;
    const last = await snapshots.last(at(2), false);
    expect(last).toMatchObject({ number: 2, counters: at(2) });
    expect(await valuesIn(last.files.weights!.path)).toEqual({ 'layer/kernel': 2 });
    expect((await readdir(dir)).every((file) => file.startsWith('2.'))).toBe(true);
    expect([ready, failures], 'nobody hears of the one that was given up').toEqual([[], []]);
  });

  test('is the unfinished one if that is of the same state', async () => {
    const snapshots = make({ every_micro_batches: 1 });
    snapshots.boundary(at(1));
    expect(await snapshots.last(at(1), false)).toMatchObject({ number: 1 });
    expect(ready).toEqual([]);
  });

  test('is not held up by one that is written and not settled', async () => {
    const snapshots = make({ every_micro_batches: 1 });
    snapshots.boundary(at(1));
    await until(() => ready.length === 1);
    expect(await snapshots.last(at(2), false)).toMatchObject({ number: 2 });
  });

  test('that finds the disk full is told, and written again once that is settled; so is the canonical state', async () => {
    const snapshots = make({ every_micro_batches: 1 });
    snapshots.best(0.5);
    fullFor = 1;
    const last = snapshots.last(at(3), true);
    await until(() => failures.length === 1);
    expect(await readdir(dir), 'nothing is left of it').toEqual([]);
    state = 3;
    snapshots.settled(failed[0]!, false);
    expect(await last).toMatchObject({ counters: at(3), best: 0.5, unchanged: [] });
    expect(await valuesIn((await last).files.weights!.path)).toEqual({ 'layer/kernel': 3 });
    fullFor = 1;
    const file = snapshots.stateFile(at(3));
    await until(() => failures.length === 2);
    expect(new Set([...failed, (await last).number]).size, 'each has a number of its own').toBe(3);
    snapshots.settled(failed[1]!, false);
    expect(await valuesIn((await file).path)).toEqual({ 'layer/kernel': 3, 'optimizer/layer/kernel/m': 3 });
  });

  test('that finds the disk full twice fails, as does one that is given up meanwhile', async () => {
    const snapshots = make({});
    fullFor = 2;
    const twice = snapshots.last(at(1), false);
    twice.catch(() => undefined);
    await until(() => failures.length === 1);
    snapshots.settled(failed[0]!, false);
    await expect(twice).rejects.toMatchObject({ code: 'ENOSPC' });
    fullFor = 1;
    const waiting = snapshots.last(at(2), false);
    waiting.catch(() => undefined);
    await until(() => failures.length === 2);
    await snapshots.close();
    await expect(waiting).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await readdir(dir)).toEqual([]);
  });

  test('comes with the canonical state: weights and slots in one file', async () => {
    const snapshots = make({});
    state = 4;
    const file = await snapshots.stateFile(at(3));
    expect(file.path).toBe(join(dir, 'state.safetensors'));
    expect(await valuesIn(file.path)).toEqual({ 'layer/kernel': 4, 'optimizer/layer/kernel/m': 4 });
  });
});

describe('a snapshot of a best epoch', () => {
  test('is taken at once, beside one that is written or not settled, and reported after it', async () => {
    const snapshots = make({ every_micro_batches: 1 });
    snapshots.boundary(at(1));
    state = 2;
    snapshots.best(0.5);
    snapshots.boundary(at(2));
    state = 3;
    // nothing else while one waits
    snapshots.boundary(at(3));
    snapshots.best(0.25);
    snapshots.boundary(at(4));
    await until(() => ready.length === 1);
    expect(ready[0]).toMatchObject({ number: 1, best: null });
    snapshots.settled(1, false);
    await until(() => ready.length === 2);
    expect(ready[1]).toMatchObject({ number: 2, best: 0.5, counters: at(2) });
    expect(await valuesIn(ready[1]!.files.weights!.path)).toEqual({ 'layer/kernel': 2 });
    snapshots.settled(2, false);
    await until(() => ready.length === 3);
    expect(ready[2]).toMatchObject({ number: 3, best: 0.25, counters: at(4) });
    snapshots.settled(3, false);
    snapshots.boundary(at(5));
    await until(() => ready.length === 4);
    expect(ready[3]).toMatchObject({ number: 4, best: null });
  });

  test('is not given up for the last one, which comes after it', async () => {
    const snapshots = make({ every_micro_batches: 1 });
    snapshots.boundary(at(1));
    await until(() => ready.length === 1);
    snapshots.best(0.5);
    snapshots.boundary(at(2));
    const last = snapshots.last(at(3), false);
    let over = false;
    void last.then(() => (over = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([over, ready.length]).toEqual([false, 1]);
    snapshots.settled(1, false);
    await until(() => ready.length === 2);
    expect(ready[1]).toMatchObject({ best: 0.5, counters: at(2) });
    expect(await last).toMatchObject({ number: 3, best: null, counters: at(3) });
  });

  test('that cannot be written while another is unsettled is reported in its turn, and no harm to training', async () => {
    const lost: unknown[] = [];
    const note = (reason: unknown): void => void lost.push(reason);
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));
    const snapshots = make({ every_micro_batches: 1 });
    snapshots.boundary(at(1));
    await until(() => ready.length === 1);
    await rm(dir, { recursive: true });
    snapshots.best(0.5);
    snapshots.boundary(at(2));
    await expect.poll(() => views, { message: 'it has failed' }).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect([lost, failures]).toEqual([[], []]);
    await mkdir(dir);
    snapshots.settled(1, true);
    await until(() => failures.length === 1);
    expect(failures[0]).toMatchObject({ code: 'ENOENT' });
    snapshots.settled(2, false);
    snapshots.boundary(at(4));
    await until(() => ready.length === 2);
    expect(ready[1]).toMatchObject({ number: 3, counters: at(4) });
  });

  test('is itself the last one of the same state', async () => {
    const snapshots = make({ every_micro_batches: 1 });
    snapshots.best(0.5);
    snapshots.boundary(at(2));
    expect(await snapshots.last(at(2), false)).toMatchObject({ number: 1, best: 0.5 });
    expect(ready).toEqual([]);
    snapshots.best(0.4);
    expect(await snapshots.last(at(4), false)).toMatchObject({ number: 2, best: 0.4 });
  });
});

test('closing gives up what is unfinished', async () => {
  const snapshots = make({ every_micro_batches: 1 });
  snapshots.boundary(at(1));
  await snapshots.close();
  expect(await readdir(dir)).toEqual([]);
  expect([ready, failures]).toEqual([[], []]);
});

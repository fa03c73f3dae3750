// How long training goes on while nothing can be committed.
import { expect, test } from 'vitest';
import { makeUnsaved, unsavedMsOf, untilSaved } from '../../../worker/trainer/unsaved.js';

const made = (limitMs = 100) => {
  const time = { ms: 0 };
  return { time, unsaved: makeUnsaved(limitMs, () => time.ms) };
};

test('the time runs from the first snapshot since the last commit, and not between commits', () => {
  const { time, unsaved } = made();
  time.ms = 1_000;
  expect(unsaved.isSpent(), 'nothing was to be saved').toBe(false);
  unsaved.reported();
  time.ms = 1_099;
  expect(unsaved.isSpent()).toBe(false);
  time.ms = 1_100;
  expect(unsaved.isSpent()).toBe(true);
  unsaved.settled(true);
  time.ms = 5_000;
  expect(unsaved.isSpent()).toBe(false);
});

test('snapshots that fail one after another do not begin it anew', () => {
  const { time, unsaved } = made();
  for (time.ms = 0; time.ms < 100; time.ms += 30) {
    unsaved.reported();
    unsaved.settled(false);
    expect(unsaved.isSpent()).toBe(false);
  }
  expect(unsaved.isSpent()).toBe(true);
  unsaved.reported();
  unsaved.settled(true);
  expect(unsaved.isSpent()).toBe(false);
});

test('who waits is woken by either end of a snapshot, and when training is to stop', async () => {
  const { unsaved } = made();
  for (const wake of [() => unsaved.settled(false), () => unsaved.settled(true), unsaved.wake]) {
    const changed = unsaved.changed();
    wake();
    await changed;
  }
});

/** Training that stands still: each try is refused at once, and pauses are noted instead of waited for. */
function standing({ savedBy = Infinity, stopAt = Infinity } = {}) {
  const { time, unsaved } = made();
  unsaved.reported();
  time.ms = 100;
  const [tries, pauses]: [number[], number[]] = [[], []];
  const take = (): void => {
    tries.push(time.ms);
    queueMicrotask(() => unsaved.settled(tries.length >= savedBy));
  };
  const sleep = (ms: number): Promise<void> => {
    pauses.push(ms / 1_000);
    time.ms += ms;
    return Promise.resolve();
  };
  return { unsaved, tries, pauses, saved: untilSaved(unsaved, { take, isOver: () => tries.length >= stopAt, sleep }) };
}

test('while training waits it is tried at once, and again less and less often', async () => {
  const { tries, pauses, saved } = standing({ savedBy: 9 });
  await saved;
  expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
  expect(tries[0], 'the time of the first try').toBe(100);
});

test('who is told to stop waits for nothing more', async () => {
  const { pauses, saved } = standing({ stopAt: 3 });
  await saved;
  expect(pauses).toEqual([1, 2]);
});

test('a pause ends when it is woken', async () => {
  const { time, unsaved } = made();
  unsaved.reported();
  time.ms = 100;
  let tries = 0;
  const take = (): void => {
    tries += 1;
    queueMicrotask(() => unsaved.settled(tries === 2));
  };
  let over = (): void => undefined;
  const ended = new Promise<void>((resolve) => (over = resolve));
  const sleep = (_ms: number, signal: AbortSignal): Promise<void> => {
    signal.addEventListener('abort', over);
    queueMicrotask(unsaved.wake);
    return new Promise(() => undefined);
  };
  await untilSaved(unsaved, { take, isOver: () => false, sleep });
  await ended;
  expect(tries).toBe(2);
});

test('lasts ten minutes unless PAWL_UNSAVED_SECONDS says otherwise; empty says nothing', () => {
  expect(unsavedMsOf({})).toBe(600_000);
  expect(unsavedMsOf({ PAWL_UNSAVED_SECONDS: '' })).toBe(600_000);
  expect(unsavedMsOf({ PAWL_UNSAVED_SECONDS: '5' })).toBe(5_000);
});

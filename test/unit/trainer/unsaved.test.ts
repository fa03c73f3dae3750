// How long training goes on while nothing can be committed.
import { expect, test } from 'vitest';
import { makeUnsaved, unsavedMsOf } from '../../../worker/trainer/unsaved.js';

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

test('lasts ten minutes unless PAWL_UNSAVED_SECONDS says otherwise; empty says nothing', () => {
  expect(unsavedMsOf({})).toBe(600_000);
  expect(unsavedMsOf({ PAWL_UNSAVED_SECONDS: '' })).toBe(600_000);
  expect(unsavedMsOf({ PAWL_UNSAVED_SECONDS: '5' })).toBe(5_000);
});

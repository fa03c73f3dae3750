import { expect, test } from 'vitest';
import type { CheckpointPolicySpec } from '../../../lib/contract/spec.js';
import { startCursor } from '../../../lib/training/cursor.js';
import type { Cursor } from '../../../lib/training/state.js';
import { isSnapshotDue, untilDue } from '../../../worker/trainer/snapshot-policy.js';

const policy = (every: Partial<CheckpointPolicySpec>): CheckpointPolicySpec => ({ every_seconds: null, every_updates: null, every_micro_batches: null, keep_last: 2, keep_best: null, ...every });
const at = (micro_batches: number, updates = 0): Cursor => ({ ...startCursor(), micro_batches, updates });
/** Not "auto". */
const NEVER = Infinity;
const last = (micro_batches: number, updates = 0, takenAtMs = 0) => ({ cursor: at(micro_batches, updates), takenAtMs });

test('seconds count from the last snapshot', () => {
  expect(isSnapshotDue(policy({ every_seconds: 30 }), last(0), at(5), 29_999, NEVER)).toBe(false);
  expect(isSnapshotDue(policy({ every_seconds: 30 }), last(0), at(5), 30_000, NEVER)).toBe(true);
  expect(isSnapshotDue(policy({ every_seconds: 30 }), last(0, 0, 20_000), at(5), 49_000, NEVER)).toBe(false);
});
test('auto takes the interval that is given', () => {
  const auto = policy({ every_seconds: 'auto' });
  expect(isSnapshotDue(auto, last(0), at(5), 4_999, 5_000)).toBe(false);
  expect(isSnapshotDue(auto, last(0), at(5), 5_000, 5_000)).toBe(true);
});
test('updates and micro-batches are on a grid that a resume does not shift', () => {
  const due = (every: Partial<CheckpointPolicySpec>, from: Cursor, to: Cursor) => isSnapshotDue(policy(every), { cursor: from, takenAtMs: 0 }, to, 1e9, NEVER);
  expect(due({ every_updates: 5 }, at(21, 4), at(24, 4))).toBe(false);
  expect(due({ every_updates: 5 }, at(21, 4), at(25, 5))).toBe(true);
  expect(due({ every_updates: 5 }, at(36, 7), at(49, 9))).toBe(false);
  expect(due({ every_micro_batches: 4 }, at(5), at(7))).toBe(false);
  expect(due({ every_micro_batches: 4 }, at(5), at(8))).toBe(true);
});
test('what is run at once ends where one is due by its count', () => {
  expect(untilDue(policy({ every_updates: 10 }), at(64, 64))).toEqual({ microBatches: Infinity, updates: 6 });
  expect(untilDue(policy({ every_updates: 10, every_micro_batches: 8 }), at(100, 20))).toEqual({ microBatches: 4, updates: 10 });
  expect(untilDue(policy({ every_seconds: 1 }), at(7, 1))).toEqual({ microBatches: Infinity, updates: Infinity });
});
test('what was delayed past several points is taken once', () => {
  const every = policy({ every_micro_batches: 2 });
  expect(isSnapshotDue(every, last(2), at(9), 0, NEVER)).toBe(true);
  expect(isSnapshotDue(every, last(9), at(9), 0, NEVER)).toBe(false);
  expect(isSnapshotDue(every, last(9), at(10), 0, NEVER)).toBe(true);
});
test('a state that is already kept is never due', () => {
  expect(isSnapshotDue(policy({ every_seconds: 1 }), last(5), at(5), 1e9, NEVER)).toBe(false);
});
